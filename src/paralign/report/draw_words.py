"""Figure of ``analyze embeddings``: word embeddings in two dimensions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from paralign.report.figure import Figure, FigureSource, LegendEntry, Panel, Point
from paralign.report.styles import COLORS
from paralign.report.svg import render_svg

__all__ = ["draw_words"]

Row = Mapping[str, Any]
_SECTION = "Words"
_CAPTION = (
    "Rows of the input embedding table, projected by t-SNE for each encoder separately; dotted lines connect"
    " translations. The plots show a few words; the tables count for all words whether the nearest neighbor is the"
    " translation."
)


def draw_words(source: FigureSource) -> list[Figure]:
    """Draw the embeddings of the words of two languages, one panel for each encoder."""
    data = source.data
    panels = [
        Panel(panel["system"], _scatter(f"{source.key}/{number}", data["words"], panel["places"]), _distances(panel))
        for number, panel in enumerate(data["panels"])
    ]
    words = [word for side in zip(*data["words"], strict=True) for word in side]
    points: list[Point] = [
        (panel["system"], axis, word, position[k], None, None)
        for panel in data["panels"]
        for word, position in zip(words, panel["places"], strict=True)
        for k, axis in enumerate(("x", "y"))
    ]
    return [
        Figure(
            _SECTION,
            f"Static embeddings, {'-'.join(data['languages'])}",
            legend=[LegendEntry(name, color) for name, color in zip(data["languages"], COLORS, strict=False)],
            panels=panels,
            wide=True,
            caption=_CAPTION,
            command=source.command,
            points=points,
        )
    ]


def _distances(panel: Row) -> str:
    """Return the mean distance of translations, and that of words which are no translations."""
    positions = panel["places"]
    half = len(positions) // 2
    same = [_distance(positions[k], positions[half + k]) for k in range(half)]
    other = [_distance(positions[k], positions[half + j]) for k in range(half) for j in range(half) if j != k]
    return f"mean distance of translations {sum(same) / len(same):.2f}, of other words {sum(other) / len(other):.2f}"


def _distance(a: Sequence[float], b: Sequence[float]) -> float:
    return float(((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) ** 0.5)


def _scatter(key: str, words: Sequence[Sequence[str]], positions: Sequence[Sequence[float]]) -> str:
    half = len(positions) // 2

    def draw(axes: Any) -> None:
        axes.axis("off")
        for k, pair in enumerate(words):
            ends = positions[k], positions[half + k]
            axes.plot(*zip(*ends, strict=True), color="#999999", linewidth=0.8, linestyle=(0, (1, 2)), zorder=1)
            for (x, y), word, color in zip(ends, pair, COLORS, strict=False):
                axes.plot([x], [y], "o", color=color, ms=3, zorder=2)
                offset = {"xytext": (3, 2), "textcoords": "offset points"}
                axes.annotate(word, (x, y), color=color, fontsize=7, parse_math=False, **offset)
        axes.margins(0.12)

    return render_svg(key, draw, size=(4.6, 4.2))
