"""Figures of ``analyze ablation``: what transfer loses when layers are reinitialized before fine-tuning."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from paralign.metrics import Comparison, is_significant
from paralign.metrics.significance import MIN_ITEMS, untested
from paralign.report.comparison import mean_of_known
from paralign.report.figure import Figure, FigureSource, LegendEntry, Panel, Point, ShadedTable, TableCell
from paralign.report.number_format import format_range
from paralign.report.styles import assign_styles
from paralign.report.svg import render_svg, set_tooltip, style_axes
from paralign.results import natural_sort_key
from paralign.task_table import metric_without_conditions

__all__ = ["draw_ablation"]

Row = Mapping[str, Any]
Change = tuple[float, Comparison | None]
"""Change of the score in points, and as a comparison where it comes from a single cell with an interval."""
Changes = dict[str, Change]
"""By reinitialized layers."""
_LOSS, _LARGE_LOSS = 0.02, 0.05
"""Losses that are shaded lightly and darkly (Muller et al. 2021, table 2)."""
_SERIES = ("on the source", "on the targets, mean")
_ABBREVIATIONS = ("las", "uas", "f1")
_CAPTION = (
    "{metric} × 100 without a reset; then the change when these layers are reinitialized before fine-tuning: light"
    f" shading from −{100 * _LOSS:.0f} points, dark from −{100 * _LARGE_LOSS:.0f}, blue for gains. Error bars: 95 %"
    " intervals over test items and, with two or more seeds, fine-tuning seeds; * where such an interval over both"
    f" excludes 0, for {MIN_ITEMS} or more items. {{seeds}} fine-tuning seed{{plural}}; layers are counted from 0."
)
_OF_ERRORS = " Smaller values are better: a change is negative where they rise."


def draw_ablation(source: FigureSource) -> list[Figure]:
    """Draw one figure for each task."""
    figures = []
    for task, metric in dict.fromkeys((cell["task"], cell["metric"]) for cell in source.data["cells"]):
        cells = [cell for cell in source.data["cells"] if (cell["task"], cell["metric"]) == (task, metric)]
        figures.append(_figure(source, task, metric, cells))
    return figures


def _figure(source: FigureSource, task: str, metric: str, cells: Sequence[Row]) -> Figure:
    resets = sorted({cell["reset"] for cell in cells} - {""}, key=natural_sort_key)
    systems = list(dict.fromkeys((cell["system"], cell["model_hash"]) for cell in cells))
    labels = [system for system, _ in systems]
    rows: list[tuple[str, list[TableCell]]] = []
    points: list[Point] = []
    groups: list[tuple[str, str, tuple[Changes, Changes]]] = []
    for system, model_hash in systems:
        name = system if labels.count(system) == 1 else f"{system} {model_hash[:6]}"
        of_system = [cell for cell in cells if (cell["system"], cell["model_hash"]) == (system, model_hash)]
        for header, by_reset in _table_rows(of_system, f"{name}, " if len(systems) > 1 else ""):
            rows.append((header, [_table_cell(by_reset.get(reset), header) for reset in ("", *resets)]))
            points += [_point(header, cell) for cell in by_reset.values()]
        sources = list(dict.fromkeys(cell["source"] for cell in of_system))
        for language in sources:
            title = name + f", from {language}" * (len(sources) > 1)
            key = f"{source.key}/{task}/{metric}/{system}/{model_hash}/{language}"
            groups.append((key, title, _changes(list(map(_gain, of_system)), language, resets)))
    limits = _limits([change for *_, sides in groups for side in sides for change in side.values()])
    seeds = sorted({cell["seeds"] for cell in cells})
    stem = metric_without_conditions(metric)
    name = stem.upper() if stem in _ABBREVIATIONS else stem.replace("_", " ").capitalize()
    condition = metric.removeprefix(stem).strip("_").replace("_", " ")
    caption = _CAPTION.format(
        metric=f"{name} ({condition})" if condition else name,
        seeds=format_range(seeds),
        plural="s" * (seeds != [1]),
    )
    caption += _OF_ERRORS * cells[0]["lower_is_better"]
    return Figure(
        "Layer ablation",
        task,
        legend=[LegendEntry.line(style) for style in assign_styles(_SERIES).values()],
        panels=[_panel(key, title, sides, resets, limits) for key, title, sides in groups],
        tables=[ShadedTable(["no reset", *resets], rows, caption)],
        wide=len(groups) < 3,
        command=source.command,
        points=points,
        finding=" ".join(filter(None, (_finding(title, *sides) for _, title, sides in groups))),
        run=source.run.name,
    )


def _gain(cell: Row) -> Row:
    """Return a cell whose difference is positive if the score is better, also for errors."""
    if not cell["lower_is_better"]:
        return cell
    low, high = cell["low"], cell["high"]
    reversed_ends = {} if low is None else {"low": -high, "high": -low}
    return {**cell, **reversed_ends, "difference": None if cell["difference"] is None else -cell["difference"]}


def _table_rows(cells: Sequence[Row], prefix: str) -> list[tuple[str, dict[str, Row]]]:
    """Return the rows of one system: a header for each source, target and data set, and its cells by reset."""
    keys = list(dict.fromkeys((cell["source"], _target(cell), cell["dataset"]) for cell in cells))
    rows = []
    for source, target, dataset in keys:
        header = f"{prefix}{source} → {target}"
        header += f" ({dataset})" if [key[:2] for key in keys].count((source, target)) > 1 else ""
        chosen = [c for c in cells if (c["source"], _target(c), c["dataset"]) == (source, target, dataset)]
        rows.append((header, {cell["reset"]: cell for cell in chosen}))
    return rows


def _target(cell: Row) -> str:
    return f"mean of {cell['targets']}" if _is_mean(cell) else str(cell["target"])


def _is_mean(cell: Row) -> bool:
    """Whether the cell is the mean of several targets."""
    return bool(cell["targets"] > 1)


def _changes(cells: Sequence[Row], source: str, resets: Sequence[str]) -> tuple[Changes, Changes]:
    """Return the changes on one source, and on its targets (their mean where it was computed).

    A change has an interval where it comes from a single cell.
    """
    sides: tuple[Changes, Changes] = ({}, {})
    for side, on_source in zip(sides, (True, False), strict=True):
        for reset in resets:
            chosen = [c for c in cells if (c["source"], c["reset"]) == (source, reset)]
            chosen = [c for c in chosen if (c["target"] == source) == on_source]
            chosen = [c for c in chosen if _is_mean(c)] or chosen
            change = mean_of_known([c["difference"] for c in chosen])
            if change is not None:
                side[reset] = 100 * change, _comparison(chosen[0]) if len(chosen) == 1 else None
    return sides


def _comparison(cell: Row) -> Comparison | None:
    """Return the difference of a cell as a comparison."""
    if cell["low"] is None:
        return None
    seeds = 1 if cell["spread"] is None else int(cell["seeds"])
    return Comparison(cell["difference"], cell["low"], cell["high"], math.nan, cell["items"], seeds)


def _ends(compared: Comparison) -> tuple[float, float]:
    """Return the interval in points."""
    return 100 * compared.low, 100 * compared.high


def _finding(name: str, on_source: Changes, on_targets: Changes) -> str:
    """Return a sentence on the layers whose reset costs one source's transfer most."""
    if not on_targets:
        return ""
    lost = {
        reset for reset, (change, compared) in on_targets.items() if change <= -100 * _LOSS and is_significant(compared)
    }
    worst = min(on_targets, key=lambda reset: on_targets[reset][0])
    text = "transfer loses most"
    if worst not in lost and not untested(on_targets[worst][1]):
        if not lost:
            return f"{name}: no reset makes transfer lose {100 * _LOSS:.0f} points significantly."
        worst = min(lost, key=lambda reset: on_targets[reset][0])
        text = "of the significant losses of transfer, the largest is"
    change, compared = on_targets[worst]
    limits = "" if compared is None else "{:+.1f} to {:+.1f}".format(*_ends(compared))
    source = f", {on_source[worst][0]:+.1f} on the source" if worst in on_source else ""
    if reason := untested(compared):
        details = "; ".join(filter(None, (limits, f"not tested: {reason}")))
        return f"{name}: transfer changes by {change:+.1f} points when layers {worst} are reset ({details}){source}."
    return f"{name}: {text} when layers {worst} are reset, {change:+.1f} points ({limits}){source}."


