"""Output of every benchmark: a small table, the machine, and a JSON object on the last line."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from paralign.version import __version__

__all__ = ["current_commit", "facts", "finish", "median_of", "table"]

_LOAD = os.getloadavg()[0]  # before the benchmark itself adds to it


def current_commit() -> str:
    """Return the commit of this repository, shortened to twelve digits."""
    command = ["git", "rev-parse", "--short=12", "HEAD"]
    return subprocess.run(command, cwd=Path(__file__).parent, check=True, capture_output=True, text=True).stdout.strip()


def facts(*, torch_too: bool = False) -> dict[str, Any]:
    """Return processor, cores, load and versions; with ``torch_too`` also threads and accelerator (imports torch)."""
    out: dict[str, Any] = {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load_before": round(_LOAD, 2),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "paralign": __version__,
    }
    if torch_too:
        import torch

        cuda = torch.cuda.is_available()
        out |= {
            "torch": torch.__version__,
            "transformers": version("transformers"),
            "threads": torch.get_num_threads(),
            "accelerator": torch.cuda.get_device_name() if cuda else "none",
        }
    return out


def _processor() -> str:
    cpus = Path("/proc/cpuinfo")
    lines = cpus.read_text(encoding="utf-8").splitlines() if cpus.exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor()


def median_of(values: Sequence[float]) -> dict[str, Any]:
    """Return the median, minimum and maximum of repeats, and the repeats themselves."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    median = ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
    return {"median": median, "min": ordered[0], "max": ordered[-1], "each": list(values)}


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table as text; the first column is aligned left, the others right."""
    every = [list(head), *map(list, rows)]
    widths = [max(len(row[k]) for row in every) for k in range(len(head))]
    lines = [
        "  ".join(
            cell.ljust(width) if k == 0 else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in every
    ]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def finish(benchmark: str, result: dict[str, Any], *, torch_too: bool = False) -> None:
    """Print the machine, and everything as one JSON object on the last line."""
    machine = facts(torch_too=torch_too)
    print("\nmachine: " + ", ".join(f"{key} {value}" for key, value in machine.items()))
    print(json.dumps({"benchmark": benchmark, "machine": machine, **_rounded(result)}))
    sys.stdout.flush()


def _rounded(value: Any) -> Any:
    """Round to six significant digits, which is more than clocks resolve here."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list) else value
