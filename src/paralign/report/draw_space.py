"""Figure of ``analyze space``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from paralign.report.figure import Figure, FigureSource, LegendEntry
from paralign.report.layer_plot import LayerChange, LayerCurve, change_table, distinct_names, layer_panel
from paralign.report.number_format import format_range, pooling_name

__all__ = ["draw_space"]

_TITLES = {
    "mean_cosine": ("cosine of different sentences", "0 for random directions; close to 1 if all vectors are alike"),
    "effective_rank": ("effective rank", "number of dimensions in use"),
    "identified_by_mean": ("language by nearest mean", "share of sentences; lower is more language-neutral"),
    "identified_linearly": ("language by linear probe", "share of sentences; lower is more language-neutral"),
    "hubness": ("hubness", "skewness of how often a sentence is among the nearest; lower is better"),
    "mutual_nearest": ("mutual nearest translations", "share of pairs; higher is better"),
    "language_distance": ("distance of languages", "distance of means in units of the spread; lower is closer"),
}
_SHARES = ("mean_cosine", "identified_by_mean", "identified_linearly")
Row = Mapping[str, Any]


def draw_space(source: FigureSource) -> list[Figure]:
    """Draw a panel for each measure, with a line for each system: the mean over its languages."""
    curves = distinct_names(source.data["curves"])
    styles = source.assign_styles(curves)
    names = list(styles)
    rows = [(curve["system"], curve["of"], value) for curve in curves for value in curve["values"]]
    panels = []
    for metric, (title, meaning) in _TITLES.items():
        lines = [(styles[name], _means([v for system, _, v in rows if system == name and v["metric"] == metric]))
                 for name in names]  # fmt: skip
        curves_of_metric = [LayerCurve(style, points) for style, points in lines]
        lowest = min((value for _, points in lines for _, value in points), default=0)
        limits = (min(0, 1.05 * lowest), 1.02) if metric in _SHARES else None
        panels.append(layer_panel(f"{source.key}/{metric}", title, curves_of_metric, meaning=meaning, limits=limits))
    depths = {name: max(v["layer"] for system, _, v in rows if system == name) for name in names}
    changed = _changes(rows, names, depths)
    caption = f"Change from {names[0]}, by layer; means over languages."
    numbers = sorted({curve["n"] for curve in curves})
    pooling = pooling_name(source.data["settings"]["pool"])
    meanings = "; ".join(f"{title}: {meaning}" for title, meaning in _TITLES.values())
    return [
        Figure(
            "Geometry of sentence vectors, by layer",
            source.run.name,
            legend=[LegendEntry.line(style) for style in styles.values()],
            panels=panels,
            tables=[change_table(changed, caption)] if changed else [],
            caption=f"{format_range(numbers)} sentences, {pooling}; lines are means over languages. {meanings}.",
            command=source.command,
            points=[
                (_TITLES[v["metric"]][0], f"{system}, {v['direction'] or v['language']}" + (f" of {of}" if of else ""),
                 str(v["layer"]), v["value"], None, None)
                for system, of, v in rows
            ],
        )
    ]  # fmt: skip


def _means(values: Sequence[Row]) -> list[tuple[int, float]]:
    """Return the mean over languages of each layer."""
    by_layer: dict[int, list[float]] = {}
    for value in values:
        if value["value"] is not None:
            by_layer.setdefault(value["layer"], []).append(value["value"])
    return [(layer, sum(found) / len(found)) for layer, found in sorted(by_layer.items())]


def _changes(
    rows: Sequence[tuple[str, str | None, Row]], names: Sequence[str], depths: Mapping[str, int]
) -> list[tuple[str, list[LayerChange]]]:
    """Return the differences from the first encoder, for encoders with as many layers."""
    changed = []
    for name in names[1:]:
        if depths[name] != depths[names[0]]:
            continue
        for metric, (title, _) in _TITLES.items():
            after, before = (
                dict(_means([v for system, _, v in rows if system == one and v["metric"] == metric]))
                for one in (name, names[0])
            )
            differences = [LayerChange(layer, after[layer] - before[layer]) for layer in after if layer in before]
            changed.append((f"{name}, {title}", differences))
    return changed
