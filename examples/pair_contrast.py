"""An objective in one file outside the package: symmetric InfoNCE between the two sides of the pairs of a batch.

    paralign align --model base/encoder --pairs en-de=smallworld --recipe ppa-mini --out runs/pair-contrast \
        --set 'objectives=["tlm", "pair_contrast:PairContrast"]' --set pair_contrast.temperature=0.1

Run it in the folder of this file, or with that folder on PYTHONPATH. docs/add-an-objective.md explains it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from paralign.batches.views import Batch
from paralign.objectives import GlobalObjective, ObjectiveConfig, Step


class PairContrastConfig(ObjectiveConfig):
    """Settings, as ``--set pair_contrast.temperature=0.1``; ``weight`` is inherited."""

    temperature: float = Field(default=0.05, gt=0)
    pool: Literal["cls", "mean"] = "mean"


class PairContrast(GlobalObjective):
    """InfoNCE between translations in both directions; the negatives of a pair are the other pairs of the batch.

    Both sides have a gradient. The loss ``pair_contrast`` is a mean over pairs of ½ (first → second) + ½ (second →
    first).
    """

    name: ClassVar[str] = "pair_contrast"
    reads: ClassVar[tuple[str, ...]] = ("first", "second")
    Config: ClassVar[type[ObjectiveConfig]] = PairContrastConfig
    config: PairContrastConfig

    def counts(self, batch: Batch) -> Mapping[str, int]:
        """Return the number of pairs."""
        return {self.name: batch.size}

    def represent(self, step: Step) -> Tensor:
        """Return the vectors of both sides of each pair. Shape: [n, 2, d]."""
        pooled = [step.hidden(view).pool(self.config.pool).float() for view in self.reads]
        return F.normalize(torch.stack(pooled, 1), dim=2)

    def identify(self, batch: Batch) -> npt.NDArray[np.int64]:
        """Return the id of each pair. Shape: [n, 1]."""
        return batch.ids[:, None]

    def losses(self, vectors: Tensor, identities: npt.NDArray[np.int64]) -> Tensor:
        """Return the loss of each pair of the whole batch."""
        logits = vectors[:, 0] @ vectors[:, 1].T / self.config.temperature
        repeated = (identities == identities.T) & ~np.eye(len(identities), dtype=bool)
        logits = logits.masked_fill(torch.from_numpy(repeated).to(logits.device), -torch.inf)
        target = torch.arange(len(logits), device=logits.device)
        forward, backward = (F.cross_entropy(rows, target, reduction="none") for rows in (logits, logits.T))
        return (forward + backward) / 2
