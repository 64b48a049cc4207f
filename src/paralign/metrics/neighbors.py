"""Cosines of many vectors with many others, a chunk at a time."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

__all__ = ["cosine_chunks", "first_equal", "neighborhood", "unit_rows"]

Floats = npt.NDArray[np.float32]
Booleans = npt.NDArray[np.bool_]

_CELLS = 8_000_000
"""Similarities held at once: 32 MB."""


def unit_rows(rows: npt.ArrayLike) -> tuple[Floats, Booleans]:
    """Normalize rows to length 1.

    Returns:
        the rows, and which of them have a direction; the others (zero or not finite) become zero.
    """
    table = np.asarray(rows, dtype=np.float32)
    if table.ndim != 2:
        raise ValueError(f"vectors must be [n, d], not {list(table.shape)}")
    # Dividing by the largest entry first keeps squares in the range of float32; initial= is for d = 0.
    largest = np.abs(table).max(axis=1, keepdims=True, initial=0)
    valid = np.isfinite(largest[:, 0]) & (largest[:, 0] > 0)
    table = np.divide(table, np.where(valid[:, None], largest, 1), dtype=np.float32)
    table[~valid] = 0
    length = np.sqrt(np.einsum("nd,nd->n", table, table))[:, None]
    # Adding 0 turns -0 into 0, so that equal rows are equal bytes.
    return np.asarray(table / np.where(valid[:, None], length, 1) + 0, dtype=np.float32), valid


def cosine_chunks(rows: Floats, others: Floats) -> Iterator[tuple[slice, Floats]]:
    """Yield chunks of ``rows`` and their cosines with all ``others``."""
    step = max(1, _CELLS // max(1, len(others)))
    for start in range(0, len(rows), step):
        here = slice(start, start + step)
        yield here, rows[here] @ others.T


def neighborhood(rows: Floats, others: Floats, k: int) -> Floats:
    """Return the mean cosine of each row with its ``k`` nearest ``others``: [n]."""
    out = np.zeros(len(rows), dtype=np.float32)
    k = min(k, len(others))
    if k:
        for here, cosine in cosine_chunks(rows, others):
            out[here] = np.partition(cosine, len(others) - k, axis=1)[:, -k:].mean(axis=1)
    return out


def first_equal(rows: Floats) -> npt.NDArray[np.int64]:
    """Return for each row the index of the first row equal to it.

    A matrix product may round equal rows differently at the edges of its blocks, so that argmax alone would not choose
    the first one.
    """
    seen: dict[bytes, int] = {}
    digests = (blake2b(row.tobytes(), digest_size=16).digest() for row in rows)  # a row itself is much larger
    return np.array([seen.setdefault(digest, index) for index, digest in enumerate(digests)], dtype=np.int64)
