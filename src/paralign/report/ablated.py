"""Pictures of what transfer loses when layers are drawn anew before fine-tuning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from paralign.report.figures import drawn, hover, plain_axes, styles
from paralign.report.plate import Grid, Number, Panel, Plate, Square
from paralign.report.runs import Run
from paralign.report.wording import counts_said, mean_known
from paralign.results import natural

__all__ = ["ablation_plates"]

Row = Mapping[str, Any]
Gap = tuple[float, tuple[float, float] | None]
"""Points lost, and their interval."""
_LOSS, _GREAT = 0.02, 0.05
"""Losses that are shaded lightly and darkly (Muller et al. 2021, table 2)."""


def ablation_plates(runs: Sequence[Run]) -> list[Plate]:
    """One for each task of every run of ``analyze ablation``."""
    out = []
    for run in runs:
        for found in run.figures("ablation"):
            for task, metric in dict.fromkeys((c["task"], c["metric"]) for c in found["cells"]):
                cells = [c for c in found["cells"] if (c["task"], c["metric"]) == (task, metric)]
                out.append(replace(_ablation(run, task, metric, cells), run=run.name))
    return out


def _ablation(run: Run, task: str, metric: str, cells: Sequence[Row]) -> Plate:
    resets = sorted({cell["reset"] for cell in cells} - {""}, key=natural)
    systems = list(dict.fromkeys((cell["system"], cell["model_hash"]) for cell in cells))
    names = {key: key[0] if [s for s, _ in systems].count(key[0]) == 1 else f"{key[0]} {key[1][:6]}" for key in systems}
    rows, numbers, groups = [], [], []
    for system in systems:
        own = [cell for cell in cells if (cell["system"], cell["model_hash"]) == system]
        places = list(dict.fromkeys((cell["source"], _target(cell), cell["dataset"]) for cell in own))
        for place in places:
            some = {c["reset"]: c for c in own if (c["source"], _target(c), c["dataset"]) == place}
            prefix = f"{names[system]}, " if len(systems) > 1 else ""
            head = f"{prefix}{place[0]} → {place[1]}"
            head += f" ({place[2]})" if [p[:2] for p in places].count(place[:2]) > 1 else ""
            rows.append((head, [_cell(some.get(reset), head) for reset in ("", *resets)]))
            numbers += [_number(head, cell) for cell in some.values()]
        sources = list(dict.fromkeys(cell["source"] for cell in own))
        for source in sources:
            name = names[system] + f", from {source}" * (len(sources) > 1)
            panel = (f"{run.name}/{task}/{system}/{source}", name, [c for c in own if c["source"] == source])
            groups.append(panel)
    limits = _limits([_gap(some, reset, own) for *_, some in groups for reset in resets for own in (True, False)])
    panels = [_losses(salt, name, some, resets, limits) for salt, name, some in groups]
    found = [_found_losses(name, some) for _, name, some in groups]
    seeds = sorted({cell["seeds"] for cell in cells})
    caption = (
        f"{metric.upper() if metric in ('las', 'uas', 'f1') else metric} on 100; then what is lost when these layers"
        f" are drawn anew before fine-tuning: light from {100 * _LOSS:.0f} points, dark from {100 * _GREAT:.0f},"
        " blue gains. Bars, and * where 0 is outside: 95 % interval, of other test items and, with two seeds or more,"
        f" of other fine-tuning seeds. {counts_said(seeds)} fine-tuning seed{'s' * (seeds != [1])}; layers are counted"
        " from 0."
    )
    look = styles(["on the source", "on the targets, mean"], set())
    grid = Grid(["no reset", *resets], rows, caption)
    key = [style.sign for style in look.values()]
    told, command = " ".join(filter(None, found)), run.info.command or ""
    return Plate("Layers drawn anew", task, key, panels, [grid], len(panels) < 3, "", command, numbers, told)


def _target(cell: Row) -> str:
    return f"mean of {cell['targets']}" if _mean(cell) else str(cell["target"])


def _mean(cell: Row) -> bool:
    """Whether it is the mean of several targets; pages of older runs have none."""
    return int(cell.get("targets", 1)) > 1


def _gap(cells: Sequence[Row], reset: str, on_source: bool) -> Gap | None:
    """Points that one source's runs lose by a reset, on the source or on its targets (their mean, where it is known);
    with an interval if it is one cell's."""
    some = [c for c in cells if (c["reset"], c["source"] == c["target"]) == (reset, on_source)]
    some = [c for c in some if _mean(c)] or some
    gap = mean_known([c["difference"] for c in some])
    if gap is None:
        return None
    told = len(some) == 1 and some[0]["low"] is not None
    return 100 * gap, (100 * some[0]["low"], 100 * some[0]["high"]) if told else None


