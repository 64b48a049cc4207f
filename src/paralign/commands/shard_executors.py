"""Where the shards of a corpus are built: processes on this machine, tasks of Ray, or a job array of Slurm.

All run the same command, ``paralign corpus build … --shard K/N``, once for each shard.
"""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO, Any

from paralign.console import echo
from paralign.cores import available_cores, thread_share
from paralign.errors import UserError
from paralign.folders import atomic_folder
from paralign.formats.lines import write_lines

__all__ = ["run_processes", "run_ray_tasks", "submit_to_slurm"]

_POLL = 0.05
_SECONDS_TO_CONNECT = 10
_SECONDS_TO_STOP = 30
_AGAIN = "run the same command again: finished shards are kept"
_PREFIX = "paralign: "


def run_processes(
    command: Sequence[str], shards: Sequence[str], workers: int | None, finished: Callable[[int], None]
) -> None:
    """Build shards in processes, several at a time; if one fails, the others are stopped.

    Args:
        command: the command line, to which the shard is added.
        shards: the shards, ``K/N``.
        workers: largest number of processes at a time. ``None``: as many as there are cores.
        finished: called with the position in ``shards`` of each that is built.

    Raises:
        UserError: naming a shard that could not be built.
    """
    workers = min(workers or available_cores(), len(shards))
    threads = str(thread_share(workers, available_cores(), os.environ.get("OMP_NUM_THREADS", "")))
    environment = {"RAYON_NUM_THREADS": threads, **os.environ, "OMP_NUM_THREADS": threads}
    waiting = list(enumerate(shards))
    running: dict[int, tuple[subprocess.Popen[bytes], IO[bytes]]] = {}
    with _terminated_as_interrupted():
        try:
            while waiting or running:
                while waiting and len(running) < workers:
                    position, shard = waiting.pop(0)
                    messages: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
                    words = [*command, shard]
                    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=messages, env=environment)
                    running[position] = process, messages
                time.sleep(_POLL)
                for position, (process, output) in list(running.items()):
                    if process.poll() is not None:
                        del running[position]
                        with output:
                            output.seek(0)
                            _check_exit(shards[position], process.returncode, output.read())
                        finished(position)
        finally:
            for process, _ in running.values():
                process.terminate()
            for process, output in running.values():
                process.wait()
                output.close()


def run_ray_tasks(
    command: Sequence[str], shards: Sequence[str], workers: int | None, finished: Callable[[int], None]
) -> None:
    """Build shards as tasks of Ray, each with one CPU; if one fails, the others are stopped.

    The cluster is that of ``RAY_ADDRESS`` or one that runs on this machine; otherwise a local one is started and
    stopped. Its machines need the same folders and the same Python environment. A task that fails is not repeated.

    Args:
        command: the command line, to which the shard is added.
        shards: the shards, ``K/N``.
        workers: largest number of tasks at a time. ``None``: no limit but the CPUs of the cluster.
        finished: called with the position in ``shards`` of each that is built.

    Raises:
        UserError: if Ray is not installed or there is no cluster, or naming a shard that could not be built.
    """
    try:
        import ray
    except ImportError:
        raise UserError("--executor ray: ray is not installed", hint="pip install 'paralign[cluster]'") from None
    _check_cluster(os.environ.get("RAY_ADDRESS", ""))
    try:
        ray.init(logging_level=logging.ERROR, log_to_driver=False, ignore_reinit_error=True)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise UserError(f"no cluster of Ray: {error}", hint="check RAY_ADDRESS") from None
    task = ray.remote(num_cpus=1, max_retries=0)(_run_command)
    waiting = list(enumerate(shards))
    running: dict[Any, int] = {}
    with _terminated_as_interrupted():
        try:
            while waiting or running:
                while waiting and (workers is None or len(running) < workers):
                    position, shard = waiting.pop(0)
                    running[task.remote([*command, shard], str(Path.cwd()))] = position
                (ended,), _ = ray.wait(list(running), num_returns=1)
                position = running.pop(ended)
                try:
                    code, messages = ray.get(ended)
                except ray.exceptions.RayError as error:
                    reason = f"its worker failed ({type(error).__name__})"
                    raise UserError(f"shard {shards[position]}: {reason}", hint=_AGAIN) from None
                _check_exit(shards[position], code, messages)
                finished(position)
        finally:
            for reference in running:
                ray.cancel(reference)
            if running:
                ray.wait(list(running), num_returns=len(running), timeout=_SECONDS_TO_STOP)
            ray.shutdown()


