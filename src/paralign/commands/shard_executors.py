"""Where the shards of a corpus are built: processes on this machine, or the job array of a cluster.

Both run the same command, ``paralign corpus build … --shard K/N``, once for each shard.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO

from paralign.console import echo
from paralign.cores import available_cores, thread_share
from paralign.errors import UserError
from paralign.folders import atomic_folder

__all__ = ["run_processes", "submit_to_slurm"]

_POLL = 0.05
_AGAIN = "run the same command again: finished shards are kept"
_PREFIX = "paralign: "


def run_processes(command: Sequence[str], shards: Sequence[str], workers: int, finished: Callable[[int], None]) -> None:
    """Build shards in processes, several at a time; if one fails, the others are stopped.

    Args:
        command: the command line, to which the shard is added.
        shards: the shards, ``K/N``.
        workers: number of processes at a time.
        finished: called with the position in ``shards`` of each that is built.

    Raises:
        UserError: naming a shard that could not be built.
    """
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
                            _check_exit(shards[position], process.returncode, output)
                        finished(position)
        finally:
            for process, _ in running.values():
                process.terminate()
            for process, output in running.values():
                process.wait()
                output.close()


def _check_exit(shard: str, code: int, messages: IO[bytes]) -> None:
    """Raise an error if a process failed."""
    if code < 0:
        name = signal.Signals(-code).name
        hint = _AGAIN + (", with fewer --workers if memory was short" if -code == signal.SIGKILL else "")
        raise UserError(f"shard {shard}: its process was killed ({name})", hint=hint)
    if code:
        messages.seek(0)
        lines = messages.read().decode("utf-8", "replace").splitlines()
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
    head = f"cd {shlex.quote(str(Path.cwd()))} || exit 1\n"
    threads = 'export RAYON_NUM_THREADS="${SLURM_CPUS_PER_TASK:-1}" OMP_NUM_THREADS="${SLURM_CPUS_PER_TASK:-1}"\n'
    with atomic_folder(jobs, replace=True) as part:
        (part / "shards.sh").write_text(
            "#!/bin/sh\n"
            "#SBATCH --job-name=paralign-shards\n"
            f"#SBATCH --array=1-{shards}{at_a_time}\n"
            "#SBATCH --cpus-per-task=1\n"
            f"{head}{threads}"
            f'exec {program} --shard "$SLURM_ARRAY_TASK_ID/{shards}"\n'
        )
        (part / "join.sh").write_text(
            "#!/bin/sh\n"
            "#SBATCH --job-name=paralign-join\n"
            "#SBATCH --cpus-per-task=1\n"
            f"{head}exec {program} --workers 0\n"
        )
        (part / "submit.sh").write_text(
            "#!/bin/sh\n"
            "# Partition, account and time: SBATCH_PARTITION, SBATCH_ACCOUNT, SBATCH_TIMELIMIT.\n"
            f"cd {shlex.quote(str(jobs))} || exit 1\n"
            "shards=$(sbatch --parsable --output=shard-%a.log shards.sh) || exit 1\n"
            'sbatch --dependency="afterok:${shards%%;*}" --output=join.log join.sh\n'
        )
    echo(f"{jobs}: shards.sh, join.sh, submit.sh", quiet=quiet)
    submit = shlex.join(["sh", str(jobs / "submit.sh")])
    if shutil.which("sbatch") is None:
        raise UserError("there is no sbatch on this machine", where=jobs, hint=f"run {submit} on one with Slurm")
    result = subprocess.run(["sh", str(jobs / "submit.sh")], capture_output=True, text=True)
    if result.returncode:
        raise UserError(f"sbatch failed: {result.stderr}", where=jobs, hint=f"correct the files and run {submit}")
    echo(result.stdout.strip(), quiet=quiet)
