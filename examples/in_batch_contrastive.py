"""An objective in one file outside the package: symmetric InfoNCE between the two sides of the pairs of a batch.

    paralign align --model base/encoder --pairs en-de=smallworld --recipe ppa-mini --out runs/in-batch \
        --set 'objectives=["tlm", "in_batch_contrastive:InBatchContrast"]' --set in_batch.temperature=0.1

Run it in the folder of this file, or with that folder on PYTHONPATH. docs/add-an-objective.md explains it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from paralign.batches.views import Batch
from paralign.objectives import Objective, ObjectiveConfig, Step


class InBatchConfig(ObjectiveConfig):
    """Settings, as ``--set in_batch.temperature=0.1``; ``weight`` is inherited."""

    temperature: float = Field(default=0.05, gt=0)
    pool: Literal["cls", "mean"] = "mean"


class InBatchContrast(Objective):
    """InfoNCE between translations in both directions; the negatives of a pair are the other pairs of its slice.

    Both sides have a gradient. The loss ``in_batch`` is a mean over pairs of ½ (first → second) + ½ (second → first).
    """

    name: ClassVar[str] = "in_batch"
    reads: ClassVar[tuple[str, ...]] = ("first", "second")
    Config: ClassVar[type[ObjectiveConfig]] = InBatchConfig
    config: InBatchConfig

    def counts(self, batch: Batch) -> Mapping[str, int]:
        """Return the number of pairs."""
        return {self.name: batch.size}

    def forward(self, step: Step) -> Mapping[str, Tensor]:
        """Return the sum of the loss over the pairs of the slice."""
        pooled = [step.hidden(view).pool(self.config.pool).float() for view in self.reads]
        first, second = (F.normalize(vectors, dim=1) for vectors in pooled)
        ids = torch.from_numpy(step.batch.ids).to(first.device)
        positions = torch.arange(len(first)).to(first.device)
        repeated = (ids[:, None] == ids) & (positions[:, None] != positions)  # the same pair again is no negative
        with torch.autocast(first.device.type, enabled=False):
            logits = (first @ second.T / self.config.temperature).masked_fill(repeated, -torch.inf)
        forward, backward = (F.cross_entropy(rows, positions, reduction="sum") for rows in (logits, logits.T))
        return {self.name: (forward + backward) / 2}
