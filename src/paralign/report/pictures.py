"""Pictures of words: embeddings in two dimensions, and which word of a sentence is linked with which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from paralign.report.figures import COLOURS, drawn
from paralign.report.runs import Run

__all__ = ["LinkMatrix", "WordPicture", "link_matrices", "word_pictures"]

Place = Sequence[float]


@dataclass(frozen=True)
class WordPicture:
    """Where the words of two languages lie, encoder by encoder."""

    title: str
    key: list[tuple[str, str]]
    """Language and colour."""
    panels: list[tuple[str, str, str]]
    """System, SVG, and what is to be seen, in words."""


@dataclass(frozen=True)
class LinkMatrix:
    """The links of a sentence pair."""

    title: str
    source: list[str]
    target: list[str]
    linked: list[list[bool]]
    """By target word, then by source word."""
    said: str
    """The links in words."""


def word_pictures(runs: Sequence[Run]) -> list[WordPicture]:
    """Of every run that has some."""
    out = []
    for run in runs:
        for number, found in enumerate(p for p in run.pictures if p.get("kind") == "words"):
            key = list(zip(found["languages"], COLOURS, strict=False))
            panels = [
                (panel["system"], _words(f"{run.name}/{number}/{k}", found, panel), _said(panel))
                for k, panel in enumerate(found["panels"])
            ]
            out.append(WordPicture("-".join(found["languages"]), key, panels))
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
            for (x, y), word, colour in zip(ends, pair, COLOURS, strict=False):
                axes.plot([x], [y], "o", color=colour, ms=3, zorder=2)
                axes.annotate(word, (x, y), xytext=(3, 2), textcoords="offset points", color=colour, fontsize=7,
                              parse_math=False)  # fmt: skip
        axes.margins(0.12)

    return drawn(salt, draw, size=(4.6, 4.2))


def link_matrices(runs: Sequence[Run]) -> list[LinkMatrix]:
    """Of every run that has some."""
    out = []
    for run in runs:
        for found in (p for p in run.pictures if p.get("kind") == "links"):
            for one in found["sentences"]:
                links = {(i, j) for i, j in one["links"]}
                source, target = one["source"], one["target"]
                linked = [[(i, j) in links for i in range(len(source))] for j in range(len(target))]
                said = "; ".join(f"{source[i]} = {target[j]}" for i, j in sorted(links)) or "no links"
                title = f"{'-'.join(found['languages'])}, pair {one['number']:,}"
                out.append(LinkMatrix(title, source, target, linked, said))
    return out
