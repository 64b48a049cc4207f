"""Random numbers as a pure function of their place: (seed, epoch, pair, ...), not of what was drawn before.

Resuming, slicing a batch over ranks and re-ordering work cannot change such a draw, so nothing has to be saved.
The generator is splitmix64 (Steele, Lea and Flood 2014) applied to a chain of keys.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["random_bits", "seed_for", "uniform"]

Keys = npt.NDArray[np.int64] | int
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_M1 = np.uint64(0xBF58476D1CE4E5B9)
_M2 = np.uint64(0x94D049BB133111EB)


def random_bits(*keys: Keys) -> npt.NDArray[np.uint64]:
    """64 random bits for every combination of keys (integers of any sign, broadcast against each other)."""
    state = np.zeros(1, np.uint64)
    with np.errstate(over="ignore"):
        for key in keys:
            value = np.asarray(key, np.int64).astype(np.uint64)
            z = (state ^ value) + _GOLDEN
            z = (z ^ (z >> np.uint64(30))) * _M1
            z = (z ^ (z >> np.uint64(27))) * _M2
            state = z ^ (z >> np.uint64(31))
    return state


def uniform(*keys: Keys) -> npt.NDArray[np.float64]:
    """Numbers in [0, 1), one for every combination of keys."""
    return (random_bits(*keys) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def seed_for(*keys: int) -> int:
    """One non-negative 63-bit seed for a library's own generator."""
    return int(random_bits(*keys)[0] >> np.uint64(1))
