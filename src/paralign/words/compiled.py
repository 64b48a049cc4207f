"""How the inner loops of the statistical aligners are compiled (numba), and what they share.

Every loop works on one *direction*: words of one side generate words of the other. A sentence pair of m generating and
n generated words has m · n *cells*. The cells of pair k begin at ``cells[k]``; ``by_row`` says whether a row of them is
a generating word (source to target) or a generated one. Arguments that all loops share:

* ``generated``: int32 ``[tokens]``, ids of the generated words.
* ``starts``: int64 ``[2, pairs + 1]``, where sentences begin on the generating and on the generated side.
* ``cells``: int64 ``[pairs + 1]``, where the cells of each pair begin.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit

from paralign.cores import available_cores

__all__ = ["FLOOR", "MAX_LENGTH", "compiled", "cpu_threads", "fill_diagonal", "release_memory"]

F = TypeVar("F", bound=Callable[..., Any])
MAX_LENGTH = 400
"""Words of a side; :class:`~paralign.words.bitext.Bitext` cuts longer pairs."""
FLOOR = 1e-9
"""Smallest probability of a word or a word pair."""


def compiled(function: F) -> F:
    """Compile a function when it is first called; the compiled code is cached on disk.

    The GIL is released, so that directions and chains run in threads. Sums of floats are not reordered.
    """
    return cast(F, njit(nogil=True, cache=True)(function))


def cpu_threads() -> int:
    """Return the number of threads to use: ``OMP_NUM_THREADS``, or the processors that this process may use."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    if given.isdigit() and int(given) > 0:
        return int(given)
    return available_cores()


def release_memory() -> None:
    """Return freed memory to the operating system, where the C library can (glibc); others do it by themselves."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:
        trim(0)


@compiled
def fill_diagonal(m: int, n: int, j: int, tension: float, out: Any) -> float:
    """Fill ``out`` with exp(-tension · abs((i + 1) / m - (j + 1) / n)) for all i < m; return the sum."""
    position = (j + 1) / n
    ratio = np.exp(-tension / m)
    last = min(m, max(0, int(np.floor(position * m + 1e-9))))  # the last i + 1 at or below the diagonal
    total = 0.0
    if last > 0:
        value = np.exp(-tension * (position - last / m))
        for i in range(last - 1, -1, -1):
            out[i] = value
            total += value
            value *= ratio
    if last < m:
        value = np.exp(-tension * ((last + 1) / m - position))
        for i in range(last, m):
            out[i] = value
            total += value
            value *= ratio
    return total