def _check_cluster(address: str) -> None:
    """Refuse an address of Ray that cannot be reached, for which Ray itself waits many minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        return  # "auto", "local" or none
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_SECONDS_TO_CONNECT).close()
    except (OSError, OverflowError) as error:
        raise UserError(f"no cluster of Ray at {address}: {error}", hint="check RAY_ADDRESS") from None


def _run_command(command: Sequence[str], folder: str) -> tuple[int, bytes]:
    """Run a command in a folder, on the machine of a task; return its exit status and messages."""
    environment = {**os.environ, "RAYON_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryFile() as messages:
        process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stderr=messages, env=environment)
        try:
            while process.poll() is None:
                time.sleep(_POLL)  # a cancelled task is interrupted here
        finally:
            process.terminate()
            process.wait()
        messages.seek(0)
        return process.returncode, messages.read()


def _check_exit(shard: str, code: int, messages: bytes) -> None:
    """Raise an error if a process failed."""
    if code < 0:
        name = signal.Signals(-code).name
        hint = _AGAIN + (", with fewer --workers if memory was short" if -code == signal.SIGKILL else "")
        raise UserError(f"shard {shard}: its process was killed ({name})", hint=hint)
    if code:
        lines = messages.decode("utf-8", "replace").splitlines()
        last = next((line for line in reversed(lines) if line.startswith(_PREFIX)), f"exit code {code}")
        if code != 2:
            print("\n".join(lines), file=sys.stderr)
            raise RuntimeError(f"shard {shard} failed: {last}")
        raise UserError(f"shard {shard}: {last.removeprefix(_PREFIX)}")


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Let SIGTERM raise an exception, so that the processes of shards are stopped too."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not in the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def submit_to_slurm(out: Path, command: Sequence[str], shards: int, workers: int | None, *, quiet: bool) -> None:
    """Write ``out/jobs``: a job array that builds the shards, a job that joins them, and ``submit.sh``; and run it.

    Args:
        out: folder of the corpus.
        command: the command line, without the shard.
        shards: number of shards.
        workers: largest number of jobs that run at the same time. ``None``: no limit.
        quiet: print nothing.

    Raises:
        UserError: if there is no ``sbatch`` here, or it fails; the files are written nevertheless.
    """
    jobs = out.resolve() / "jobs"
    program = shlex.join(command)
    at_a_time = "" if workers is None else f"%{workers}"
    head = f"cd {shlex.quote(str(Path.cwd()))} || exit 1"
    threads = 'export RAYON_NUM_THREADS="${SLURM_CPUS_PER_TASK:-1}" OMP_NUM_THREADS="${SLURM_CPUS_PER_TASK:-1}"'
    with atomic_folder(jobs, replace=True) as part:
        write_lines(
            part / "shards.sh",
            [
                "#!/bin/sh",
                "#SBATCH --job-name=paralign-shards",
                f"#SBATCH --array=1-{shards}{at_a_time}",
                "#SBATCH --cpus-per-task=1",
                head,
                threads,
                f'exec {program} --shard "$SLURM_ARRAY_TASK_ID/{shards}"',
            ],
        )
        write_lines(
            part / "join.sh",
            [
                "#!/bin/sh",
                "#SBATCH --job-name=paralign-join",
                "#SBATCH --cpus-per-task=1",
                head,
                f"exec {program} --workers 0",
            ],
        )
        write_lines(
            part / "submit.sh",
            [
                "#!/bin/sh",
                "# Partition, account and time: SBATCH_PARTITION, SBATCH_ACCOUNT, SBATCH_TIMELIMIT.",
                f"cd {shlex.quote(str(jobs))} || exit 1",
                "shards=$(sbatch --parsable --output=shard-%a.log shards.sh) || exit 1",
                'sbatch --dependency="afterok:${shards%%;*}" --output=join.log join.sh',
            ],
        )
    echo(f"{jobs}: shards.sh, join.sh, submit.sh", quiet=quiet)
    submit = shlex.join(["sh", str(jobs / "submit.sh")])
    if shutil.which("sbatch") is None:
        raise UserError("there is no sbatch on this machine", where=jobs, hint=f"run {submit} on one with Slurm")
    result = subprocess.run(["sh", str(jobs / "submit.sh")], capture_output=True, text=True)
    if result.returncode:
        raise UserError(f"sbatch failed: {result.stderr}", where=jobs, hint=f"correct the files and run {submit}")
    echo(result.stdout.strip(), quiet=quiet)
