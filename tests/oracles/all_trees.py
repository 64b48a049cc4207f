"""The best single-rooted tree by enumeration of all assignments of heads."""

from __future__ import annotations

import functools
import itertools
import math


def is_tree(heads: tuple[int, ...]) -> bool:
    """One word at the root (0), and from every word a way up to it."""
    if heads.count(0) != 1:
        return False
    for word in range(1, len(heads) + 1):
        seen = set()
        while word:
            if word in seen:
                return False
            seen.add(word)
            word = heads[word - 1]
    return True


@functools.cache
def trees(n: int) -> list[tuple[int, ...]]:
    return [heads for heads in itertools.product(range(n + 1), repeat=n) if is_tree(heads)]


def total(scores: list[list[float]], heads: tuple[int, ...]) -> float:
    """The exact sum, rounded once; -inf with a forbidden arc."""
    return math.fsum(row[head] for row, head in zip(scores, heads, strict=True))


def best_total(scores: list[list[float]]) -> float:
    return max(total(scores, heads) for heads in trees(len(scores)))
