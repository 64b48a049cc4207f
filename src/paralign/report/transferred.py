"""Pictures of transfer to derived languages: zero-shot beside supervised, and what alignment has to do with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from paralign.report.figures import Style, drawn, plain_axes, styles
from paralign.report.plate import Number, Panel, Plate
from paralign.report.runs import Run
from paralign.report.scatter import Dot, scatter

__all__ = ["transfer_plates"]

_WIDTH = 0.8
Row = Mapping[str, Any]


def transfer_plates(runs: Sequence[Run], look: Mapping[str, Style]) -> list[Plate]:
    """One for each task of every run of ``analyze transfer``.

    Args:
        runs: in the order given.
        look: how systems are drawn, where they are in other pictures too.
    """
    out = []
    for run in runs:
        for found in run.figures("transfer"):
            for task, metric in dict.fromkeys((p["task"], p["metric"]) for p in found["points"]):
                rows = [p for p in found["points"] if p["task"] == task]
                known = next((c for c in found["correlations"] if c["task"] == task), None)
                out.append(replace(_plate(run, task, metric, rows, known, look), run=run.name))
    return out


def _plate(
    run: Run, task: str, metric: str, rows: Sequence[Row], known: Row | None, look: Mapping[str, Style]
) -> Plate:  # fmt: skip
    salt = f"{run.name}/{task}"
    systems = list(dict.fromkeys(row["system"] for row in rows))
    look = look if set(systems) <= set(look) else styles(systems, set())
    languages = list(dict.fromkeys(row["language"] for row in rows))
    made = [look[system] for system in systems]
    means = {key: _means([row for row in rows if (row["language"], row["system"]) == key])
             for key in ((language, system) for language in languages for system in systems)}  # fmt: skip
    near = [row for row in rows if row["alignment"] is not None]
    told = "; ".join(f"{language}, {system}: zero-shot {zero:.1f}, supervised {own:.1f}"
                     for (language, system), some in means.items() if some for zero, own in [some])  # fmt: skip
    bars = drawn(f"{salt}/bars", lambda axes: _bars(axes, languages, made, means), size=(5.0, 3.4))
    panels = [Panel("Trained on the original (bars), on the language itself (lines)", bars, told)]
    if near:
        told = "; ".join(f"{row['language']}, {row['system']}: alignment {100 * row['alignment']:.1f}, "
                         f"Δ {100 * row['delta']:+.1f}" for row in near)  # fmt: skip
        dots = [
            Dot(look[row["system"]], row["language"], 100 * row["alignment"], 100 * row["delta"],
                f"{row['system']}, {row['language']}: {100 * row['alignment']:.1f}, {100 * row['delta']:+.1f}")
            for row in near
        ]  # fmt: skip
        x, y = "pieces whose twin is nearest, per cent", "Δ = zero-shot − supervised"
        svg = scatter(f"{salt}/scatter", dots, languages, x, y)
        panels.append(Panel("What alignment has to do with it", svg, told))
    numbers: list[Number] = [
        (f"{row['language']}, {name}", row["system"], row["model_hash"], row[name], None, None)
        for row in rows for name in ("zero", "supervised", "delta", "alignment") if row[name] is not None
    ]  # fmt: skip
    said = _said(known)
    caption = f"{said}. A point is an encoder on a language." if said else ""
    return Plate("Transfer to derived languages", f"{task} ({metric})", [style.dot for style in made], panels, [], True,
                 caption, run.info.command or "", numbers)  # fmt: skip


def _means(rows: Sequence[Row]) -> tuple[float, float] | None:
    if not rows:
        return None
    zero, own = (100 * sum(row[name] for row in rows) / len(rows) for name in ("zero", "supervised"))
    return zero, own


def _said(known: Row | None) -> str:
    if known is None or known["value"] is None:
        return ""
    text = f"Spearman's correlation of alignment and Δ: {known['value']:.2f} over {known['points']} points"
    if known["low"] is None:
        return text
    return f"{text}; 95 % of resampled points: {known['low']:.2f} to {known['high']:.2f}"


def _bars(
    axes: Any, languages: Sequence[str], made: Sequence[Style],
    means: Mapping[tuple[str, str], tuple[float, float] | None],
) -> None:  # fmt: skip
    step = _WIDTH / max(1, len(made))
    for k, style in enumerate(made):
        for place, language in enumerate(languages):
            some = means[language, style.system]
            if some:
                x = place - _WIDTH / 2 + (k + 0.5) * step
                axes.bar([x], [some[0]], width=0.9 * step, color="none" if style.hollow else style.color,
                         edgecolor=style.color)  # fmt: skip
                axes.plot([x - 0.45 * step, x + 0.45 * step], [some[1]] * 2, color="#222222", linewidth=1.2)
    axes.set_xticks(range(len(languages)), languages)
    plain_axes(axes, "")
    axes.set_ylabel("zero-shot; line: supervised", color="#555555")
    axes.set_ylim(0, None)
