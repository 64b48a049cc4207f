"""``paralign align`` in a separate process that is killed."""

from __future__ import annotations

import time
from pathlib import Path

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


def start(words: list[str]) -> Started:
    """Start a command."""
    log = Path(words[words.index("--out") + 1] + ".err")
    return Started(main, [words], log, {"OMP_NUM_THREADS": "1"})


def finish(words: list[str]) -> float:
    """Run a command in this process; return the seconds it took."""
    began = time.monotonic()
    assert main(words) == 0
    return time.monotonic() - began


def kill(words: list[str], after: float) -> bool:
    """Start a command and kill it some seconds after its first file; return False if it ended before."""
    out = Path(words[words.index("--out") + 1])
    before = _newest(out)
    process = start(words)
    while process.running() and _newest(out) == before:
        time.sleep(0.005)
    time.sleep(after)
    process.kill()
    assert process.ended() in (0, -9), process.said()
    return process.ended() == -9


def kill_when(words: list[str], there: Path) -> None:
    """Start a command and kill it as soon as a path exists."""
    process = start(words)
    while process.running() and not there.exists():
        time.sleep(0.005)
    process.kill()
    assert process.ended() == -9, process.said()


def _newest(out: Path) -> int:
    try:
        return max((path.stat().st_mtime_ns for path in (out, *out.iterdir())), default=0)
    except OSError:
        return 0
