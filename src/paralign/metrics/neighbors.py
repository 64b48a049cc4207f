"""Cosines of many vectors with many others, a part at a time."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

__all__ = ["cosine_chunks", "cosine_tiles", "first_equal", "nearest", "nearest_both_ways", "unit_rows"]

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

_CELLS = 8_000_000
"""Cosines held at once: 32 MB."""
_ROWS, _COLUMNS = 1024, 4096
"""Cosines of a tile: 16 MB, whatever the sizes of the two sets."""


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


def cosine_tiles(rows: Floats, others: Floats) -> Iterator[tuple[slice, slice, Floats]]:
    """Yield the cosines of some ``rows`` with some ``others``, with both slices, until all pairs have been compared."""
    for top in range(0, len(rows), _ROWS):
        for left in range(0, len(others), _COLUMNS):
            here, there = slice(top, top + _ROWS), slice(left, left + _COLUMNS)
            yield here, there, rows[here] @ others[there].T


class Neighbors:
    """The ``k`` greatest cosines of each row among those seen so far.

    Attributes:
        index: the neighbors, in no order. Shape: [n, k].
        cosine: their cosines; -inf if fewer than ``k`` have been seen. Shape: [n, k].
    """

    def __init__(self, n: int, k: int) -> None:
        self.index = np.zeros((n, k), np.int64)
        self.cosine = np.full((n, k), -np.inf, np.float32)

    def add(self, here: slice, cosine: Floats, start: int) -> None:
        """Compare the rows ``here`` with more vectors, the first of which has the index ``start``."""
        # After a few tiles most rows have no new neighbor, and a maximum is much faster than a partition.
        changed = np.flatnonzero(cosine.max(1) > self.cosine[here].min(1))
        rows, k = changed + here.start, self.cosine.shape[1]
        cosine = cosine[changed]
        nearest = _greatest(cosine, k)
        values = np.concatenate([self.cosine[rows], np.take_along_axis(cosine, nearest, 1)], 1)
        index = np.concatenate([self.index[rows], nearest + start], 1)
        kept = _greatest(values, k)
        self.cosine[rows], self.index[rows] = (np.take_along_axis(table, kept, 1) for table in (values, index))


def _greatest(values: Floats, k: int) -> Ints:
    """Return the columns of the ``k`` greatest values of each row; all columns if there are fewer."""
    if values.shape[1] <= k:
        return np.broadcast_to(np.arange(values.shape[1]), values.shape).astype(np.int64)
    return np.argpartition(values, values.shape[1] - k, axis=1)[:, -k:].astype(np.int64)


def nearest(rows: Floats, others: Floats, k: int) -> Neighbors:
    """Return the ``k`` nearest ``others`` of each row; the arguments are those of :func:`nearest_both_ways`."""
    found = Neighbors(len(rows), min(k, len(others)))
    for here, there, cosine in cosine_tiles(rows, others):
        found.add(here, cosine, there.start)
    return found


def nearest_both_ways(rows: Floats, others: Floats, k: int) -> tuple[Neighbors, Neighbors]:
    """Return the ``k`` nearest ``others`` of each row, and the ``k`` nearest ``rows`` of each of the others.

    Args:
        rows: vectors of length 1. Shape: [n, d].
        others: vectors of length 1. Shape: [m, d].
        k: number of neighbors, at most the number of vectors on the other side. Which of equal cosines is kept as the
            ``k``-th is undefined.
    """
    found = Neighbors(len(rows), min(k, len(others)))
    found_by_others = Neighbors(len(others), min(k, len(rows)))
    for here, there, cosine in cosine_tiles(rows, others):
        found.add(here, cosine, there.start)
        found_by_others.add(there, cosine.T, here.start)
    return found, found_by_others


def first_equal(rows: Floats) -> npt.NDArray[np.int64]:
    """Return for each row the index of the first row equal to it.

    A matrix product may round equal rows differently at the edges of its blocks, so that argmax alone would not choose
    the first one.
    """
    seen: dict[bytes, int] = {}
    digests = (blake2b(row.tobytes(), digest_size=16).digest() for row in rows)  # a row itself is much larger
    return np.array([seen.setdefault(digest, index) for index, digest in enumerate(digests)], dtype=np.int64)
