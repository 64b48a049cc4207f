"""Stage ``correct``: the tests marked `gpu`, which compare this device with the CPU.

This file is also a pytest plug-in that writes a row of OUT/tests.jsonl as soon as a test ends, so that nothing is lost
if the run is stopped.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from context import Context, Measurement

ROOT = Path(__file__).resolve().parents[3]
REPORT = "PARALIGN_TEST_REPORT"
FILES = ("objectives", "attention", "heads", "trainer", "words", "evaluation", "commands", "dropout", "compile")
"""Files of tests/gpu, most important first; any other files follow."""
TINY = ("objectives", "heads", "trainer")


def measurements(context: Context) -> list[Measurement]:
    """Return one measurement for each test file; all files run in one process."""
    from context import Measurement

    existing = {path.stem.removeprefix("test_") for path in (ROOT / "tests/gpu").glob("test_*.py")}
    names = TINY if context.tiny else (*FILES, *sorted(existing - set(FILES)))
    tests = Tests(names, context.out / "tests.jsonl", str(context.device))
    return [Measurement(name, partial(tests.result, name)) for name in names]


class Tests:
    """A run of pytest, started when the result of the first file is requested.

    Args:
        names: names of the files, without `test_`.
        path: file to which the row of each test is appended.
        device: device of the tests.
    """

    def __init__(self, names: tuple[str, ...], path: Path, device: str) -> None:
        self._names, self._path, self._device = names, path, device
        self._process: subprocess.Popen[bytes] | None = None
        self._rows: list[dict[str, Any]] = []
        self._at = 0

    def result(self, name: str) -> dict[str, Any]:
        """Wait for the tests of a file and return their results.

        Raises:
            RuntimeError: if a test failed, or none ran.
        """
        if self._process is None:
            self._start(self._names[self._names.index(name) :])
        assert self._process is not None
        start, file = time.monotonic(), f"test_{name}.py"
        while True:
            ended = self._process.poll() is not None
            self._read()
            seen = [row["test"].partition("::")[0] == file for row in self._rows]
            if ended or (any(seen) and not seen[-1]):
                break
            time.sleep(0.1)
        rows = [row for row, own in zip(self._rows, seen, strict=True) if own]
        counts = Counter(row["outcome"] for row in rows)
        failed = [row for row in rows if row["outcome"] == "failed"]
        if failed:
            first = f"{failed[0]['test'].partition('::')[2]}: {failed[0]['message']}"
            raise RuntimeError(f"{len(failed)} of {len(rows)} tests failed, the first {first}")
        if not rows:
            raise RuntimeError(f"no test of {file} ran: pytest ended with {self._process.returncode}")
        return {**counts, **_largest(rows), "waited_s": time.monotonic() - start,
                "tests": {row["test"].partition("::")[2]: _figures(row) for row in rows}}  # fmt: skip

    def _start(self, names: tuple[str, ...]) -> None:
        self._path.touch()
        self._at = self._path.stat().st_size
        own = {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]),
               REPORT: str(self._path), "PARALIGN_TEST_DEVICE": self._device}  # fmt: skip
        files = [f"tests/gpu/test_{name}.py" for name in names]
        # It has no session of its own, so it is stopped with the stage.
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
    """Append a row for a test that has ended (called by pytest)."""
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
    """Return the largest value of each difference, separately for fp32 and bf16."""
    out: dict[str, float] = {}
    for row in rows:
        half = "bf16" in row["test"]
        for key, value in _figures(row).items():
            if isinstance(value, float) and key != "seconds":
                name = f"{key}_bf16" if half and "bf16" not in key else key
                out[f"largest_{name}"] = max(value, out.get(f"largest_{name}", 0.0))
    return out
