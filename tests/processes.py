"""Processes that start at once: they are forked from one that has already imported torch and transformers."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch.distributed

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["paralign.runs.train", "transformers.models.bert.modeling_bert", "accelerate"])


class Started:
    """A function that runs in its own process, for example :func:`paralign.__main__.main`.

    Args:
        function: a function of an importable module. The number that it returns is the exit code.
        arguments: its positional arguments.
        log: file for what the process writes to standard error.
        environment: variables to set in the process.
    """

    def __init__(
        self, function: Callable[..., int | None], arguments: list[Any], log: Path, environment: dict[str, str]
    ) -> None:
        self.log = log
        self.process = _CONTEXT.Process(target=_run, args=(function, arguments, str(log), environment))
        self.process.start()

    def running(self) -> bool:
        """Return whether the process has not ended yet."""
        return self.process.exitcode is None

    def kill(self) -> None:
        """Kill the process with SIGKILL; nothing happens if it has ended."""
        self.process.kill()

    def ended(self, timeout: float = 240) -> int:
        """Wait for the end and return the exit code, which is negative if a signal ended the process."""
        self.process.join(timeout)
        code = self.process.exitcode
        if code is None:
            self.kill()
            raise AssertionError(f"the process has not ended after {timeout} seconds: {self.said()}")
        return code

    def said(self) -> str:
        """Return what the process wrote to standard error."""
        return self.log.read_text(encoding="utf-8") if self.log.exists() else ""


def run_group(function: Callable[..., int | None], arguments: list[Any], processes: int, logs: Path) -> None:
    """Run a function in as many processes as torch.distributed.run would; all must return 0 or None.

    Args:
        function: as in :class:`Started`.
        arguments: as in :class:`Started`.
        processes: number of processes. 1: without the variables of a process group.
        logs: path of the files with standard error, without their suffix.
    """
    # The processes connect to a store of this one, as to that of torch.distributed.run: its port cannot be taken.
    store = torch.distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    group = {"WORLD_SIZE": str(processes), "LOCAL_WORLD_SIZE": str(processes)}
    group |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port), "TORCHELASTIC_USE_AGENT_STORE": "True"}
    started = []
    for rank in range(processes):
        own = group | {"RANK": str(rank), "LOCAL_RANK": str(rank)} if processes > 1 else {}
        # ACCELERATE_USE_CPU: gloo, also where there are GPUs.
        own = {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "1"} | own
        started.append(Started(function, arguments, Path(f"{logs}.{rank}.err"), own))
    try:
        # If one process waits for a call that the other does not make, they wait forever.
        codes = [process.ended() for process in started]
    finally:
        for process in started:
            process.kill()
        del store
    assert codes == [0] * processes, "\n".join(process.said()[-3000:] for process in started)


def _run(function: Callable[..., int | None], arguments: list[Any], log: str, environment: dict[str, str]) -> None:
    os.environ.update(environment)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 2)
    sys.stderr = open(2, "w", encoding="utf-8", buffering=1, closefd=False)  # noqa: SIM115
    try:
        code = function(*arguments) or 0
    except BaseException:
        traceback.print_exc()
        code = 1
    atexit._run_exitfuncs()
    sys.exit(code)
