"""Figures of ``analyze transfer``: zero-shot and supervised scores on derived languages, and their alignment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from paralign.report.figure import Figure, FigureSource, LegendEntry, Panel, Point
from paralign.report.scatter_plot import Dot, scatter_plot
from paralign.report.styles import Style
from paralign.report.svg import render_svg, style_axes

__all__ = ["draw_transfer"]

Row = Mapping[str, Any]
Means = Mapping[tuple[str, str], tuple[float, float]]
"""Language and system → zero-shot and supervised score × 100, means over encoders."""
_WIDTH = 0.8
"""Width of a group of bars."""


def draw_transfer(source: FigureSource) -> list[Figure]:
    """Draw one figure for each task, metric and condition."""
    return [_figure(source, *key) for key in dict.fromkeys(map(_key, source.data["points"]))]


def _key(row: Row) -> tuple[str, str, str]:
    return row["task"], row["metric"], row["condition"]


def _figure(source: FigureSource, task: str, metric: str, condition: str) -> Figure:
    rows = [point for point in source.data["points"] if _key(point) == (task, metric, condition)]
    correlation = next((row for row in source.data["correlations"] if _key(row) == (task, metric, condition)), None)
    styles = source.assign_styles(rows)
    languages = list(dict.fromkeys(row["language"] for row in rows))
    key = f"{source.key}/{task}/{metric}/{condition}"
    panels = [_score_panel(key, rows, languages, styles)]
    aligned = [row for row in rows if row["alignment"] is not None]
    if aligned:
        panels.append(_alignment_panel(key, aligned, languages, styles))
    points: list[Point] = [
        (f"{row['language']}, {name}", row["system"], row["model_hash"], row[name], None, None)
        for row in rows
        for name in ("zero", "supervised", "delta", "alignment")
        if row[name] is not None
    ]
    return Figure(
        "Transfer to derived languages",
        f"{task} ({metric}{condition and ', '}{condition})",
        legend=[LegendEntry.dot(style) for style in styles.values()],
        panels=panels,
        wide=True,
        caption=_caption(correlation),
        command=source.command,
        points=points,
        run=source.run.name,
    )


def _score_panel(key: str, rows: Sequence[Row], languages: Sequence[str], styles: Mapping[str, Style]) -> Panel:
    means: dict[tuple[str, str], tuple[float, float]] = {}
    for language in languages:
        for system in styles:
            chosen = [row for row in rows if (row["language"], row["system"]) == (language, system)]
            if chosen:
                zero, supervised = (100 * sum(row[k] for row in chosen) / len(chosen) for k in ("zero", "supervised"))
                means[language, system] = zero, supervised
    description = "; ".join(
        f"{language}, {system}: zero-shot {zero:.1f}, supervised {supervised:.1f}"
        for (language, system), (zero, supervised) in means.items()
    )
    bars = render_svg(f"{key}/bars", lambda axes: _draw_bars(axes, languages, styles, means), size=(5.0, 3.4))
    return Panel("Trained on the original language (bars), on the derived language (lines)", bars, description)


def _alignment_panel(key: str, rows: Sequence[Row], languages: Sequence[str], styles: Mapping[str, Style]) -> Panel:
    errors = rows[0]["lower_is_better"]
    dots = []
    for row in rows:
        x, y = 100 * row["alignment"], 100 * row["delta"]
        dots.append(
            Dot(styles[row["system"]], row["language"], x, y, f"{row['system']}, {row['language']}: {x:.1f}, {y:+.1f}")
        )
    plot = scatter_plot(
        f"{key}/scatter",
        dots,
        languages,
        x_label="pieces whose twin is nearest, percent",
        y_label="Δ = supervised − zero-shot" if errors else "Δ = zero-shot − supervised",
    )
    description = "; ".join(
        f"{row['language']}, {row['system']}: alignment {100 * row['alignment']:.1f}, Δ {100 * row['delta']:+.1f}"
        for row in rows
    )
    return Panel("Alignment and Δ", plot, description)


def _caption(correlation: Row | None) -> str:
    if correlation is None or correlation["value"] is None:
        return ""
    text = f"Spearman's correlation of alignment and Δ: {correlation['value']:.2f} over {correlation['points']} points"
    if correlation["low"] is not None:
        text += f"; 95 % interval from resampling encoders: {correlation['low']:.2f} to {correlation['high']:.2f}"
    return f"{text}. A point is an encoder on a language."


def _draw_bars(axes: Any, languages: Sequence[str], styles: Mapping[str, Style], means: Means) -> None:
    step = _WIDTH / max(1, len(styles))
    for number, (system, style) in enumerate(styles.items()):
        for position, language in enumerate(languages):
            if (language, system) in means:
                zero, supervised = means[language, system]
                x = position - _WIDTH / 2 + (number + 0.5) * step
                fill = "none" if style.hollow else style.color
                axes.bar([x], [zero], width=0.9 * step, color=fill, edgecolor=style.color)
                axes.plot([x - 0.45 * step, x + 0.45 * step], [supervised] * 2, color="#222222", linewidth=1.2)
    axes.set_xticks(range(len(languages)), languages)
    style_axes(axes, "")
    axes.set_ylabel("zero-shot; line: supervised", color="#555555")
    axes.set_ylim(0, None)
