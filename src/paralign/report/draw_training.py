"""Training curves: one figure for each command, one panel for each loss; and cosines between gradients."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from paralign.report.figure import Figure, LegendEntry, Panel, Point, ShadedTable, TableCell
from paralign.report.number_format import format_score
from paralign.report.runs import HELD_OUT, Run
from paralign.report.styles import Style
from paralign.report.svg import render_svg, style_axes

__all__ = ["draw_training"]

Floats = npt.NDArray[np.float64]
Curves = tuple[str, Mapping[str, Mapping[int, float]]]
"""A system, and for each loss its values by step."""
Cosines = tuple[str, Mapping[str, Mapping[int, Mapping[str, float]]]]
"""A system, and for each pair of losses the cosines of each step by group of weights."""

_MAX_POINTS = 120
_SMOOTHED = 20
"""Curves with at least as many points are smoothed: over a tenth of them on either side."""
_MAX_RAW = 30
"""In figures with more runs, logged values are not drawn behind the smoothed curves."""
_TITLES = {"pretrain": "Pretraining", "align": "Alignment", "finetune": "Fine-tuning"}


def draw_training(runs: Sequence[Run], styles: Mapping[str, Style]) -> list[Figure]:
    """Draw the curves of all runs that have a log.

    The total of a run with a single loss is left out, as it would show the same curve twice.
    """
    by_command: dict[str, list[Curves]] = {}
    for run in runs:
        curves = [(run.label, log.curves) for log in run.logs.values() if log.curves]
        if curves:
            by_command.setdefault(run.info.verb or "training", []).extend(curves)
    order = list(_TITLES)
    commands = sorted(by_command, key=lambda name: (order.index(name) if name in _TITLES else 9, name))
    figures = [_figure(command, by_command[command], styles) for command in commands]
    measured = [(run.label, log.cosines) for run in runs for log in run.logs.values() if log.cosines]
    return figures + ([_cosine_figure(measured, styles)] if measured else [])


def _figure(command: str, members: Sequence[Curves], styles: Mapping[str, Style]) -> Figure:
    names = {name for _, curves in members for name in curves} - {"loss"}
    panels = [
        _panel(f"{command}/{name}", name, members, styles)
        for name in sorted(names, key=lambda name: (name.startswith(HELD_OUT), name))
    ]
    totals = [(system, curves) for system, curves in members if "loss" in curves and len(_minimized(curves)) != 1]
    if totals:
        panels.append(_panel(f"{command}/loss", "loss", totals, styles))
    points: list[Point] = [
        (name, system, repr(float(step)).removesuffix(".0"), float(value), None, None)
        for system, curves in members
        for name, curve in curves.items()
        for step, value in zip(*_thinned(curve), strict=True)
        if math.isfinite(value)
    ]
    legend = [LegendEntry.line(styles[system]) for system in dict.fromkeys(system for system, _ in members)]
    caption = f"One line per run, smoothed{', with the logged values behind it' * (len(members) <= _MAX_RAW)}."
    return Figure("Training", _TITLES.get(command, command), legend, panels, caption=caption, points=points)


def _cosine_figure(members: Sequence[Cosines], styles: Mapping[str, Style]) -> Figure:
    """Draw the cosines over all weights by step, and a table of their means by layer."""
    panels: list[Panel] = []
    rows: list[tuple[str, list[TableCell]]] = []
    points: list[Point] = []
    groups = list(
        dict.fromkeys(g for _, pairs in members for steps in pairs.values() for one in steps.values() for g in one)
    )
    for pair in dict.fromkeys(pair for _, pairs in members for pair in pairs):
        name = " and ".join(pair.split())
        curves = [(system, {name: {k: one["all"] for k, one in pairs[pair].items() if "all" in one}})
                  for system, pairs in members if pair in pairs]  # fmt: skip
        panels.append(_panel(f"cosine/{pair}", name, curves, styles))
        for system, pairs in members:
            by_group = {g: [one[g] for one in pairs.get(pair, {}).values() if g in one] for g in groups}
            means = {g: sum(values) / len(values) for g, values in by_group.items() if values}
            if means:
                header = f"{system}, {name}"
                rows.append((header, [_cosine_cell(means.get(g), f"{header}, {g}") for g in groups]))
                points += [(name, system, g, mean, None, None) for g, mean in means.items()]
    legend = [LegendEntry.line(styles[system]) for system in dict.fromkeys(system for system, _ in members)]
    table = ShadedTable(groups, rows, "Mean over the run of the cosine between the gradients of two losses, by layer.")
    caption = (
        "Cosine between the gradients of two losses on the weights they share, without the vocabulary head. Below 0, a"
        " step that lowers one loss raises the other; 0: they are independent."
    )
    return Figure("Training", "Gradient cosines", legend, panels, [table], caption=caption, points=points)


def _cosine_cell(value: float | None, header: str) -> TableCell:
    if value is None:
        return TableCell("")
    shade = "worse" if value <= -0.05 else "gain" if value >= 0.05 else ""
    return TableCell(format_score(value, False), shade, f"{header}: {value:.3f}")


def _minimized(curves: Mapping[str, Mapping[int, float]]) -> list[str]:
    return [name for name in curves if name != "loss" and not name.startswith(HELD_OUT)]


def _panel(key: str, name: str, members: Sequence[Curves], styles: Mapping[str, Style]) -> Panel:
    lines = []
    last_values: dict[str, list[float]] = {}
    for system, curves in members:
        curve = curves.get(name)
        if curve:
            lines.append((styles[system], *_thinned(curve)))
            last_values.setdefault(system, []).append(curve[max(curve)])
    description = "; ".join(
        f"{system} ends at {', '.join(f'{value:.3g}' for value in values)}" for system, values in last_values.items()
    )
    return Panel("total loss" if name == "loss" else name, _plot(key, lines), description)


def _thinned(curve: Mapping[int, float]) -> tuple[Floats, Floats]:
    """Return steps and values of at most ``_MAX_POINTS`` points, each the mean of neighboring steps."""
    steps = np.array(sorted(curve), dtype=np.float64)
    values = np.array([curve[int(step)] for step in steps])
    if len(steps) <= _MAX_POINTS:
        return steps, values
    sizes = np.array([len(part) for part in np.array_split(steps, _MAX_POINTS)])
    starts = np.cumsum(sizes) - sizes
    return np.add.reduceat(steps, starts) / sizes, np.add.reduceat(values, starts) / sizes


def _smooth(values: Floats) -> Floats:
    """Return the value at each point of a line fitted to its neighbors; gaps are left out and stay gaps.

    Inside of the curve this is the mean of the neighbors. A mean would lag at the ends, where they are on one side.
    """
    if len(values) < _SMOOTHED:
        return values
    reach = len(values) // 10
    place = np.arange(len(values))
    first, stop = np.maximum(0, place - reach), np.minimum(len(values), place + reach + 1)
    x = place.astype(np.float64)
    known = np.isfinite(values)
    y = np.where(known, values, 0.0)

    def sums(terms: Floats) -> Floats:
        """Return the sum over the neighbors of each point."""
        total = np.concatenate([[0.0], np.cumsum(terms)])
        return np.asarray(total[stop] - total[first])

    n, sum_x, sum_y = np.maximum(1, sums(known.astype(np.float64))), sums(known * x), sums(y)
    spread, covariance = sums(known * x**2) - sum_x**2 / n, sums(x * y) - sum_x * sum_y / n
    slope = np.divide(covariance, spread, out=np.zeros(len(values)), where=n > 1)
    return np.where(known, sum_y / n + slope * (x - sum_x / n), math.nan)


def _plot(key: str, lines: Sequence[tuple[Style, Floats, Floats]]) -> str:
    from matplotlib.ticker import MaxNLocator

    def draw(axes: Any) -> None:
        for style, steps, values in lines:
            marker = "o" if len(steps) == 1 else None  # a line of one point would be invisible
            smooth = _smooth(values)
            if smooth is not values and len(lines) <= _MAX_RAW:
                axes.plot(steps, values, color=style.color, linewidth=0.7, alpha=0.25)
            axes.plot(
                steps,
                smooth,
                color=style.color,
                linestyle=style.linestyle,
                linewidth=1.4,
                alpha=0.9,
                marker=marker,
                ms=3,
            )
        style_axes(axes, "step")
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(4))

    return render_svg(key, draw)
