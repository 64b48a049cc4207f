"""Bitext mining by margin: candidate pairs of two sets of vectors, their scores, precision, recall and F1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from paralign.metrics.neighbors import nearest_both_ways, unit_rows

__all__ = ["Candidates", "Margin", "Strategy", "best_threshold", "extraction_items", "mine"]

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Margin = Literal["ratio", "distance", "absolute"]
Strategy = Literal["max", "intersect", "forward", "backward"]

_ROWS = 1024
"""Rows whose cosines are computed at once in float64."""
_SMALL = 1e-6


@dataclass(frozen=True)
class Candidates:
    """Candidate pairs, the best first.

    Attributes:
        source: [m] rows of the first set.
        target: [m] rows of the second set.
        score: [m] margins, descending.
    """

    source: Ints
    target: Ints
    score: Doubles


def _in_order(queries: Floats, others: Floats, neighbors: Ints) -> tuple[Ints, Doubles]:
    """Return the neighbors of each query and their cosines, the nearest first; of equal cosines, the lower row.

    Cosines are computed in float64, so that they do not depend on tiles.
    """
    cosine = np.zeros(neighbors.shape)
    for column in range(neighbors.shape[1]):
        for start in range(0, len(queries), _ROWS):
            here = slice(start, start + _ROWS)
            others_here = others[neighbors[here, column]]
            cosine[here, column] = np.einsum("nd,nd->n", queries[here], others_here, dtype=np.float64)
    order = np.lexsort((neighbors, -cosine), axis=1)
    return np.take_along_axis(neighbors, order, 1), np.take_along_axis(cosine, order, 1)


def _margin(cosine: Doubles, around: Doubles, kind: Margin) -> Doubles:
    """Return the margins of pairs, given the mean cosines of their neighborhoods.

    A ratio with a divisor that is not positive would reverse the order, so a very small one is used instead.
    """
    if kind == "absolute":
        return cosine
    return cosine - around if kind == "distance" else np.asarray(cosine / np.maximum(around, _SMALL))


def mine(
    a: npt.ArrayLike, b: npt.ArrayLike, *, k: int = 4, margin: Margin = "ratio", strategy: Strategy = "max"
) -> Candidates:
    """Find candidate translations between two sets of sentences that are not parallel (Artetxe & Schwenk 2019).

    The score of a pair is ``margin(cos(x, y), avg)`` (eq. 1-2), where ``avg`` is the mean of two means: the cosines of
    ``x`` with its ``k`` nearest rows of ``b``, and of ``y`` with its ``k`` nearest rows of ``a``. The candidate of a
    row is the one of its ``k`` nearest with the highest score.

    Args:
        a: [n, d] vectors of one language.
        b: [m, d] vectors of the other.
        k: number of neighbors (4 in the paper).
        margin: ``ratio`` (``cos / avg``), ``distance`` (``cos - avg``), or ``absolute`` (the cosine).
        strategy: ``forward`` returns each row of ``a`` with its candidate, ``backward`` each row of ``b``,
            ``intersect`` the pairs in both, and ``max`` the pairs of either, from the best on, using each row once.

    Returns:
        the candidates. Rows that are zero or not finite have none.

    Raises:
        ValueError: for unknown settings, ``k`` below 1, or vectors of different widths.
    """
    if margin not in get_args(Margin) or strategy not in get_args(Strategy):
        raise ValueError(f"unknown margin {margin!r} or strategy {strategy!r}")
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    (left, left_valid), (right, right_valid) = unit_rows(a), unit_rows(b)
    if left.shape[1] != right.shape[1]:
        raise ValueError(f"vectors of {left.shape[1]} and {right.shape[1]} dimensions cannot be compared")
    rows_a, rows_b = np.flatnonzero(left_valid), np.flatnonzero(right_valid)
    left, right = left[rows_a], right[rows_b]
    if not left.size or not right.size:
        return Candidates(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
    of_a, of_b = nearest_both_ways(left, right, k)
    (forward, forth), (backward, back) = _in_order(left, right, of_a.index), _in_order(right, left, of_b.index)
    around_a, around_b = forth.mean(1), back.mean(1)
    score_a = _margin(forth, (around_a[:, None] + around_b[forward]) / 2, margin)
    score_b = _margin(back, (around_b[:, None] + around_a[backward]) / 2, margin)
    best_b, best_a = (
        np.take_along_axis(neighbors, score.argmax(1)[:, None], 1)[:, 0]
        for neighbors, score in ((forward, score_a), (backward, score_b))
    )
    from_a = Candidates(rows_a, rows_b[best_b], score_a.max(1))
    from_b = Candidates(rows_a[best_a], rows_b, score_b.max(1))
    if strategy == "forward":
        return _sorted(from_a)
    if strategy == "backward":
        return _sorted(from_b)
    if strategy == "intersect":
        mutual = set(zip(from_b.source.tolist(), from_b.target.tolist(), strict=True))
        pairs = zip(from_a.source.tolist(), from_a.target.tolist(), strict=True)
        return _sorted(_chosen(from_a, np.array([pair in mutual for pair in pairs], bool)))
    both = zip(*[(x.source, x.target, x.score) for x in (from_a, from_b)], strict=True)
    return _one_to_one(_sorted(Candidates(*[np.concatenate(part) for part in both])))


def _chosen(pairs: Candidates, which: npt.NDArray[np.generic]) -> Candidates:
    return Candidates(pairs.source[which], pairs.target[which], pairs.score[which])


def _sorted(pairs: Candidates) -> Candidates:
    return _chosen(pairs, np.lexsort((pairs.target, pairs.source, -pairs.score)))


def _one_to_one(pairs: Candidates) -> Candidates:
    """Keep pairs from the best on, without those that have a row in common with an earlier one."""
    used_a: set[int] = set()
    used_b: set[int] = set()
    keep = []
    for index, (i, j) in enumerate(zip(pairs.source.tolist(), pairs.target.tolist(), strict=True)):
        if i not in used_a and j not in used_b:
            used_a.add(i)
            used_b.add(j)
            keep.append(index)
    return _chosen(pairs, np.array(keep, np.int64))


def best_threshold(score: npt.ArrayLike, right: npt.ArrayLike, gold: int) -> float:
    """Return the threshold at which extracting ``score >= threshold`` has the best F1, the highest if there are
    several.

    It is halfway between the last score kept and the first one left out, as in LASER's scorer for BUCC, or the lowest
    score if all are kept. Equal scores are kept or left out together.

    Args:
        score: [m] scores of candidates.
        right: [m] whether each is a gold pair.
        gold: number of gold pairs, including those that are no candidates.

    Returns:
        the threshold; infinity if no candidate is a gold pair.
    """
    scores, hits = np.asarray(score, np.float64), np.asarray(right, bool)
    order = np.argsort(-scores, kind="stable")
    scores, correct = scores[order], np.cumsum(hits[order])
    if not len(scores) or not correct[-1]:
        return float("inf")
    f1 = 2 * correct / (np.arange(1, len(scores) + 1) + gold)
    f1[:-1][scores[:-1] == scores[1:]] = 0
    last = int(f1.argmax())
    if last + 1 == len(scores):
        return float(scores[last])
    halfway = scores[last + 1] / 2 + scores[last] / 2
    return float(halfway if scores[last + 1] < halfway <= scores[last] else scores[last])


def extraction_items(
    size: int, extracted: npt.ArrayLike, right: npt.ArrayLike, gold: npt.ArrayLike
) -> dict[str, Doubles]:
    """Return per-item scores of precision, recall and F1.

    Args:
        size: number of source sentences, n.
        extracted: [e] source sentence of each extracted pair.
        right: [e] whether the pair is a gold pair.
        gold: [g] source sentence of each gold pair.

    Returns:
        ``precision``, ``recall`` and ``f1``, each of shape [n, 2], with the terms of correct / extracted, correct /
        gold and 2 correct / (extracted + gold).
    """
    rows, hits = np.asarray(extracted, np.int64), np.asarray(right, bool)
    returned, correct = np.bincount(rows, minlength=size), np.bincount(rows[hits], minlength=size)
    wanted = np.bincount(np.asarray(gold, np.int64), minlength=size)
    return {
        name: np.stack([top, bottom], 1).astype(np.float64)
        for name, top, bottom in (
            ("precision", correct, returned),
            ("recall", correct, wanted),
            ("f1", 2 * correct, returned + wanted),
        )
    }
