"""Run the stages, each in a process with a time limit. Uses only the standard library."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import record
import summary
import wheels
from stages import STAGES, Stage

__all__ = ["run"]

GRACE = 3.0
"""Seconds between SIGTERM and SIGKILL."""


def run(
    pack: Path | None, out: Path, seconds: float, tiny: bool, only: list[str] | None, match: list[str] | None = None
) -> int:
    """Run the stages and print a summary.

    Returns:
        0 if nothing failed, 1 if something failed, 2 if paralign cannot be imported here.
    """
    end = time.time() + seconds
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends the processes of a stage, too
    out.mkdir(parents=True, exist_ok=True)
    packages = out.resolve() / "packages"
    error = wheels.install(pack, packages)
    if error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    # The sources of this clone come first: `code` and `commit` in the results refer to them.
    path = [str(record.ROOT / "src"), str(packages), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path), "TOKENIZERS_PARALLELISM": "false"}
    if tiny:  # with such small matrix products, threads only wait for each other
        environment.setdefault("OMP_NUM_THREADS", "1")
    results, start = out / "results.jsonl", time.time()
    failed = False
    for stage in STAGES:
        if only and stage.name not in only:
            continue
        limit = min(stage.tiny if tiny else stage.seconds, end - time.time())
        if limit < 1:
            record.append(results, _skipped(stage, "*", tiny, "no time left for this stage"))
            continue
        print(f"{stage.name}: at most {limit:.0f} s", flush=True)
        outcome = _run(stage, pack, out, tiny, limit, environment, match)
        failed = failed or outcome != "done"
        for name in _missing(out, stage, results, start):
            record.append(results, _skipped(stage, name, tiny, outcome))
    print("\n" + summary.summarize(results, start, out), flush=True)
    return int(failed)


def _run(
    stage: Stage,
    pack: Path | None,
    out: Path,
    tiny: bool,
    limit: float,
    environment: dict[str, str],
    match: list[str] | None,
) -> str:
    """Run a stage and return ``done``, or the reason for which the rest of its measurements are missing."""
    state = out / f"{stage.name}.state.json"
    state.unlink(missing_ok=True)
    command = [sys.executable, str(Path(__file__).parent), "stage", stage.name, "--out", str(out)]
    command += ["--until", str(time.time() + limit), *(["--tiny"] if tiny else [])]
    command += ["--pack", str(pack)] if pack else []
    command += ["--match", *match] if match else []
    log = out / f"{stage.name}.log"
    with log.open("a", encoding="utf-8") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        )
        try:
            code = process.wait(timeout=limit)
        except subprocess.TimeoutExpired:
            code = None
        finally:  # also ends the processes that the stage started
            _stop(process)
    if code is None:
        return f"stopped after {limit:.0f} s"
    return "done" if code == 0 else f"the stage ended with exit code {code}: see {log.name}"


def _stop(process: subprocess.Popen[Any]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=GRACE)
            if number == signal.SIGTERM:
                continue  # other processes of the group may have ignored it
    process.wait()


def _missing(out: Path, stage: Stage, results: Path, start: float) -> list[str]:
    """Return the measurements without a line from this call: the one that was stopped and those after it."""
    state = out / f"{stage.name}.state.json"
    if not state.exists():
        return ["*"]
    status = json.loads(state.read_text(encoding="utf-8"))
    if status["running"] is None:
        return []
    after = status["items"][status["items"].index(status["running"]) :]
    recorded = {line["name"] for line in record.read_lines(results)
            if line["stage"] == stage.name and line.get("time", 0) >= int(start)}  # fmt: skip
    return [name for name in after if name not in recorded]


def _skipped(stage: Stage, name: str, tiny: bool, reason: str) -> dict[str, Any]:
    return {"stage": stage.name, "name": name, "status": "skipped", "reason": reason, "tiny": tiny,
            "time": round(time.time())}  # fmt: skip
