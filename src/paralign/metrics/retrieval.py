"""Sentence retrieval: whether the translation is the nearest neighbor."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from paralign.metrics.neighbors import cosine_chunks, first_equal, neighborhood, unit_rows

__all__ = ["retrieval"]

Floats = npt.NDArray[np.float32]
Booleans = npt.NDArray[np.bool_]


def retrieval(a: npt.ArrayLike, b: npt.ArrayLike, csls_k: int | None = None) -> tuple[Booleans, Booleans]:
    """Return whether row ``i`` of ``b`` is the nearest neighbor of row ``i`` of ``a``, and vice versa.

    Similarity is the cosine or, with ``csls_k``, the cross-domain similarity local scaling of Conneau et al. (2018),
    eq. 3: ``2 cos(x, y) - r(x) - r(y)``, where ``r`` is a row's mean cosine with its ``k`` nearest rows on the other
    side, which penalizes hubs.

    Ties go to the lowest index: of several equal rows only the first can be found. Zero vectors and vectors that are
    not finite find nothing, are never found, and are no neighbors. Computed in float32, a chunk of rows at a time.

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
    left_r, right_r = np.zeros((2, len(left)), dtype=np.float32)
    if csls_k is not None:
        left_r = neighborhood(left, right[right_valid], csls_k)
        right_r = neighborhood(right, left[left_valid], csls_k)
    return (
        _hits(left, right, right_r, right_valid) & left_valid,
        _hits(right, left, left_r, left_valid) & right_valid,
    )


def _hits(queries: Floats, candidates: Floats, r: Floats, valid: Booleans) -> Booleans:
    """Return whether candidate ``i`` is the best of query ``i``; its own ``r`` shifts all scores of a query equally."""
    first = first_equal(candidates)
    best = np.zeros(len(queries), dtype=np.int64)
    penalty = np.where(valid, r, np.inf).astype(np.float32)
    for here, cosine in cosine_chunks(queries, candidates):
        best[here] = (2 * cosine - penalty).argmax(axis=1)
    return np.asarray((first[best] == np.arange(len(queries))) & valid)
