"""Random numbers that are the same on every machine: a splitmix64 stream, and sampling with Zipf-like weights."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Generic, TypeVar

__all__ = ["RandomStream", "WeightedPool"]

_MASK = (1 << 64) - 1
_GAMMA = 0x9E3779B97F4A7C15
T = TypeVar("T")


def _mix(z: int) -> int:
    """Apply the finalizer of splitmix64 (Steele, Lea and Flood 2014) to 64 bits."""
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


class WeightedPool(Generic[T]):
    """Items with Zipf-like weights 1000 // (rank + 5); integers, so that rounding cannot differ between machines."""

    __slots__ = ("_sums", "items")

    def __init__(self, items: Sequence[T]) -> None:
        self.items = tuple(items)
        self._sums = list(accumulate(1000 // (rank + 5) for rank in range(len(self.items))))

    def pick(self, value: int) -> T:
        """Return the item for a uniform 64-bit ``value``."""
        return self.items[bisect_right(self._sums, value % self._sums[-1])]


class RandomStream:
    """The random numbers of one sentence: number n is a pure function of (seed, index, n).

    Args:
        seed: the world.
        index: the sentence.
    """

    __slots__ = ("_state",)

    def __init__(self, seed: int, index: int) -> None:
        self._state = _mix((_mix((seed + _GAMMA) & _MASK) + index * _GAMMA) & _MASK)

    def bits(self) -> int:
        """Return the next 64 random bits."""
        self._state = (self._state + _GAMMA) & _MASK
        return _mix(self._state)

    def chance(self, percent: int) -> bool:
        """Return true with a probability of ``percent`` / 100."""
        return self.bits() % 100 < percent

    def pick(self, pool: WeightedPool[T]) -> T:
        """Return an item of a pool; earlier items are more probable."""
        return pool.pick(self.bits())

    def choose(self, items: Sequence[T]) -> T:
        """Return an item; all are equally probable."""
        return items[self.bits() % len(items)]
