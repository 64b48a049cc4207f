"""Lexicon induction by definition: sort the candidates of each word, and search for a right one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

from tests.oracles.retrieval_loops import cosine, mean_of_nearest

Vectors = Sequence[Sequence[float]]


def precision_at(k: int, queries: Vectors, candidates: Vectors, gold: set[tuple[int, int]], csls_k: int | None) -> list:
    """For each query whether one of its first ``k`` candidates is right."""
    out = []
    for i, x in enumerate(queries):

        def similarity(j: int, x: Sequence[float] = x) -> float:
            y = candidates[j]
            if csls_k is None:
                return cosine(x, y)
            around = mean_of_nearest(x, candidates, csls_k) + mean_of_nearest(y, queries, csls_k)
            return 2 * cosine(x, y) - around

        first = sorted(range(len(candidates)), key=lambda j: -similarity(j))[:k]
        out.append(any((i, j) in gold for j in first))
    return out


def chance(right: Sequence[int], candidates: int, k: int) -> float:
    """Mean over queries of the share of all orders of candidates in which a right one is among the first k."""
    orders = list(permutations(range(candidates)))
    return sum(sum(min(order[:k]) < g for order in orders) / len(orders) for g in right) / len(right)
