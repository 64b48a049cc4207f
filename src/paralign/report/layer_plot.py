"""Curves over the layers of encoders, and tables of what changed from the first encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from paralign.metrics.significance import excludes_zero
from paralign.report.figure import Panel, ShadedTable, TableCell
from paralign.report.number_format import format_difference
from paralign.report.styles import Style
from paralign.report.svg import render_svg, set_tooltips, style_axes

__all__ = ["LayerChange", "LayerCurve", "change_table", "distinct_names", "layer_panel", "plot_curve"]


@dataclass(frozen=True)
class LayerCurve:
    """Values of one system by layer.

    Attributes:
        style: color and dash.
        points: layer and value.
        band: layer, and lower and upper end of an interval, where there is one.
        baseline: a level that is drawn dotted. None: no line.
    """

    style: Style
    points: Sequence[tuple[int, float]]
    band: Sequence[tuple[int, float, float]] = ()
    baseline: float | None = None


@dataclass(frozen=True)
class LayerChange:
    """The difference from the first encoder in one layer.

    Attributes:
        layer: 0 = embeddings.
        value: the difference. None: unknown.
        low, high: 95 % interval. None: there is none.
    """

    layer: int
    value: float | None
    low: float | None = None
    high: float | None = None


def distinct_names(curves: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Append the fingerprint to the names of encoders that share one, in ``system``.

    Args:
        curves: with ``system``, ``model_hash`` and, for comparisons of two encoders, ``before``.
    """
    hashes: dict[tuple[bool, str], set[str]] = {}
    keys = [(curve.get("before") is None, curve["system"]) for curve in curves]
    for key, curve in zip(keys, curves, strict=True):
        hashes.setdefault(key, set()).add(curve.get("model_hash", ""))
    return [
        {**curve, "system": curve["system"] + f" {curve.get('model_hash', '')[:6]}" * (len(hashes[key]) > 1)}
        for key, curve in zip(keys, curves, strict=True)
    ]


def plot_curve(axes: Any, style: Style, points: Sequence[tuple[int, float]], texts: Sequence[str]) -> None:
    """Draw a line with a marker at each layer, and show a text when the pointer is over it.

    Args:
        axes: matplotlib's axes.
        style: how the system is drawn.
        points: layer and value.
        texts: what the tooltip of each point says of it.
    """
    look = {"color": style.color, "linestyle": style.linestyle, "linewidth": 1.3, "marker": "o", "ms": 3.5}
    layers = [layer for layer, _ in points]
    (line,) = axes.plot(layers, [value for _, value in points], **look)
    set_tooltips(line, [f"{style.system}, layer {k}: {text}" for k, text in zip(layers, texts, strict=True)])


def layer_panel(
    key: str, title: str, curves: Sequence[LayerCurve], *, meaning: str = "", limits: tuple[float, float] | None = None
) -> Panel:
    """Draw one line for each system, with bands for intervals.

    Args:
        key: a name that no other plot on the page has.
        title: title of the panel.
        curves: the systems.
        meaning: how to read the values, appended to the description.
        limits: ends of the y axis. None: from 0, or the smallest value if that is negative.
    """

    def draw(axes: Any) -> None:
        for curve in curves:
            style = curve.style
            if curve.points:
                plot_curve(axes, style, curve.points, [f"{title} {value:.3g}" for _, value in curve.points])
            if curve.band:
                axes.fill_between(*zip(*curve.band, strict=True), color=style.color, alpha=0.15, linewidth=0)
            if curve.baseline is not None:
                axes.axhline(curve.baseline, color="#999999", linestyle=(0, (1, 2)), linewidth=0.8)
        style_axes(axes, "layer")
        low, high = axes.get_ylim()
        axes.set_ylim(*(limits or (min(0, low), high)))

    description = "; ".join(
        f"{curve.style.system} " + " ".join(f"{value:.3g}" for _, value in curve.points) for curve in curves
    )
    return Panel(title, render_svg(key, draw), description + (f" ({meaning})" if meaning else ""))


def change_table(
    rows: Sequence[tuple[str, Sequence[LayerChange]]], caption: str, *, points: bool = False
) -> ShadedTable:
    """Return a table of differences from the first encoder: a row for each system and measure, a column for each layer.

    Cells whose interval excludes 0 are shaded and marked with ``*``.

    Args:
        rows: header and differences of each row.
        caption: what the values are.
        points: whether differences are shown × 100.
    """
    depth = max((change.layer for _, changes in rows for change in changes), default=-1) + 1
    cells = []
    for header, changes in rows:
        by_layer = {change.layer: change for change in changes}
        cells.append((header, [_change_cell(header, by_layer.get(k), points) for k in range(depth)]))
    return ShadedTable([str(layer) for layer in range(depth)], cells, caption)


def _change_cell(header: str, change: LayerChange | None, points: bool) -> TableCell:
    if change is None or change.value is None:
        return TableCell("")
    factor = 100 if points else 1
    text = format_difference(change.value, points)
    tooltip = f"{header}, layer {change.layer}: {factor * change.value:+.3g}"
    if change.low is None or change.high is None:
        return TableCell(text, "", tooltip)
    clear = excludes_zero(change.low, change.high)
    shade = ("gain" if change.value > 0 else "worse") if clear else ""
    tooltip += f" ({factor * change.low:+.3g} to {factor * change.high:+.3g})"
    return TableCell(text + "*" * clear, shade, tooltip)
