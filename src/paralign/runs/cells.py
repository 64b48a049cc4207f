"""Many runs in one command: their order, processes, time budget and failures; used by ``grid`` and ``suite``."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from paralign.console import rough_duration
from paralign.errors import Stopped, outside_error
from paralign.runs.cell_processes import CellProcesses, Failure

__all__ = ["Cell", "CellOutcome", "Progress", "run_cells"]


@dataclass(frozen=True)
class Cell:
    """A run among many.

    Attributes:
        name: shown with the progress.
        run: a function of a module; it resumes what an earlier call has begun.
        options: its keyword arguments.
        kind: cells of one kind take about as long as each other.
    """

    name: str
    run: Callable[..., object]
    options: Mapping[str, Any]
    kind: str = ""


@dataclass(frozen=True)
class CellOutcome:
    """What happened to a cell.

    Attributes:
        cell: the cell.
        status: ``done``; ``failed``; or ``stopped`` when the time budget ended, after a checkpoint if it was training.
        seconds: how long it ran.
        error: why it failed. None: it did not.
    """

    cell: Cell
    status: Literal["done", "failed", "stopped"]
    seconds: float
    error: Exception | None = None


class Progress:
    """Estimates the time that the remaining cells take, from those that have run.

    Args:
        cells: the cells to run.
        jobs: number of processes.
        seconds: seconds of earlier cells, by kind.
    """

    def __init__(
        self, cells: Sequence[Cell], jobs: int = 1, seconds: Mapping[str, Sequence[float]] | None = None
    ) -> None:
        self.total, self.started, self._jobs = len(cells), 0, jobs
        self._waiting = [cell.kind for cell in cells]
        self._seconds: dict[str, list[float]] = defaultdict(list)
        for kind, values in (seconds or {}).items():
            self._seconds[kind] += values

    def start(self, cell: Cell) -> str:
        """Return the line that announces a cell: its number, its name, and the time that remains."""
        self.started += 1
        left = self.remaining()
        self._waiting.remove(cell.kind)
        return f"{self.started}/{self.total}  {cell.name}" + (
            "" if left is None else f"  (about {rough_duration(left)} left)"
        )

    def end(self, cell: Cell, seconds: float) -> None:
        """Count a cell that is done."""
        self._seconds[cell.kind].append(seconds)

    def remaining(self) -> float | None:
        """Return the seconds until all waiting cells are done. None: no cell has run yet.

        A kind of which no cell has run takes as long as the mean of the others.
        """
        means = {kind: math.fsum(values) / len(values) for kind, values in self._seconds.items() if values}
        if not means:
            return None
        other = math.fsum(means.values()) / len(means)
        return math.fsum(means.get(kind, other) for kind in self._waiting) / self._jobs


def run_cells(
    cells: Sequence[Cell],
    note: Callable[[str], None],
    *,
    jobs: int = 1,
    deadline: float | None = None,
    catch: tuple[type[Exception], ...] = (),
    seconds: Mapping[str, Sequence[float]] | None = None,
) -> Iterator[CellOutcome]:
    """Run cells in their order.

    Args:
        cells: the cells.
        note: prints a line when a cell begins.
        jobs: number of processes. With 1 the cells run in this process.
        deadline: ``time.time()`` at which the running cells are stopped and no other begins. None: there is none.
        catch: errors that do not end the others; with several processes all errors are caught.
        seconds: seconds of earlier cells by kind, for the estimate of the time that remains.

    Yields:
        the outcome of each cell that began, in the order in which they end.

    Raises:
        Stopped: after Ctrl-C or SIGTERM, with a checkpoint saved.
    """
    progress = Progress(cells, jobs, seconds)
    outcomes = (
        _in_processes(cells, note, jobs, deadline, progress)
        if jobs > 1
        else _here(cells, note, deadline, catch, progress)
    )
    for outcome in outcomes:
        if outcome.status == "done":
            progress.end(outcome.cell, outcome.seconds)
        yield outcome


def _here(
    cells: Sequence[Cell],
    note: Callable[[str], None],
    deadline: float | None,
    catch: tuple[type[Exception], ...],
    progress: Progress,
) -> Iterator[CellOutcome]:
    for cell in cells:
        if _is_past(deadline):
            return
        note(progress.start(cell))
        began = time.monotonic()
        status: Literal["done", "failed", "stopped"]
        error: Exception | None = None
        try:
            status = "done" if run_until(cell.run, cell.options, deadline) else "stopped"
        except catch as caught:
            status, error = "failed", outside_error(caught) or caught
        yield CellOutcome(cell, status, time.monotonic() - began, error)


def _in_processes(
    cells: Sequence[Cell], note: Callable[[str], None], jobs: int, deadline: float | None, progress: Progress
) -> Iterator[CellOutcome]:
    waiting = list(reversed(cells))
    running: dict[int, tuple[Cell, float]] = {}
    with CellProcesses(min(jobs, len(cells)), run_until) as processes:
        while waiting or running:
            while waiting and processes.free and not _is_past(deadline):
                cell = waiting.pop()
                note(progress.start(cell))
                running[processes.start(cell.run, cell.options, deadline)] = cell, time.monotonic()
            if not running:
                return
            number, answer = processes.wait()
            cell, began = running.pop(number)
            error = answer.error() if isinstance(answer, Failure) else None
            status: Literal["done", "failed", "stopped"] = "failed" if error else "done" if answer else "stopped"
            yield CellOutcome(cell, status, time.monotonic() - began, error)


def run_until(run: Callable[..., object], options: Mapping[str, Any], deadline: float | None) -> bool:
    """Run a function; return whether it ended before the deadline.

    Raises:
        Stopped: after a signal.
        KeyboardInterrupt: after a signal while nothing was trained.
    """
    try:
        with _interrupted_at(deadline):
            run(**options)
    except (Stopped, KeyboardInterrupt):
        if not _is_past(deadline):
            raise
        return False
    return True


def _is_past(deadline: float | None) -> bool:
    return deadline is not None and time.time() >= deadline


def _interrupt(*_: object) -> None:
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # shells start background commands of scripts like this
        raise KeyboardInterrupt
    signal.raise_signal(signal.SIGINT)


@contextmanager
def _interrupted_at(deadline: float | None) -> Iterator[None]:
    """Interrupt the block at the deadline, as Ctrl-C does: a training run saves a checkpoint first."""
    if deadline is None or threading.current_thread() is not threading.main_thread():
        yield  # Python delivers signals to no other thread
        return
    before = signal.signal(signal.SIGALRM, _interrupt)
    signal.setitimer(signal.ITIMER_REAL, max(deadline - time.time(), 1e-3))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
