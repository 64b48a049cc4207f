"""Processes that run one cell after another. They end with the process that started them, also if it is killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any

from paralign.cores import available_cores, thread_share
from paralign.device import gpu_of, select_device
from paralign.errors import Stopped, UserError, outside_error
from paralign.training.signals import StopSignal

__all__ = ["CellProcesses", "Failure"]

Runner = Callable[[Callable[..., object], Mapping[str, Any], float | None], bool]


@dataclass(frozen=True)
class Failure:
    """An error in another process.

    Attributes:
        text: its message.
        user: whether it is a :class:`paralign.errors.UserError`.
    """

    text: str
    user: bool

    def error(self) -> Exception:
        """Return the error as an exception."""
        return UserError(self.text) if self.user else RuntimeError(self.text)


class CellProcesses:
    """A number of processes, each of which runs one function at a time.

    A process that dies is replaced, and its function counts as failed. Ctrl-C and SIGTERM are passed on once, so that
    training saves a checkpoint.

    Args:
        count: number of processes; each has its share of the processor cores, or ``OMP_NUM_THREADS`` if that is less.
            Several GPUs are divided among them.
        runner: calls a function with options before a deadline.
    """

    def __init__(self, count: int, runner: Runner) -> None:
        self._runner, self._count = runner, count
        self._context = multiprocessing.get_context("spawn")  # torch must not be forked
        self._processes: list[Any] = [None] * count
        self._pipes: list[Connection | None] = [None] * count
        self._busy: set[int] = set()
        self._signal = StopSignal(self._pass_on)

    def __enter__(self) -> CellProcesses:
        self._signal.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._signal.__exit__()
        for number, pipe in enumerate(self._pipes):
            if pipe is not None:
                if number in self._busy:
                    self._processes[number].kill()
                pipe.close()
        for process in self._processes:
            if process is not None:
                process.join()

    @property
    def free(self) -> bool:
        """Whether a process has nothing to do."""
        return len(self._busy) < self._count and not self._signal.pending

    def start(self, run: Callable[..., object], options: Mapping[str, Any], deadline: float | None) -> int:
        """Run a function in a free process; return the number of the process."""
        number = next(k for k in range(self._count) if k not in self._busy)
        task = (run, dict(options), deadline)
        if not self._send(number, task):  # no process yet, or it was killed while it had nothing to do
            self._close(number)
            self._new(number)
            self._send(number, task)  # if this one was killed, too, `wait` reports it
        self._busy.add(number)
        if self._signal.pending:  # it arrived before the process was counted as busy
            os.kill(self._processes[number].pid, signal.SIGTERM)
        return number

    def wait(self) -> tuple[int, bool | Failure]:
        """Wait until a function ends; return the number of its process, and whether it ended before the deadline.

        Raises:
            Stopped: after Ctrl-C or SIGTERM, when all processes have stopped.
        """
        while True:
            pipes = {pipe: k for k, pipe in enumerate(self._pipes) if pipe is not None and k in self._busy}
            if not pipes:
                raise Stopped(self._signal.pending, None)
            for pipe in wait(list(pipes)):
                assert isinstance(pipe, Connection)
                number = pipes[pipe]
                self._busy.discard(number)
                try:
                    answer: bool | Failure | None = pipe.recv()
                except (EOFError, ConnectionError):
                    code = self._close(number)
                    how = (
                        f"killed by signal {-code}, for example for lack of memory" if code < 0 else f"exit code {code}"
                    )
                    answer = Failure(f"the process ended: {how}", user=code < 0)
                if answer is None:
                    answer = Failure("the process was stopped by a signal", user=True)
                if not self._signal.pending:
                    return number, answer

    def _send(self, number: int, task: object) -> bool:
        """Send a function to a process; return whether there is one that can be reached."""
        pipe = self._pipes[number]
        try:
            if pipe is not None:
                pipe.send(task)
        except BrokenPipeError:
            return False
        return pipe is not None

    def _close(self, number: int) -> int:
        """Forget a process that has ended; return its exit code."""
        pipe, self._pipes[number] = self._pipes[number], None
        if pipe is None:
            return 0
        self._processes[number].join()
        pipe.close()
        return int(self._processes[number].exitcode)

    def _new(self, number: int) -> None:
        here, there = self._context.Pipe()
        threads = thread_share(self._count, available_cores(), os.environ.get("OMP_NUM_THREADS", ""))
        process = self._context.Process(target=_serve, args=(there, self._runner, threads, gpu_of(number)), daemon=True)
        process.start()
        there.close()
        self._processes[number], self._pipes[number] = process, here

    def _pass_on(self, signum: int) -> None:
        for number in self._busy:
            os.kill(self._processes[number].pid, signal.SIGTERM)


def _serve(pipe: Connection, runner: Runner, threads: int, device: str | None) -> None:
    """Run what comes through the pipe until it is closed."""
    if hasattr(os, "setpgrp"):  # not on Windows
        os.setpgrp()  # Ctrl-C on the terminal reaches the first process only, which passes it on
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import torch

    torch.set_num_threads(threads)
    select_device(device)  # nothing has been computed here: the variables that it sets are still read
    while True:
        try:
            run, options, deadline = pipe.recv()
        except EOFError:
            return
        try:
            answer: bool | Failure | None = runner(run, options, deadline)
        except (Stopped, KeyboardInterrupt):
            answer = None
        except Exception as error:
            known = error if isinstance(error, UserError) else outside_error(error)
            answer = Failure(f"{type(error).__name__}: {error}", user=False)
            if known is None:
                traceback.print_exc()
            else:
                answer = Failure(str(known), user=True)
        pipe.send(answer)


def _end_with_parent() -> None:
    """End this process when the one that started it has ended. What it has written is complete or can be resumed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