def _table_cell(cell: Row | None, header: str) -> TableCell:
    if cell is None or cell["score"] is None:
        return TableCell("")
    cell = _gain(cell)
    score = f"{100 * cell['score']:.1f}"
    sd = "" if cell["sd"] is None else f" ± {100 * cell['sd']:.1f}"
    reset = f"layers {cell['reset']} reset" if cell["reset"] else "no reset"
    tooltip = f"{header}, {reset}: {score}{sd}"
    if cell["difference"] is None:
        if not cell["reset"]:
            return TableCell(score, "", tooltip)
        return TableCell(f"[{score}]", "", f"{tooltip}; no run without a reset to compare with")
    change = round(cell["difference"], 3) + 0.0  # as printed, without -0.0
    shade = (
        "much-worse" if change <= -_LARGE_LOSS else "worse" if change <= -_LOSS else "gain" if change >= _LOSS else ""
    )
    seeds = f" ± {100 * cell['spread']:.1f} over seeds" if cell["spread"] is not None else ""
    limits = "" if cell["low"] is None else f", 95 % {100 * cell['low']:+.1f} to {100 * cell['high']:+.1f}"
    text = f"{100 * change:+.1f}".replace("-", "−") + "*" * is_significant(_comparison(cell))
    return TableCell(text, shade, f"{tooltip}; {100 * change:+.1f}{seeds}{limits}")


