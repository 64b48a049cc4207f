"""Retrieval by definition, in float64 and one pair at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence


def cosine(x: Sequence[float], y: Sequence[float]) -> float:
    return math.fsum(p * q for p, q in zip(x, y, strict=True)) / math.hypot(*x) / math.hypot(*y)


def mean_of_nearest(x: Sequence[float], others: Sequence[Sequence[float]], k: int) -> float:
    nearest = sorted((cosine(x, y) for y in others), reverse=True)[:k]
    return sum(nearest) / len(nearest)


def hits(a: Sequence[Sequence[float]], b: Sequence[Sequence[float]], csls_k: int | None) -> list[bool]:
    """For each row of ``a`` whether row ``i`` of ``b`` has the greatest similarity, the first in a tie."""
    out = []
    for i, x in enumerate(a):
        scores = []
        for y in b:
            score = cosine(x, y)
            if csls_k is not None:
                score = 2 * score - mean_of_nearest(x, b, csls_k) - mean_of_nearest(y, a, csls_k)
            scores.append(score)
        out.append(scores.index(max(scores)) == i)
    return out
