"""Pictures of what goes with transfer: a scatter for each task and each thing that may tell it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from paralign.report.figures import Style, styles
from paralign.report.plate import Grid, Number, Panel, Plate, Square
from paralign.report.runs import Run
from paralign.report.scatter import Dot, scatter

__all__ = ["correlation_plates"]

Row = Mapping[str, Any]
_CAPTION = (
    "A point is an encoder on a language; up: less is lost on the way from the source. Spearman's correlation over all"
    " points, with the interval of resampled encoders and languages (none with few of them); and, with four encoders or"
    " more, over encoders alone, mean of languages: over all points near languages may lead far ones in everything,"
    " whatever was done to the encoder."
)


def correlation_plates(runs: Sequence[Run], look: Mapping[str, Style]) -> list[Plate]:
    """One for each task of every run of ``analyze correlation``.

    Args:
        runs: in the order given.
        look: how systems are drawn, where they are in other pictures too.
    """
    out = []
    for run in runs:
        for found in run.figures("correlation"):
            for task in dict.fromkeys(c["task"] for c in found["correlations"]):
                points = [p for p in found["points"] if p["task"] == task]
                known = [c for c in found["correlations"] if c["task"] == task]
                out.append(replace(_plate(run, task, points, known, look), run=run.name))
    return out


def _plate(run: Run, task: str, points: Sequence[Row], known: Sequence[Row], look: Mapping[str, Style]) -> Plate:
    systems = list(dict.fromkeys(point["system"] for point in points))
    made = dict(look) if set(systems) <= set(look) else styles(systems, set())
    languages = sorted({point["language"] for point in points})
    panels, numbers = [], list[Number]()
    for one in known:
        name = one["predictor"]
        some = [point for point in points if name in point["known"]]
        dots = [
            Dot(made[p["system"]], p["language"], p["known"][name], -100 * p["loss"],
                f"{p['system']}, {p['source']} to {p['language']}: {p['known'][name]:.3f}, {-100 * p['loss']:+.1f}")
            for p in some
        ]  # fmt: skip
        svg = scatter(f"{run.name}/{task}/{name}", dots, languages, name, "target − source, points")
        panels.append(Panel(name, svg, f"Spearman {one['value']:.2f} over {one['points']} points" if one["value"] is not
                            None else "no correlation"))  # fmt: skip
        numbers += [
            (name, f"{p['system']}, {p['source']} to {p['language']}", repr(p["known"][name]), -p["loss"], None, None)
            for p in some
        ]
    rows = [(one["predictor"], _row(one)) for one in known]
    grid = Grid(["Spearman", "95 %", "encoders alone", "points", "encoders", "languages"], rows)
    key = [made[system].dot for system in systems]
    told = [one for one in known if one["low"] is not None]
    sure = [one for one in told if not one["low"] <= 0 <= one["high"]]
    finding = "of what was tried nothing is sure to go with what a language keeps." if told else ""
    if sure:
        best = max(sure, key=lambda one: abs(one["value"]))
        finding = (
            f"what a language keeps goes most with {best['predictor']}: Spearman {best['value']:.2f}"
            f" ({best['low']:.2f} to {best['high']:.2f}) over {best['points']} points; {len(known)} were tried."
        )
    title = f"{task} ({known[0]['metric']})"
    return Plate("What tells transfer", title, key, panels, [grid], True, _CAPTION, run.info.command or "", numbers,
                 finding)  # fmt: skip


def _row(one: Row) -> list[Square]:
    value, low, high, within = (one[name] for name in ("value", "low", "high", "within"))
    return [
        Square("" if value is None else f"{value:.2f}"),
        Square("" if low is None else f"{low:.2f} to {high:.2f}"),
        Square("" if within is None else f"{within:.2f}"),
        *(Square(str(one[name])) for name in ("points", "encoders", "languages")),
    ]
