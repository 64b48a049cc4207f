"""Sentence retrieval: is the translation the nearest neighbour?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

__all__ = ["retrieval"]

Floats = npt.NDArray[np.float32]
Booleans = npt.NDArray[np.bool_]

_CELLS = 8_000_000
"""Similarities held at once: 32 MB."""


def retrieval(a: npt.ArrayLike, b: npt.ArrayLike, csls_k: int | None = None) -> tuple[Booleans, Booleans]:
    """For each row of ``a``, is row ``i`` of ``b`` its nearest neighbour, and the other way round?

    Similarity is the cosine, or with ``csls_k`` the cross-domain similarity local scaling of Conneau et al.
    (2018), eq. 3: ``2 cos(x, y) - r(x) - r(y)``, where ``r`` is a row's mean cosine with its ``k`` nearest
    rows on the other side, so that hubs near everything are pushed away.

    A tie goes to the lowest index: of several equal rows only the first can be found. A zero vector or one
    that is not finite never hits, is never found, and is nobody's neighbour. Computed in float32, a chunk of
    rows at a time.

    Args:
        a: [n, d] vectors.
        b: [n, d] vectors; row ``i`` is the translation of row ``i`` of ``a``.
        csls_k: neighbourhood of CSLS (10 in the paper; at most the number of rows is used), ``None`` for
            cosine.

    Returns:
        Hits of a → b and of b → a, both [n] boolean.

    Raises:
        ValueError: if the shapes differ or ``csls_k`` is below 1.
    """
    left, left_valid = _unit(a)
    right, right_valid = _unit(b)
    if left.shape != right.shape:
        raise ValueError(f"row i must pair with row i: shapes {list(left.shape)} and {list(right.shape)}")
    if csls_k is not None and csls_k < 1:
        raise ValueError(f"csls_k must be at least 1, not {csls_k}")
    left_r, right_r = np.zeros((2, len(left)), dtype=np.float32)
    if csls_k is not None:
        left_r = _neighbourhood(left, right[right_valid], csls_k)
        right_r = _neighbourhood(right, left[left_valid], csls_k)
    return (
        _hits(left, right, right_r, right_valid) & left_valid,
        _hits(right, left, left_r, left_valid) & right_valid,
    )


def _unit(rows: npt.ArrayLike) -> tuple[Floats, Booleans]:
    """Rows at length 1, and which of them have a direction at all; the others are set to zero."""
    table = np.asarray(rows, dtype=np.float32)
    if table.ndim != 2:
        raise ValueError(f"vectors must be [n, d], not {list(table.shape)}")
    # Dividing by the largest entry first keeps squares inside float32; initial= serves d = 0.
    largest = np.abs(table).max(axis=1, keepdims=True, initial=0)
    valid = np.isfinite(largest[:, 0]) & (largest[:, 0] > 0)
    table = np.divide(table, np.where(valid[:, None], largest, 1), dtype=np.float32)
    table[~valid] = 0
    length = np.sqrt(np.einsum("nd,nd->n", table, table))[:, None]
    # Adding 0 turns -0 into 0, so that equal rows are equal bytes.
    return np.asarray(table / np.where(valid[:, None], length, 1) + 0, dtype=np.float32), valid


def _chunks(rows: Floats, others: Floats) -> Iterator[tuple[slice, Floats]]:
    """Cosines of a chunk of ``rows`` with all ``others``."""
    step = max(1, _CELLS // max(1, len(others)))
    for start in range(0, len(rows), step):
        here = slice(start, start + step)
        yield here, rows[here] @ others.T


def _neighbourhood(rows: Floats, others: Floats, k: int) -> Floats:
    """Mean cosine of each row with its ``k`` nearest ``others``: [n]."""
    out = np.zeros(len(rows), dtype=np.float32)
    k = min(k, len(others))
    if k:
        for here, cosine in _chunks(rows, others):
            out[here] = np.partition(cosine, len(others) - k, axis=1)[:, -k:].mean(axis=1)
    return out


def _hits(queries: Floats, candidates: Floats, r: Floats, valid: Booleans) -> Booleans:
    """Whether candidate ``i`` is the best of query ``i``. A query's own ``r`` moves all its scores alike."""
    first = _first_equal(candidates)
    best = np.zeros(len(queries), dtype=np.int64)
    penalty = np.where(valid, r, np.inf).astype(np.float32)
    for here, cosine in _chunks(queries, candidates):
        best[here] = (2 * cosine - penalty).argmax(axis=1)
    return np.asarray((first[best] == np.arange(len(queries))) & valid)


def _first_equal(rows: Floats) -> npt.NDArray[np.int64]:
    """For each row the index of the first row equal to it.

    A matrix product may round equal rows differently at the edges of its blocks, so that argmax alone would
    not choose the first of them.
    """
    seen: dict[bytes, int] = {}
    return np.array([seen.setdefault(row.tobytes(), index) for index, row in enumerate(rows)], dtype=np.int64)
