"""Are losses, gradients, links and scores those of the CPU? Runs the tests marked `gpu` on this device.

This file is also a pytest plug-in that reports each test as soon as it ends: OUT/tests.jsonl keeps its row, however
the run ends.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from context import Context, Measurement

ROOT = Path(__file__).resolve().parents[3]
REPORT = "PARALIGN_TEST_REPORT"
FILES = ("objectives", "attention", "heads", "trainer", "words", "evaluation", "commands", "dropout", "compile")
"""Of tests/gpu, the most important first; others that are there come behind them."""
TINY = ("objectives", "heads", "trainer")


def measurements(context: Context) -> list[Measurement]:
    """One for each file of tests; all are one process."""
    from context import Measurement

    there = {path.stem.removeprefix("test_") for path in (ROOT / "tests/gpu").glob("test_*.py")}
    names = TINY if context.tiny else (*FILES, *sorted(there - set(FILES)))
    tests = Tests(names, context.out / "tests.jsonl", str(context.device))
    return [Measurement(name, lambda name=name: tests.of(name)) for name in names]


class Tests:
    """A run of pytest, started when the first of its files is asked for.

    Args:
        names: of the files, without `test_`.
        path: where each test's row is added.
        device: they run on.
    """

    def __init__(self, names: tuple[str, ...], path: Path, device: str) -> None:
        self._names, self._path, self._device = names, path, device
        self._process: subprocess.Popen[bytes] | None = None
        self._rows: list[dict[str, Any]] = []
        self._at = 0

    def of(self, name: str) -> dict[str, Any]:
        """What the tests of a file found, once they have ended.

        Raises:
            RuntimeError: if one failed, or none ran.
        """
        if self._process is None:
            self._start(self._names[self._names.index(name) :])
        assert self._process is not None
        began, file = time.monotonic(), f"test_{name}.py"
        while True:
            over = self._process.poll() is not None
            self._read()
            seen = [row["test"].partition("::")[0] == file for row in self._rows]
            if over or (any(seen) and not seen[-1]):
                break
            time.sleep(0.1)
        rows = [row for row, own in zip(self._rows, seen, strict=True) if own]
        counts = Counter(row["outcome"] for row in rows)
        failed = [row for row in rows if row["outcome"] == "failed"]
        if failed:
            told = f"{failed[0]['test'].partition('::')[2]}: {failed[0]['message']}"
            raise RuntimeError(f"{len(failed)} of {len(rows)} tests failed, the first {told}")
        if not rows:
            raise RuntimeError(f"no test of {file} ran: pytest ended with {self._process.returncode}")
        return {**counts, **_largest(rows), "waited_s": time.monotonic() - began,
                "tests": {row["test"].partition("::")[2]: _figures(row) for row in rows}}  # fmt: skip

    def _start(self, names: tuple[str, ...]) -> None:
        self._path.touch()
        self._at = self._path.stat().st_size
        own = {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]),
               REPORT: str(self._path), "PARALIGN_TEST_DEVICE": self._device}  # fmt: skip
        files = [f"tests/gpu/test_{name}.py" for name in names]
        # No session of its own: it is stopped with the stage.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *files, "-m", "gpu", "-q", "-p", "correct", "-p", "no:cacheprovider"],
            cwd=ROOT,
            env=os.environ | own,
        )

    def _read(self) -> None:
        with self._path.open("rb") as file:
            file.seek(self._at)
            lines, newline, _ = file.read().rpartition(b"\n")
        self._at += len(lines) + len(newline)
        self._rows += [json.loads(line) for line in lines.splitlines()]


def pytest_runtest_logreport(report: Any) -> None:
    """Add a row for a test that has ended (pytest calls this)."""
    ended = report.when == "call" or report.outcome != "passed"
    if REPORT not in os.environ or not ended:
        return
    row = {"test": report.nodeid.rpartition("/")[2], "outcome": report.outcome, "seconds": round(report.duration, 2),
           **dict(report.user_properties)}  # fmt: skip
    if report.failed:
        row["message"] = str(getattr(getattr(report.longrepr, "reprcrash", None), "message", report.longrepr))[-600:]
    elif report.skipped:
        row["message"] = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
    with Path(os.environ[REPORT]).open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def _figures(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in ("test", "outcome")}


def _largest(rows: list[dict[str, Any]]) -> dict[str, float]:
    """The largest of each deviation; that of bf16 apart from that of fp32."""
    out: dict[str, float] = {}
    for row in rows:
        half = "bf16" in row["test"]
        for key, value in _figures(row).items():
            if isinstance(value, float) and key != "seconds":
                name = f"{key}_bf16" if half and "bf16" not in key else key
                out[f"largest_{name}"] = max(value, out.get(f"largest_{name}", 0.0))
    return out
