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
Gaps = dict[str, Gap]
"""By layers drawn anew."""
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
            groups.append((f"{run.name}/{task}/{system}/{source}", name, _gaps(own, source, resets)))
    limits = _limits([gap for *_, gaps in groups for side in gaps for gap in side.values()])
    panels = [_losses(salt, name, gaps, resets, limits) for salt, name, gaps in groups]
    found = [_found_losses(name, *gaps) for _, name, gaps in groups]
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


def _gaps(cells: Sequence[Row], source: str, resets: Sequence[str]) -> tuple[Gaps, Gaps]:
    """What one source's runs lose on the source, and on its targets (their mean, where it is known); with an interval
    where it is one cell's."""
    out: tuple[Gaps, Gaps] = ({}, {})
    for gaps, on_source in zip(out, (True, False), strict=True):
        for reset in resets:
            some = [c for c in cells if (c["source"], c["reset"]) == (source, reset)]
            some = [c for c in some if (c["target"] == source) == on_source]
            some = [c for c in some if _mean(c)] or some
            gap = mean_known([c["difference"] for c in some])
            if gap is not None:
                told = len(some) == 1 and some[0]["low"] is not None
                gaps[reset] = 100 * gap, (100 * some[0]["low"], 100 * some[0]["high"]) if told else None
    return out


def _found_losses(name: str, on_source: Gaps, on_targets: Gaps) -> str:
    """Which layers one source's transfer loses most by, and what they cost the source."""
    if not on_targets:
        return ""
    worst = min(on_targets, key=lambda reset: on_targets[reset][0])
    gap, interval = on_targets[worst]
    if gap > -100 * _LOSS or (interval and interval[1] >= 0):
        return f"{name}: transfer is not sure to lose {100 * _LOSS:.0f} points by any of these layers."
    between = f" ({interval[0]:+.1f} to {interval[1]:+.1f})" if interval else ""
    source = f", {on_source[worst][0]:+.1f} on the source" if worst in on_source else ""
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


def _limits(gaps: Sequence[Gap]) -> tuple[float, float]:
    """Of the axes of all pictures, so that they can be compared."""
    ends = [0.0, *(end for gap, interval in gaps for end in (gap, *(interval or ())))]
    margin = 0.06 * (max(ends) - min(ends)) or 1.0
    return min(ends) - margin, max(ends) + margin


def _losses(salt: str, name: str, gaps: tuple[Gaps, Gaps], resets: Sequence[str], limits: tuple[float, float]) -> Panel:
    look = styles(["on the source", "on the targets, mean"], set())
    lines = list(zip(look.values(), gaps, strict=True))

    def draw(axes: Any) -> None:
        axes.axhline(0, color="#999999", linewidth=0.8)
        for style, side in lines:
            dashes = (0, style.dash) if style.dash else "solid"
            places, values = [resets.index(reset) for reset in side], [gap for gap, _ in side.values()]
            axes.plot(places, values, color=style.color, linestyle=dashes, linewidth=1.3)
            for place, (reset, (gap, interval)) in zip(places, side.items(), strict=True):
                if interval:
                    axes.vlines(place, *interval, color=style.color, linewidth=0.9)
                (dot,) = axes.plot([place], [gap], "o", ms=4, color=style.color)
                hover(dot, f"{style.system}, layers {reset}: {gap:+.1f}")
        axes.set_xticks(range(len(resets)), resets)
        axes.set_ylim(*limits)
        plain_axes(axes, "layers drawn anew")

    said = "; ".join(
        f"{style.system}: " + ", ".join(f"{reset} {gap:+.1f}" for reset, (gap, _) in side.items())
        for style, side in lines
    )
    return Panel(name, drawn(salt, draw), said)


def _number(head: str, cell: Row) -> Number:
    if cell["difference"] is None:
        return (head, "score", cell["reset"] or "no reset", cell["score"], None, None)
    return (head, "difference", cell["reset"], cell["difference"], cell["low"], cell["high"])
