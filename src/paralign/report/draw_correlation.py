"""Figures of ``analyze correlation``: a scatter plot for each task and each predictor of transfer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from paralign.metrics.significance import excludes_zero
from paralign.report.figure import Figure, FigureSource, LegendEntry, Panel, Point, ShadedTable, TableCell
from paralign.report.number_format import format_score
from paralign.report.scatter_plot import Dot, scatter_plot
from paralign.report.styles import Style

__all__ = ["draw_correlation"]

Row = Mapping[str, Any]
_COLUMNS = ["Spearman", "95 %", "within languages", "points", "encoders", "languages"]
_CAPTION = (
    "A point is an encoder on a language; higher means that less is lost from source to target. Spearman's correlation"
    " over all points, with an interval from resampling encoders and languages (none where there are few). Within"
    " languages: correlation over encoders only, averaged over languages (at least four encoders). Over all points,"
    " languages close to the source may do better in everything, whatever was done to the encoder."
)


def draw_correlation(source: FigureSource) -> list[Figure]:
    """Draw one figure for each task."""
    return [_figure(source, task) for task in dict.fromkeys(c["task"] for c in source.data["correlations"])]


def _figure(source: FigureSource, task: str) -> Figure:
    points = [point for point in source.data["points"] if point["task"] == task]
    correlations = [row for row in source.data["correlations"] if row["task"] == task]
    systems = list(dict.fromkeys(point["system"] for point in points))
    styles = source.assign_styles(points)
    languages = sorted({point["language"] for point in points})
    errors = any(point["lower_is_better"] for point in points)
    panels, numbers = [], list[Point]()
    for row in correlations:
        predictor = row["predictor"]
        measured = [point for point in points if predictor in point["known"]]
        defined = row["value"] is not None
        description = f"Spearman {row['value']:.2f} over {row['points']} points" if defined else "no correlation"
        panels.append(
            Panel(
                predictor,
                scatter_plot(
                    f"{source.key}/{task}/{predictor}",
                    [_dot(point, predictor, styles) for point in measured],
                    languages,
                    x_label=predictor,
                    y_label=f"{'source − target' if errors else 'target − source'}, points",
                ),
                description,
            )
        )
        numbers += [
            (predictor, _label(point), repr(point["known"][predictor]), -point["loss"], None, None)
            for point in measured
        ]
    return Figure(
        "Predictors of transfer",
        f"{task} ({correlations[0]['metric']})",
        legend=[LegendEntry.dot(styles[system]) for system in systems],
        panels=panels,
        tables=[ShadedTable(_COLUMNS, [(row["predictor"], _table_row(row)) for row in correlations])],
        wide=True,
        caption=_CAPTION,
        command=source.command,
        points=numbers,
        finding=_finding(correlations),
        run=source.run.name,
    )


def _label(point: Row) -> str:
    return f"{point['system']}, {point['source']} to {point['language']}"


def _dot(point: Row, predictor: str, styles: Mapping[str, Style]) -> Dot:
    x, y = point["known"][predictor], -100 * point["loss"]
    return Dot(styles[point["system"]], point["language"], x, y, f"{_label(point)}: {x:.3f}, {y:+.1f}")


def _finding(correlations: Sequence[Row]) -> str:
    """Return a sentence on the strongest significant correlation; empty if no correlation has an interval."""
    with_interval = [row for row in correlations if row["low"] is not None]
    significant = [row for row in with_interval if excludes_zero(row["low"], row["high"])]
    if not significant:
        return "No predictor correlates significantly with transfer." if with_interval else ""
    best = max(significant, key=lambda row: abs(row["value"]))
    return (
        f"Transfer correlates most with {best['predictor']}: Spearman {best['value']:.2f} ({best['low']:.2f} to"
        f" {best['high']:.2f}) over {best['points']} points; {len(correlations)} predictors were tested."
    )


def _table_row(row: Row) -> list[TableCell]:
    value, low, high, within = (row[name] for name in ("value", "low", "high", "within"))
    return [
        TableCell("" if value is None else format_score(value, False)),
        TableCell("" if low is None else f"{format_score(low, False)} to {format_score(high, False)}"),
        TableCell("" if within is None else format_score(within, False)),
        *(TableCell(str(row[name])) for name in ("points", "encoders", "languages")),
    ]
