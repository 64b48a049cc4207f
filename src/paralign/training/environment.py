"""What identical results depend on besides data and settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from paralign.config import difference
from paralign.version import __version__

__all__ = ["describe_change", "describe_environment"]


def describe_environment(ranks: int, precision: str, device: str) -> dict[str, Any]:
    """Return threads, processes, versions, precision and type of device of this run, which a checkpoint records."""
    return {
        "threads": torch.get_num_threads(),
        "ranks": ranks,
        "torch": torch.__version__,
        "precision": precision,
        "paralign": __version__,
        "device": device,
    }


def describe_change(was: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return a note on how results differ because a run is resumed in another environment."""
    # Each process has a dropout mask of its own for its share of the batch, and each type of device its generator.
    masks = was["ranks"] != now["ranks"] or was["device"] != now["device"]
    same = "results may differ" if was["paralign"] != now["paralign"] else "results are equal up to rounding"
    dropout = ", and dropout has other masks" if masks else ""
    was, now = ({"processes" if key == "ranks" else key: place[key] for key in place} for place in (was, now))
    return f"note: {difference(was, now)}: {same}{dropout}"
