"""Random numbers that are the same everywhere: a counter-based splitmix64 stream, and skewed word pools."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Generic, TypeVar

__all__ = ["Draw", "Pool"]

_MASK = (1 << 64) - 1
_GAMMA = 0x9E3779B97F4A7C15
T = TypeVar("T")


def _mix(z: int) -> int:
    """The splitmix64 finaliser (Steele, Lea and Flood, 2014): 64 bits to 64 well-mixed bits."""
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


class Pool(Generic[T]):
    """Items drawn with mildly Zipf-like weights, 1000 / (rank + 5) in whole numbers, so without rounding trouble."""

    __slots__ = ("_sums", "items")

    def __init__(self, items: Sequence[T]) -> None:
        self.items = tuple(items)
        self._sums = list(accumulate(1000 // (rank + 5) for rank in range(len(self.items))))

    def pick(self, value: int) -> T:
        """The item for a uniform 64-bit ``value``."""
        return self.items[bisect_right(self._sums, value % self._sums[-1])]


class Draw:
    """The random stream of one sentence: draw ``n`` of (seed, index) is a pure function of the three."""

    __slots__ = ("_state",)

    def __init__(self, seed: int, index: int) -> None:
        self._state = _mix((_mix((seed + _GAMMA) & _MASK) + index * _GAMMA) & _MASK)

    def bits(self) -> int:
        """The next 64 random bits."""
        self._state = (self._state + _GAMMA) & _MASK
        return _mix(self._state)

    def chance(self, percent: int) -> bool:
        """True in ``percent`` of 100 cases."""
        return self.bits() % 100 < percent

    def pick(self, pool: Pool[T]) -> T:
        """One item of ``pool``, the first ones oftener."""
        return pool.pick(self.bits())

    def choose(self, items: Sequence[T]) -> T:
        """One item, all equally likely."""
        return items[self.bits() % len(items)]
