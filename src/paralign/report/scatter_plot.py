"""Scatter plots of encoders on languages: colors distinguish encoders, markers languages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from paralign.report.styles import Style
from paralign.report.svg import render_svg, set_tooltip, style_axes, wrap_text

__all__ = ["Dot", "scatter_plot"]

_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_SIZE = (4.6, 3.3)
_LEGEND_ROWS = 16
"""Most languages in a column of the legend; more would be higher than the plot."""


@dataclass(frozen=True)
class Dot:
    """One encoder on one language."""

    style: Style
    language: str
    x: float
    y: float
    tooltip: str


def scatter_plot(key: str, dots: Sequence[Dot], languages: Sequence[str], *, x_label: str, y_label: str) -> str:
    """Return a scatter plot as inline SVG.

    Args:
        key: see :func:`~paralign.report.svg.render_svg`.
        dots: the points.
        languages: all languages of the figure, so that its panels use the same markers.
        x_label: label of the x axis.
        y_label: label of the y axis.
    """

    def draw(axes: Any) -> None:
        for dot in dots:
            marker = _MARKERS[languages.index(dot.language) % len(_MARKERS)]
            fill = "none" if dot.style.hollow else "full"
            (artist,) = axes.plot(
                [dot.x], [dot.y], linestyle="", marker=marker, color=dot.style.color, ms=5, fillstyle=fill
            )
            set_tooltip(artist, dot.tooltip)
        for number, language in enumerate(languages):
            marker = _MARKERS[number % len(_MARKERS)]
            axes.plot([], [], linestyle="", marker=marker, color="#555555", ms=5, label=language)
        columns = -(-len(languages) // _LEGEND_ROWS)
        axes.legend(fontsize=7, frameon=False, loc="best", ncols=columns)
        style_axes(axes, wrap_text(x_label, 72 * _SIZE[0] - 60, 9))  # 60 points: y labels and margins
        axes.set_ylabel(y_label, color="#555555")

    return render_svg(key, draw, size=_SIZE)