def _limits(changes: Sequence[Change]) -> tuple[float, float]:
    """Return limits of the y axis that all panels share."""
    ends = [0.0, *(end for change, compared in changes for end in (change, *(_ends(compared) if compared else ())))]
    margin = 0.06 * (max(ends) - min(ends)) or 1.0
    return min(ends) - margin, max(ends) + margin


def _panel(
    key: str, title: str, sides: tuple[Changes, Changes], resets: Sequence[str], limits: tuple[float, float]
) -> Panel:
    lines = list(zip(assign_styles(_SERIES).values(), sides, strict=True))

    def draw(axes: Any) -> None:
        axes.axhline(0, color="#999999", linewidth=0.8)
        for style, changes in lines:
            positions, values = [resets.index(reset) for reset in changes], [change for change, _ in changes.values()]
            axes.plot(positions, values, color=style.color, linestyle=style.linestyle, linewidth=1.3)
            for position, (reset, (change, compared)) in zip(positions, changes.items(), strict=True):
                if compared:
                    axes.vlines(position, *_ends(compared), color=style.color, linewidth=0.9)
                (dot,) = axes.plot([position], [change], "o", ms=4, color=style.color)
                set_tooltip(dot, f"{style.system}, layers {reset}: {change:+.1f}")
        axes.set_xticks(range(len(resets)), resets)
        axes.set_ylim(*limits)
        style_axes(axes, "reinitialized layers")

    description = "; ".join(
        f"{style.system}: " + ", ".join(f"{reset} {change:+.1f}" for reset, (change, _) in changes.items())
        for style, changes in lines
    )
    return Panel(title, render_svg(key, draw), description)


def _point(header: str, cell: Row) -> Point:
    if cell["difference"] is None:
        return (header, "score", cell["reset"] or "no reset", cell["score"], None, None)
    return (header, "difference", cell["reset"], cell["difference"], cell["low"], cell["high"])
