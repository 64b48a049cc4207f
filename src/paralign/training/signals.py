"""Ctrl-C and SIGTERM: the first one is recorded, so that work can be saved; the second one stops at once."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Self

__all__ = ["StopSignal"]

_SAME_SIGNAL = 1.0
"""A second SIGTERM within so many seconds is the first one again."""


class StopSignal:
    """Receives signals inside a ``with`` block; the earlier handlers are restored at its end.

    A second SIGTERM within a second counts as the first one: schedulers signal all processes of a job.

    Args:
        on_first: called with the first signal. None: it is only recorded.

    Attributes:
        pending: the signal that was received, or 0.
    """

    def __init__(self, on_first: Callable[[int], None] | None = None) -> None:
        self.pending = 0
        self._on_first = on_first
        self._time = -math.inf
        self._earlier: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # Python delivers signals to no other
            self._earlier = {s: signal.signal(s, self.receive) for s in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *error: object) -> None:
        for signum, handler in self._earlier.items():
            signal.signal(signum, handler)

    def receive(self, signum: int, frame: FrameType | None = None) -> None:
        """Handle a signal.

        Raises:
            KeyboardInterrupt: if it is the second one.
        """
        again = time.monotonic() - self._time
        if signum == signal.SIGTERM == self.pending and again < _SAME_SIGNAL:
            return  # a scheduler signals all processes of a job, and the first one passes its signal on
        if self.pending:
            raise KeyboardInterrupt
        self.pending, self._time = signum, time.monotonic()
        if self._on_first is not None:
            self._on_first(signum)
