"""The arrays of several shards, read as one array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from paralign.digests import CheckedArray

__all__ = ["JoinedArray"]


class JoinedArray:
    """The concatenation of memory-mapped arrays; indexed with a number, a slice or an array, none negative.

    Args:
        parts: the arrays, at least one.
        shifts: ``[parts]`` added to the values of each array, for positions in an array that is joined too. Then the
            last value of a part is the first of the next one, and is not repeated: an array of n + 1 positions delimits
            n items. ``None``: the values are not positions.
    """

    def __init__(self, parts: Sequence[CheckedArray], shifts: Sequence[int] | None = None) -> None:
        self._parts, self._shifts = parts, shifts
        sizes = [len(part) - (shifts is not None) for part in parts]
        self._ends = np.cumsum(sizes)
        self._starts = self._ends - sizes
        self._size = int(self._ends[-1]) + (shifts is not None)

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            return self._slice(*key.indices(self._size))
        if not isinstance(key, np.ndarray):
            part = self._part_of(int(key))
            return self._read(part, int(key) - int(self._starts[part]))
        part_of = np.minimum(np.searchsorted(self._ends, key, side="right"), len(self._parts) - 1)
        if not len(key) or (part_of[0] == part_of).all():
            part = int(part_of[0]) if len(key) else 0
            return self._read(part, key - self._starts[part])
        out = None
        for part in np.unique(part_of).tolist():
            rows = np.flatnonzero(part_of == part)
            values = self._read(part, key[rows] - self._starts[part])
            out = np.empty((len(key), *values.shape[1:]), values.dtype) if out is None else out
            out[rows] = values
        return out

    def all(self) -> npt.NDArray[Any]:
        """Return the whole array."""
        return np.asarray(self[:])

    def _part_of(self, position: int) -> int:
        return min(int(np.searchsorted(self._ends, position, side="right")), len(self._parts) - 1)

    def _read(self, part: int, key: Any) -> Any:
        values = self._parts[part][key]
        return values if self._shifts is None else values + self._shifts[part]

    def _slice(self, start: int, stop: int, step: int) -> Any:
        if step != 1:
            raise ValueError(f"slices of joined arrays have step 1, not {step}")
        first, last = self._part_of(start), self._part_of(max(start, stop - 1))
        values = []
        for part in range(first, last + 1):
            begin = int(self._starts[part])
            end = stop if part == last else int(self._ends[part])
            values.append(self._read(part, slice(max(start - begin, 0), max(end - begin, 0))))
        return values[0] if len(values) == 1 else np.concatenate(values)
