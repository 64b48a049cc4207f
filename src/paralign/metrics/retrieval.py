"""Sentence retrieval: whether the translation is the nearest neighbor."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from paralign.metrics.neighbors import cosine_tiles, first_equal, nearest_both_ways, unit_rows

__all__ = ["retrieval"]

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]


def retrieval(a: npt.ArrayLike, b: npt.ArrayLike, csls_k: int | None = None) -> tuple[Booleans, Booleans]:
    """Return whether row ``i`` of ``b`` is the nearest neighbor of row ``i`` of ``a``, and vice versa.

    Similarity is the cosine or, with ``csls_k``, the cross-domain similarity local scaling of Conneau et al. (2018),
    eq. 3: ``2 cos(x, y) - r(x) - r(y)``, where ``r`` is a row's mean cosine with its ``k`` nearest rows on the other
    side, which penalizes hubs.

    Ties go to the lowest index: of several equal rows only the first can be found. Zero vectors and vectors that are
    not finite find nothing, are never found, and are no neighbors. Computed in float32, a tile at a time.

    Args:
        a: [n, d] vectors.
        b: [n, d] vectors; row ``i`` is the translation of row ``i`` of ``a``.
        csls_k: size of CSLS's neighborhood (10 in the paper), at most the number of rows. ``None``: cosine.

    Returns:
        hits from a to b and from b to a, both [n] boolean.

    Raises:
        ValueError: if the shapes differ or ``csls_k`` is below 1.
    """
    left, left_valid = unit_rows(a)
    right, right_valid = unit_rows(b)
    if left.shape != right.shape:
        raise ValueError(f"rows must correspond, but the shapes are {list(left.shape)} and {list(right.shape)}")
    if csls_k is not None and csls_k < 1:
        raise ValueError(f"csls_k must be at least 1, not {csls_k}")
    left_number, right_number = np.flatnonzero(left_valid), np.flatnonzero(right_valid)
    forward, backward = np.zeros((2, len(left)), bool)
    if not left_number.size or not right_number.size:
        return forward, backward
    left, right = left[left_number], right[right_number]
    left_r, right_r = np.zeros(len(left), np.float32), np.zeros(len(right), np.float32)
    if csls_k is not None:
        left_r, right_r = (near.cosine.mean(1) for near in nearest_both_ways(left, right, csls_k))
    best_right, best_left = _best_both_ways(left, right, left_r, right_r)
    forward[left_number] = right_number[first_equal(right)[best_right]] == left_number
    backward[right_number] = left_number[first_equal(left)[best_left]] == right_number
    return forward, backward


def _best_both_ways(left: Floats, right: Floats, left_r: Floats, right_r: Floats) -> tuple[Ints, Ints]:
    """Return the best right row of each left row, and vice versa, by ``2 cos(x, y) - r``.

    The ``r`` of the row itself is left out, because it shifts all its scores equally.
    """
    best_right, best_left = np.zeros(len(left), np.int64), np.zeros(len(right), np.int64)
    score_right, score_left = (np.full(len(r), -np.inf, np.float32) for r in (left_r, right_r))
    for here, there, cosine in cosine_tiles(left, right):
        cosine *= 2
        _keep_best(best_right[here], score_right[here], cosine - right_r[there], there.start)
        _keep_best(best_left[there], score_left[there], (cosine - left_r[here, None]).T, here.start)
    return best_right, best_left


def _keep_best(best: Ints, greatest: Floats, score: Floats, start: int) -> None:
    """Update, in place, the best candidate and its score with candidates from ``start`` on. Of equals, the first."""
    new = score.max(1)
    better = np.flatnonzero(new > greatest)
    greatest[better] = new[better]
    best[better] = score[better].argmax(1) + start
