"""Points of encoders on languages: colors, full and hollow, tell encoders apart, marks languages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from paralign.report.figures import Style, drawn, hover, plain_axes

__all__ = ["Dot", "scatter"]

_MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")


@dataclass(frozen=True)
class Dot:
    """One encoder on one language."""

    style: Style
    language: str
    x: float
    y: float
    said: str
    """Shown when one hovers."""


def scatter(salt: str, dots: Sequence[Dot], languages: Sequence[str], x: str, y: str) -> str:
    """An inline SVG.

    Args:
        salt: as of :func:`~paralign.report.figures.drawn`.
        dots: in any order.
        languages: all of the plate, so that its panels use the same marks.
        x, y: what the axes show.
    """

    def draw(axes: Any) -> None:
        for dot in dots:
            mark = _MARKS[languages.index(dot.language) % len(_MARKS)]
            fill = "none" if dot.style.hollow else "full"
            (artist,) = axes.plot(
                [dot.x], [dot.y], linestyle="", marker=mark, color=dot.style.color, ms=5, fillstyle=fill
            )
            hover(artist, dot.said)
        for number, language in enumerate(languages):
            axes.plot([], [], linestyle="", marker=_MARKS[number % len(_MARKS)], color="#555555", ms=5, label=language)
        axes.legend(fontsize=7, frameon=False, loc="best")
        plain_axes(axes, x)
        axes.set_ylabel(y, color="#555555")

    return drawn(salt, draw, size=(4.6, 3.3))
