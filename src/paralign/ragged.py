"""Arrays of rows of different lengths, laid end to end: the positions of rows and items in the flat array.

:func:`ranges`, :func:`row_ids`, :func:`row_positions` and :func:`row_starts` take NumPy arrays or torch tensors and
return the same kind (torch is not imported here).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar, overload

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "batched",
    "blocks",
    "contained",
    "ranges",
    "row_ids",
    "row_keys",
    "row_positions",
    "row_starts",
    "unique_rows",
]

Ints = npt.NDArray[np.int64]
Integers = npt.NDArray[np.integer]
T = TypeVar("T")


@overload
def row_starts(lengths: Integers) -> Ints: ...
@overload
def row_starts(lengths: Tensor) -> Tensor: ...
def row_starts(lengths: Any) -> Any:
    """Return where each row begins in the flat array.

    Args:
        lengths: ``[n]`` items in each row.

    Returns:
        int64 ``[n]``.

    >>> row_starts(np.array([2, 0, 3])).tolist()
    [0, 2, 2]
    """
    lengths = _int64(lengths)
    return lengths.cumsum(0) - lengths


@overload
def row_ids(lengths: Integers) -> Ints: ...
@overload
def row_ids(lengths: Tensor) -> Tensor: ...
def row_ids(lengths: Any) -> Any:
    """Return the row of each item of the flat array.

    Args:
        lengths: ``[n]`` items in each row.

    Returns:
        int64 ``[sum of lengths]``.

    >>> row_ids(np.array([2, 0, 3])).tolist()
    [0, 0, 2, 2, 2]
    """
    lengths = _int64(lengths)
    return _repeat(_count(lengths, len(lengths)), lengths)


@overload
def row_positions(lengths: Integers) -> Ints: ...
@overload
def row_positions(lengths: Tensor) -> Tensor: ...
def row_positions(lengths: Any) -> Any:
    """Return the position of each item in its row, from 0.

    Args:
        lengths: ``[n]`` items in each row.

    Returns:
        int64 ``[sum of lengths]``.

    >>> row_positions(np.array([2, 0, 3])).tolist()
    [0, 1, 0, 1, 2]
    """
    lengths = _int64(lengths)
    return _count(lengths, int(lengths.sum())) - _repeat(row_starts(lengths), lengths)


@overload
def ranges(starts: Integers, lengths: Integers) -> Ints: ...
@overload
def ranges(starts: Tensor, lengths: Tensor) -> Tensor: ...
def ranges(starts: Any, lengths: Any) -> Any:
    """Return the indices of several ranges, end to end: indexing an array with them gathers its rows.

    Args:
        starts: ``[n]`` first index of each range.
        lengths: ``[n]`` indices in each range.

    Returns:
        int64 ``[sum of lengths]``.

    >>> ranges(np.array([7, 0, 3]), np.array([2, 0, 3])).tolist()
    [7, 8, 3, 4, 5]
    """
    lengths = _int64(lengths)
    return _repeat(_int64(starts) - row_starts(lengths), lengths) + _count(lengths, int(lengths.sum()))


def _int64(values: Any) -> Any:
    return values.astype(np.int64, copy=False) if isinstance(values, np.ndarray) else values.long()


def _repeat(values: Any, counts: Any) -> Any:
    return np.repeat(values, counts) if isinstance(values, np.ndarray) else values.repeat_interleave(counts)


def _count(like: Any, size: int) -> Any:
    """Return 0, 1, ..., size - 1, as an array or tensor on the same device as ``like``."""
    return np.arange(size) if isinstance(like, np.ndarray) else like.new_ones(size).cumsum_(0).sub_(1)


def row_keys(rows: Ints) -> Ints:
    """Return an integer for each row of a matrix, so that keys are ordered like the rows, and equal for equal rows.

    ``np.unique`` of the keys is much faster than of the rows (``axis=0``).

    Args:
        rows: ``[n, k]`` integers from 0. The product of the largest values, plus 1, of all columns is below 2**63.

    Returns:
        int64 ``[n]``.

    >>> row_keys(np.array([[0, 2], [1, 0], [0, 2]])).tolist()
    [2, 3, 2]
    """
    sizes = [int(column.max(initial=0)) + 1 for column in rows.T]
    assert rows.min(initial=0) >= 0
    assert math.prod(sizes) < 2**63
    keys = np.zeros(len(rows), np.int64)
    for column, size in zip(rows.T, sizes, strict=True):
        keys = keys * size + column
    return keys


def unique_rows(rows: Ints) -> Ints:
    """Return the different rows of a matrix, sorted, as ``np.unique(rows, axis=0)`` does more slowly.

    Args:
        rows: as for :func:`row_keys`.

    >>> unique_rows(np.array([[1, 0], [0, 2], [1, 0]])).tolist()
    [[0, 2], [1, 0]]
    """
    return rows[np.unique(row_keys(rows), return_index=True)[1]]


def contained(values: npt.NDArray[Any], ordered: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Return for each value whether it is in a sorted array; ``np.isin`` would sort it again.

    Args:
        values: ``[n]``.
        ordered: ``[m]`` of the same type, sorted. It is not empty unless there are no values.

    Returns:
        bool ``[n]``.

    >>> contained(np.array([3, 1, 9]), np.array([1, 2, 3])).tolist()
    [True, True, False]
    """
    positions = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
    found: npt.NDArray[np.bool_] = ordered[positions] == values
    return found


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield consecutive lists of ``size`` items; the last may be shorter."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def blocks(start: int, stop: int, size: int) -> list[tuple[int, int]]:
    """Return consecutive ranges from ``start`` to ``stop``, of ``size`` items each; the last may be shorter."""
    return [(begin, min(begin + size, stop)) for begin in range(start, stop, size)]
