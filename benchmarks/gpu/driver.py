"""Run one stage in this process: its measurements in order, each recorded before the next one starts."""

from __future__ import annotations

import gc
import importlib
import json
import sys
import time
import traceback
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import record
import torch
from context import Context, Measurement, Skipped

from paralign.device import best_device

__all__ = ["run_stage"]


def run_stage(
    name: str, pack: Path | None, out: Path, tiny: bool, until: float, match: Sequence[str] | None = None
) -> int:
    """Make the measurements of a stage that are missing, or of those only the ones whose names match.

    Returns:
        1 if a measurement failed, else 0.
    """
    device = best_device()
    context = Context(device, tiny, pack.resolve() if pack else None, out.resolve(), until)
    key: dict[str, Any] = {"stage": name, "device": device_name(device), "tiny": tiny, "pack": pack is not None,
                           "code": record.code_digest(name)}  # fmt: skip
    facts = key | {"torch": torch.__version__, "transformers": version("transformers"),
                   "commit": record.current_commit(pack)}  # fmt: skip
    results, state = out / "results.jsonl", out / f"{name}.state.json"
    context.values |= record.measured_values(results, key)
    items = importlib.import_module(f"stages.{name}").measurements(context)
    items = [item for item in items if match is None or any(text in item.name for text in match)]
    names = [item.name for item in items]
    assert len(set(names)) == len(names), f"stage {name}: two measurements have the same name"
    failed = False
    for item in items:
        state.write_text(json.dumps({"items": names, "running": item.name}), encoding="utf-8")
        if item.name in context.values:
            print(f"{item.name}: measured before", flush=True)
            continue
        print(f"{item.name} ...", flush=True)
        line = facts | _measure(item, context)
        record.append(results, line)
        if line["status"] == "measured":
            context.values[item.name] = line["value"]
        failed = failed or line["status"] == "failed"
        shown = ("name", "status", "seconds", "value", "reason")
        print(json.dumps({field: line[field] for field in shown if field in line}), flush=True)
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    state.write_text(json.dumps({"items": names, "running": None}), encoding="utf-8")
    return int(failed)


def _measure(item: Measurement, context: Context) -> dict[str, Any]:
    start = time.perf_counter()
    try:
        if not context.tiny and context.left() < item.needs:
            context.skip(f"needs {item.needs:.0f} s, {max(0.0, context.left()):.0f} s are left")
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        outcome: dict[str, Any] = {"status": "measured", "value": record.rounded(item.run())}
    except Skipped as reason:
        outcome = {"status": "skipped", "reason": str(reason)}
    except Exception as error:  # an error in one measurement must not prevent the others
        traceback.print_exc(file=sys.stdout)
        lines = str(error).strip().splitlines() or [""]
        outcome = {"status": "failed", "reason": f"{type(error).__name__}: {lines[0]}"[:300]}
    return {"name": item.name, **outcome, "seconds": round(time.perf_counter() - start, 3), "time": round(time.time())}


def device_name(device: torch.device) -> str:
    """Return the name of the accelerator, or ``cpu``."""
    return torch.cuda.get_device_name() if device.type == "cuda" else device.type
