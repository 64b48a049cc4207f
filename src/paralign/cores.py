"""Processor cores of this process."""

from __future__ import annotations

import os

__all__ = ["available_cores", "thread_share"]


def available_cores() -> int:
    """Return the number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def thread_share(processes: int, cores: int, setting: str) -> int:
    """Return the number of threads of each process.

    Several processes with more threads than cores wait for each other most of the time.

    Args:
        processes: number of processes.
        cores: number of processor cores.
        setting: value of ``OMP_NUM_THREADS``; used if it is less than the share.

    >>> thread_share(2, 8, ""), thread_share(2, 8, "8"), thread_share(2, 8, "1"), thread_share(4, 2, "")
    (4, 4, 1, 1)
    """
    share = max(1, cores // processes)
    return min(share, int(setting)) if setting.isdecimal() and int(setting) else share
