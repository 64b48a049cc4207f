"""An objective in one file outside the package: symmetric InfoNCE between the two sides of a batch's pairs.

    paralign align --model base/encoder --pairs en-de=smallworld --recipe ppa-mini --out runs/in-batch \
        --set 'objectives=["tlm", "in_batch_contrastive:InBatchContrast"]' --set in_batch.temperature=0.1

Run it where this file lies, or with its folder on PYTHONPATH. docs/add-an-objective.md explains it.
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
    """The translation is to be nearer than every other sentence of the slice, in both directions.

    Both sides have a gradient; the negatives of a pair are the other pairs of its slice. Loss ``in_batch``, a
    mean over pairs of ½ (first → second) + ½ (second → first).
    """

    name: ClassVar[str] = "in_batch"
    reads: ClassVar[tuple[str, ...]] = ("first", "second")
    Config: ClassVar[type[ObjectiveConfig]] = InBatchConfig
    config: InBatchConfig

    def counts(self, batch: Batch) -> Mapping[str, int]:
        """Pairs."""
        return {self.name: batch.size}

    def forward(self, step: Step) -> Mapping[str, Tensor]:
        """Summed loss of the slice's pairs."""
        pooled = [step.hidden(view).pool(self.config.pool).float() for view in self.reads]
        first, second = (F.normalize(vectors, dim=1) for vectors in pooled)
        ids, here = (
            torch.from_numpy(step.batch.ids).to(first.device),
            torch.arange(len(first)).to(first.device),
        )
        twice = (ids[:, None] == ids) & (here[:, None] != here)  # the same pair drawn again is no negative
        with torch.autocast(first.device.type, enabled=False):
            scores = (first @ second.T / self.config.temperature).masked_fill(twice, -torch.inf)
        there, back = (F.cross_entropy(s, here, reduction="sum") for s in (scores, scores.T))
        return {self.name: (there + back) / 2}