def _found_losses(name: str, cells: Sequence[Row]) -> str:
    """Which layers one source's transfer loses most by, and what they cost the source."""
    losses = {
        reset: found for reset in dict.fromkeys(c["reset"] for c in cells) if (found := _gap(cells, reset, False))
    }
    if not losses:
        return ""
    worst = min(losses, key=lambda reset: losses[reset][0])
    gap, interval = losses[worst]
    if gap > -100 * _LOSS or (interval and interval[1] >= 0):
        return f"{name}: transfer is not sure to lose {100 * _LOSS:.0f} points by any of these layers."
    own = _gap(cells, worst, True)
    between = f" ({interval[0]:+.1f} to {interval[1]:+.1f})" if interval else ""
    source = f", {own[0]:+.1f} on the source" if own else ""
    return f"{name}: transfer loses most by layers {worst}, {gap:+.1f} points{between}{source}."


def _cell(cell: Row | None, head: str) -> Square:
    if cell is None or cell["score"] is None:
        return Square("")
    sd = "" if cell["sd"] is None else f" ± {100 * cell['sd']:.1f}"
    what = f"layers {cell['reset']} anew" if cell["reset"] else "no reset"
    said = f"{head}, {what}: {100 * cell['score']:.1f}{sd}"
    gap = cell["difference"]
    if gap is None:
        score, alone = f"{100 * cell['score']:.1f}", bool(cell["reset"])
        return Square(f"[{score}]" if alone else score, "", said + "; nothing to compare with" * alone)
    known = cell["low"] is not None
    sure = known and not cell["low"] <= 0 <= cell["high"]
    shown = round(gap, 3) + 0.0  # as it is printed, and no -0.0
    tone = "much-worse" if shown <= -_GREAT else "worse" if shown <= -_LOSS else "gain" if shown >= _LOSS else ""
    seeds = f" ± {100 * cell['spread']:.1f} over seeds" if cell["spread"] is not None else ""
    interval = f", 95 % {100 * cell['low']:+.1f} to {100 * cell['high']:+.1f}" if known else ""
    text = f"{100 * shown:+.1f}".replace("-", "−") + "*" * sure
    return Square(text, tone, f"{said}; {100 * shown:+.1f}{seeds}{interval}")


def _limits(gaps: Sequence[Gap | None]) -> tuple[float, float]:
    """Of the axes of all pictures, so that they can be compared."""
    ends = [0.0, *(end for found in gaps if found for end in (found[0], *(found[1] or ())))]
    margin = 0.06 * (max(ends) - min(ends)) or 1.0
    return min(ends) - margin, max(ends) + margin


def _losses(salt: str, name: str, cells: Sequence[Row], resets: Sequence[str], limits: tuple[float, float]) -> Panel:
    look = styles(["on the source", "on the targets, mean"], set())
    lines = []
    for style, on_source in zip(look.values(), (True, False), strict=True):
        points = []
        for place, reset in enumerate(resets):
            found = _gap(cells, reset, on_source)
            if found:
                points.append((place, reset, *found))
        lines.append((style, points))

    def draw(axes: Any) -> None:
        axes.axhline(0, color="#999999", linewidth=0.8)
        for style, points in lines:
            dashes = (0, style.dash) if style.dash else "solid"
            places, values = [p[0] for p in points], [p[2] for p in points]
            axes.plot(places, values, color=style.colour, linestyle=dashes, linewidth=1.3)
            for place, reset, value, bar in points:
                if bar:
                    axes.vlines(place, *bar, color=style.colour, linewidth=0.9)
                (dot,) = axes.plot([place], [value], "o", ms=4, color=style.colour)
                hover(dot, f"{style.system}, layers {reset}: {value:+.1f}")
        axes.set_xticks(range(len(resets)), resets)
        axes.set_ylim(*limits)
        plain_axes(axes, "layers drawn anew")

    said = "; ".join(
        f"{style.system}: " + ", ".join(f"{reset} {value:+.1f}" for _, reset, value, _ in points)
        for style, points in lines
    )
    return Panel(name, drawn(salt, draw), said)


def _number(head: str, cell: Row) -> Number:
    if cell["difference"] is None:
        return (head, "score", cell["reset"] or "no reset", cell["score"], None, None)
    return (head, "difference", cell["reset"], cell["difference"], cell["low"], cell["high"])
