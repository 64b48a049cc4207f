"""All stages, each in a process of its own that is stopped at its limit. Needs the standard library only."""

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
"""Seconds between asking a stage to stop and killing it."""


def run(pack: Path | None, out: Path, seconds: float, tiny: bool, only: list[str] | None) -> int:
    """Run the stages and print a summary.

    Returns:
        0 if nothing failed, 1 if something did, 2 if paralign cannot be imported here.
    """
    end = time.time() + seconds
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that a stage's processes end with this one
    out.mkdir(parents=True, exist_ok=True)
    packages = out.resolve() / "packages"
    wrong = wheels.install(pack, packages)
    if wrong:
        print(f"error: {wrong}", file=sys.stderr)
        return 2
    # The clone's own sources come first: they are what `code` and `commit` of a line name.
    path = [str(record.ROOT / "src"), str(packages), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path), "TOKENIZERS_PARALLELISM": "false"}
    if tiny:  # such small products only wait for each other
        environment.setdefault("OMP_NUM_THREADS", "1")
    results, begun = out / "results.jsonl", time.time()
    failed = False
    for stage in STAGES:
        if only and stage.name not in only:
            continue
        limit = min(stage.tiny if tiny else stage.seconds, end - time.time())
        if limit < 1:
            record.append(results, _skipped(stage, "*", tiny, "no time left for this stage"))
            continue
        print(f"{stage.name}: at most {limit:.0f} s", flush=True)
        ended = _stage(stage, pack, out, tiny, limit, environment)
        failed = failed or ended != "done"
        for name in _unmade(out, stage, results, begun):
            record.append(results, _skipped(stage, name, tiny, ended))
    print("\n" + summary.of(results, begun, out), flush=True)
    return int(failed)


def _stage(stage: Stage, pack: Path | None, out: Path, tiny: bool, limit: float, environment: dict[str, str]) -> str:
    """Run a stage; how it ended, in words for its measurements that were not made."""
    state = out / f"{stage.name}.state.json"
    state.unlink(missing_ok=True)
    command = [sys.executable, str(Path(__file__).parent), "stage", stage.name, "--out", str(out)]
    command += ["--until", str(time.time() + limit), *(["--tiny"] if tiny else [])]
    command += ["--pack", str(pack)] if pack else []
    log = out / f"{stage.name}.log"
    with log.open("a", encoding="utf-8") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        )
        try:
            code = process.wait(timeout=limit)
        except subprocess.TimeoutExpired:
            code = None
        finally:  # what the stage started ends with it, however it ended
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
                continue  # the group may have others that did not listen
    process.wait()


def _unmade(out: Path, stage: Stage, results: Path, begun: float) -> list[str]:
    """Names of a stage's measurements without a line of this call: the one that was stopped and those after it."""
    state = out / f"{stage.name}.state.json"
    if not state.exists():
        return ["*"]
    known = json.loads(state.read_text(encoding="utf-8"))
    if known["running"] is None:
        return []
    after = known["items"][known["items"].index(known["running"]) :]
    made = {line["name"] for line in record.lines_of(results)
            if line["stage"] == stage.name and line.get("time", 0) >= int(begun)}  # fmt: skip
    return [name for name in after if name not in made]


def _skipped(stage: Stage, name: str, tiny: bool, reason: str) -> dict[str, Any]:
    return {"stage": stage.name, "name": name, "status": "skipped", "reason": reason, "tiny": tiny,
            "time": round(time.time())}  # fmt: skip
