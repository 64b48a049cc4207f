"""Self-training on the encoder's own word links (awesome-align, Dou and Neubig 2021)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from paralign.batches.views import Batch, PairBatch
from paralign.device import on_device
from paralign.objectives.base import LayerConfig, Objective, ObjectiveConfig, Step
from paralign.objectives.sentence_units import (
    Unit,
    alignment_loss,
    alignment_probabilities,
    locate_units,
    padded_units,
)

__all__ = ["SelfTraining", "SelfTrainingConfig"]


class SelfTrainingConfig(LayerConfig):
    """Settings under ``[self_training]``."""

    threshold: float = Field(default=0.001, ge=0, lt=1)
    """Units are linked if both softmaxes exceed it."""
    scale: float = Field(default=1.0, gt=0)
    """Factor of the dot products. awesome-align's 1 suits mBERT; encoders with vectors of other norms need another,
    so that neither softmax is flat or one-hot."""
    unit: Unit = "piece"
    """What is linked: ``piece`` or ``word``, whose vector is the mean of its pieces."""


class SelfTraining(Objective):
    """The self-training objective of awesome-align (Dou and Neubig 2021, section 2.3).

    Two units of a pair are linked if their dot product is large in the softmaxes over both sentences; the probabilities
    of these links are raised.

    Reads ``first`` and ``second``. Loss ``self_training``, a mean over pairs.
    """

    name: ClassVar[str] = "self_training"
    reads: ClassVar[tuple[str, ...]] = ("first", "second")
    Config: ClassVar[type[ObjectiveConfig]] = SelfTrainingConfig
    config: SelfTrainingConfig

    def counts(self, batch: Batch) -> Mapping[str, int]:
        """Count pairs."""
        return {self.name: batch.size}

    def forward(self, step: Step) -> Mapping[str, Tensor]:
        """Return the summed loss of all pairs."""
        assert isinstance(step.batch, PairBatch)
        units = [locate_units(step.batch, name, self.config.unit) for name in self.reads]
        x, y = (padded_units(step, n, u, self.config.layer) for n, u in zip(self.reads, units, strict=True))
        n, m = (on_device(of_side.sizes, x.device) for of_side in units)
        with torch.autocast(x.device.type, enabled=False):
            row, column = alignment_probabilities(x, y, n, m, self.config.scale)
            links = ((row > self.config.threshold) & (column > self.config.threshold)).detach()
            total = alignment_loss(row, column, links, n, m).sum()
        self.measure("self_training_links", links.sum(), int(units[0].sizes.sum()))
        return {self.name: total}
