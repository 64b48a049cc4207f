"""``paralign align`` in a separate process that is killed."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from paralign.__main__ import main
from paralign.smallworld import World
from tests.processes import Started

SETTINGS = (
    "training.batch=8", "training.steps=16", "training.checkpoint_every=2", "training.log_every=1",
    "training.precision=fp32", "moco.queue=40", "moco.projection=8", "data.min_pieces=2",
)  # fmt: skip


def write_pairs(path: Path, pairs: range = range(120)) -> Path:
    """Write small-world pairs as TSV."""
    world = World(0)
    lines = (f"{world.sentence(i, 'en').text}\t{world.sentence(i, 'de').text}\n" for i in pairs)
    path.write_text("".join(lines), encoding="utf-8")
    return path


def command(base: Path, pairs: Path, out: Path, *more: str) -> list[str]:
    """Return the arguments of a short run."""
    settings = [word for setting in SETTINGS for word in ("--set", setting)]
    return [
        "align", "--model", str(base), "--pairs", f"en-de={pairs}",
        "--recipe", "ppa-mini", *settings, "--out", str(out), "--resume", "--quiet", *more,
    ]  # fmt: skip


def start(function: Callable[..., int], words: list[str], *more: str) -> Started:
    """Start a function in a separate process, with the arguments of a command and other ones."""
    log = Path(words[words.index("--out") + 1] + ".err")
    return Started(function, [words, *more], log, {"OMP_NUM_THREADS": "1"})


def finish(words: list[str]) -> float:
    """Run a command in this process; return the seconds it took."""
    began = time.monotonic()
    assert main(words) == 0
    return time.monotonic() - began


def kill(words: list[str], after: float) -> bool:
    """Start a command and kill it some seconds after its first file; return False if it ended before."""
    out = Path(words[words.index("--out") + 1])
    before = _newest(out)
    process = start(main, words)
    while process.running() and _newest(out) == before:
        time.sleep(0.005)
    time.sleep(after)
    process.kill()
    assert process.ended() in (0, -9), process.said()
    return process.ended() == -9


def kill_when(words: list[str], there: Path) -> None:
    """Start a command that is killed as soon as a file or folder has its final name."""
    process = start(_main_until, words, str(there))
    assert process.ended() == -signal.SIGKILL, process.said()


def _main_until(words: list[str], there: str) -> int:
    renamed = False

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        """Audit hook, which the interpreter calls before each operation."""
        nonlocal renamed
        if renamed and event != "os.kill":
            os.kill(os.getpid(), signal.SIGKILL)
        renamed = event == "os.rename" and os.fspath(arguments[1]) == there

    sys.addaudithook(watch)
    return main(words)


def _newest(out: Path) -> int:
    try:
        return max((path.stat().st_mtime_ns for path in (out, *out.iterdir())), default=0)
    except OSError:
        return 0
