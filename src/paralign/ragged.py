"""Stretches of different lengths laid end to end."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["ramp", "stretches"]

Ints = npt.NDArray[np.int64]


def ramp(sizes: npt.NDArray[np.integer]) -> Ints:
    """0, 1, ... up to each size, end to end."""
    return stretches(np.zeros(len(sizes), np.int64), sizes)


def stretches(starts: npt.NDArray[np.integer], sizes: npt.NDArray[np.integer]) -> Ints:
    """start, start + 1, ... as many as each size says, end to end: the places of stretches of an array."""
    sizes = np.asarray(sizes, np.int64)
    return np.repeat(starts - (np.cumsum(sizes) - sizes), sizes) + np.arange(int(sizes.sum()))
