"""Batches of the store for tests of objectives."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from paralign.batches.views import ViewsConfig
from paralign.training import CorpusBatches, TrainingConfig


def corpus(store: Any, encoder: Any, *, batch: int = 12, seed: int = 0, **views: Any) -> CorpusBatches:
    """Global batches of the store."""
    training = TrainingConfig(batch=batch, seed=seed)
    return CorpusBatches(store, encoder.template, ViewsConfig(**views), training, longest=encoder.max_pieces)


def alone(rows: Tensor) -> Tensor:
    """Gathering where there is one process."""
    return rows
