"""Figure of ``analyze space``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from paralign.report.figure import Figure, FigureSource, LegendEntry, Panel
from paralign.report.styles import Style, assign_styles
from paralign.report.svg import render_svg, set_tooltip, style_axes

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
    curves: Sequence[Row] = source.data["curves"]
    names = list(dict.fromkeys(curve["system"] for curve in curves))
    styles = assign_styles(names)
    rows = [(curve["system"], curve["of"], value) for curve in curves for value in curve["values"]]
    panels = []
    for metric, (title, meaning) in _TITLES.items():
        lines = [(styles[name], _means([v for system, _, v in rows if system == name and v["metric"] == metric]))
                 for name in names]  # fmt: skip
        panels.append(_panel(f"{source.key}/{metric}", title, meaning, lines))
    numbers = sorted({curve["n"] for curve in curves})
    sentences = " to ".join(f"{number:,}" for number in dict.fromkeys((numbers[0], numbers[-1])))
    meanings = "; ".join(f"{title}: {meaning}" for title, meaning in _TITLES.values())
    return [
        Figure(
            "Space of sentence vectors, by layer",
            source.run.name,
            legend=[LegendEntry.line(style) for style in styles.values()],
            panels=panels,
            caption=f"Mean-pooled vectors of {sentences} sentences; lines are means over languages. {meanings}.",
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


def _panel(key: str, title: str, meaning: str, lines: Sequence[tuple[Style, list[tuple[int, float]]]]) -> Panel:
    def draw(axes: Any) -> None:
        for style, points in lines:
            axes.plot(*zip(*points, strict=True), color=style.color, linestyle=style.linestyle, linewidth=1.3)
            for layer, value in points:
                (dot,) = axes.plot([layer], [value], "o", ms=3.5, color=style.color)
                set_tooltip(dot, f"{style.system}, layer {layer}: {title} {value:.3g}")
        style_axes(axes, "layer")
        low, high = axes.get_ylim()
        axes.set_ylim(min(0, low), 1.02 if key.endswith(_SHARES) else high)

    description = "; ".join(
        f"{style.system} " + " ".join(f"{value:.3g}" for _, value in points) for style, points in lines
    )
    return Panel(title, render_svg(key, draw), f"{description} ({meaning})")
