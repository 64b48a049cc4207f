"""The best tree of a sentence in windows by enumeration: fewest arcs between windows first, then the sum."""

from __future__ import annotations

from collections.abc import Sequence

from tests.oracles.all_trees import trees

Scores = Sequence[Sequence[float]]


def places(windows: Sequence[Scores]) -> list[tuple[int, int]]:
    """The window of each word and its place in it."""
    return [(k, place) for k, window in enumerate(windows) for place in range(len(window))]


def crossings(windows: Sequence[Scores], heads: Sequence[int]) -> int:
    where = places(windows)
    return sum(bool(h) and where[h - 1][0] != where[d][0] for d, h in enumerate(heads))


def value(windows: Sequence[Scores], heads: Sequence[int]) -> float:
    """Within a window its own score; between two, those of either word at the root."""
    where, out = places(windows), 0.0
    for d, h in enumerate(heads):
        window, place = where[d]
        if h == 0:
            out += windows[window][place][0]
        elif where[h - 1][0] == window:
            out += windows[window][place][where[h - 1][1] + 1]
        else:
            other, there = where[h - 1]
            out += windows[window][place][0] + windows[other][there][0]
    return out


def best(windows: Sequence[Scores]) -> tuple[int, float]:
    """Arcs between windows and the sum of the best tree."""
    n = sum(map(len, windows))
    fewest, least = min((crossings(windows, heads), -value(windows, heads)) for heads in trees(n))
    return fewest, -least
