"""Summary of one call of `run`: what was measured, what failed, what was skipped and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import record
from stages import STAGES

__all__ = ["summarize"]

WIDTH = 130


def summarize(results: Path, start: float, out: Path) -> str:
    """Return the latest line of each measurement; failures and skips of earlier calls are left out."""
    last: dict[tuple[str, str], dict[str, Any]] = {}
    for line in record.read_lines(results):
        key = (line["stage"], line["name"])
        if line["status"] == "measured" or line["time"] >= int(start):
            last[key] = line
    rows, stage = [], ""
    names = [stage.name for stage in STAGES]
    for (name, item), line in sorted(last.items(), key=lambda entry: names.index(entry[0][0])):
        if name != stage:
            stage = name
            rows.append(f"{name}  ({line.get('device', 'not started')}, {line.get('commit')})")
        text = _format(line["value"]) if line["status"] == "measured" else f"{line['status']}: {line['reason']}"
        before = "" if line["time"] >= int(start) else " (earlier)"
        rows.append(f"  {item}{before}: {text}"[:WIDTH])
    return "\n".join([*rows, f"figures: {results}; logs: {out}/*.log"])


def _format(value: dict[str, Any]) -> str:
    """Format the figures of a measurement."""
    shown = []
    for key, item in value.items():
        if isinstance(item, dict) and "median" in item:
            item = item["median"]
        if isinstance(item, bool) or not isinstance(item, int | float | str):
            continue
        shown.append(f"{key} {item:,.4g}" if isinstance(item, float) else f"{key} {item}")
    return ", ".join(shown)
