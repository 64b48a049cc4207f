"""Pictures of words: embeddings in two dimensions, and which word of a sentence is linked with which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from paralign.report.figures import COLORS, drawn
from paralign.report.plate import Grid, Number, Panel, Plate, Sign, Square
from paralign.report.runs import Run

__all__ = ["link_plates", "word_plates"]

Place = Sequence[float]
_WORDS = (
    "Rows of the input embedding table, projected by t-SNE encoder by encoder; dotted lines join translations. A"
    " picture shows some words; how many of all have their translation nearest is in the tables."
)


def word_plates(runs: Sequence[Run]) -> list[Plate]:
    """Where the words of two languages lie, encoder by encoder, of every run that has that picture."""
    out = []
    for run in runs:
        for number, found in enumerate(run.figures("words")):
            key = [Sign(language, color) for language, color in zip(found["languages"], COLORS, strict=False)]
            panels = [
                Panel(panel["system"], _words(f"{run.name}/{number}/{k}", found, panel), _said(panel))
                for k, panel in enumerate(found["panels"])
            ]
            words = [word for side in zip(*found["words"], strict=True) for word in side]
            numbers: list[Number] = [
                (panel["system"], axis, word, place[k], None, None)
                for panel in found["panels"]
                for word, place in zip(words, panel["places"], strict=True)
                for k, axis in enumerate(("x", "y"))
            ]
            title = f"Static embeddings, {'-'.join(found['languages'])}"
            out.append(Plate("Words", title, key, panels, [], True, _WORDS, run.info.command or "", numbers))
    return out


def _said(panel: Mapping[str, Any]) -> str:
    """How far translations lie apart, beside words that are none."""
    places = panel["places"]
    half = len(places) // 2
    own = [_apart(places[k], places[half + k]) for k in range(half)]
    other = [_apart(places[k], places[half + j]) for k in range(half) for j in range(half) if j != k]
    return f"translations lie {sum(own) / len(own):.2f} apart on average, other words {sum(other) / len(other):.2f}"


def _apart(a: Place, b: Place) -> float:
    return float(((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) ** 0.5)


def _words(salt: str, found: Mapping[str, Any], panel: Mapping[str, Any]) -> str:
    half = len(panel["places"]) // 2

    def draw(axes: Any) -> None:
        axes.axis("off")
        for k, pair in enumerate(found["words"]):
            ends = panel["places"][k], panel["places"][half + k]
            axes.plot(*zip(*ends, strict=True), color="#999999", linewidth=0.8, linestyle=(0, (1, 2)), zorder=1)
            for (x, y), word, color in zip(ends, pair, COLORS, strict=False):
                axes.plot([x], [y], "o", color=color, ms=3, zorder=2)
                axes.annotate(word, (x, y), xytext=(3, 2), textcoords="offset points", color=color, fontsize=7,
                              parse_math=False)  # fmt: skip
        axes.margins(0.12)

    return drawn(salt, draw, size=(4.6, 4.2))


def link_plates(runs: Sequence[Run]) -> list[Plate]:
    """Which word of a sentence is linked with which, of every run that has that picture."""
    out = []
    for run in runs:
        for found in run.figures("links"):
            for one in found["sentences"]:
                links = {(i, j) for i, j in one["links"]}
                source, target = one["source"], one["target"]
                rows = [
                    (word, [_square(other, word, (i, j) in links) for i, other in enumerate(source)])
                    for j, word in enumerate(target)
                ]
                said = "; ".join(f"{source[i]} = {target[j]}" for i, j in sorted(links)) or "no links"
                title = f"Word links, {'-'.join(found['languages'])}, pair {one['number']:,}"
                numbers: list[Number] = [(title, source[i], target[j], 1.0, None, None) for i, j in sorted(links)]
                grid = Grid(source, rows, said, "links")
                out.append(Plate("Words", title, grids=[grid], command=run.info.command or "", numbers=numbers))
    return out


def _square(source: str, target: str, linked: bool) -> Square:
    return Square("", "on" if linked else "", f"{source} – {target}{': linked' if linked else ''}")
