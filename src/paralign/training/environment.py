"""What identical results depend on besides data and settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from paralign.config import difference

__all__ = ["describe_change", "describe_environment"]


def describe_environment(ranks: int, precision: str) -> dict[str, Any]:
    """Return threads, processes, version of PyTorch and precision of this run, which a checkpoint records."""
    return {"threads": torch.get_num_threads(), "ranks": ranks, "torch": torch.__version__, "precision": precision}


def describe_change(was: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return a note on how results differ because a run is resumed in another environment."""
    # Each process has a dropout mask of its own for its share of the batch.
    dropout = ", and dropout has other masks" if was["ranks"] != now["ranks"] else ""
    was, now = ({"processes" if key == "ranks" else key: place[key] for key in place} for place in (was, now))
    return f"note: {difference(was, now)}: results are equal up to rounding{dropout}"
