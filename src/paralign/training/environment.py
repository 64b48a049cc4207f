"""What identical results depend on besides data and settings."""

from __future__ import annotations

from typing import Any

import torch

__all__ = ["REASON_FOR_ROUNDING", "describe_environment"]

REASON_FOR_ROUNDING = "note: threads, processes, precision or the PyTorch version changed: equal up to rounding"


def describe_environment(ranks: int, precision: str) -> dict[str, Any]:
    """Return threads, processes, version of PyTorch and precision of this run, which a checkpoint records."""
    return {"threads": torch.get_num_threads(), "ranks": ranks, "torch": torch.__version__, "precision": precision}
