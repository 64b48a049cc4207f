"""Random numbers as a pure function of keys (seed, epoch, pair, ...), independent of the numbers generated before.

They do not change if a run is resumed, a batch is divided between processes or work is reordered, so no state has to be
saved. The generator is splitmix64 (Steele, Lea and Flood 2014), applied to a chain of keys.
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
    """Return 64 random bits for every combination of keys.

    Args:
        keys: integers of any sign, or arrays that are broadcast against each other.

    Returns:
        uint64, of the broadcast shape (``[1]`` for integers only).
    """
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
    """Return numbers in [0, 1), one for every combination of keys; arguments as for :func:`random_bits`."""
    return (random_bits(*keys) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def seed_for(*keys: int) -> int:
    """Return a non-negative 63-bit seed for the generator of another library."""
    return int(random_bits(*keys)[0] >> np.uint64(1))
