"""Self-training on the encoder's own word links (awesome-align, Dou and Neubig 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field
from torch import Tensor

from paralign.batches.views import PairBatch
from paralign.objectives.base import ObjectiveConfig
from paralign.objectives.sentence_units import UnitAlignment, UnitAlignmentConfig, Units

__all__ = ["SelfTraining", "SelfTrainingConfig"]


class SelfTrainingConfig(UnitAlignmentConfig):
    """Settings under ``[self_training]``."""

    threshold: float = Field(default=0.001, ge=0, lt=1)
    """Units are linked if both softmaxes exceed it."""


class SelfTraining(UnitAlignment):
    """The self-training objective of awesome-align (Dou and Neubig 2021, section 2.3).

    Two units of a pair are linked if their dot product is large in the softmaxes over both sentences; the probabilities
    of these links are raised.

    Reads ``first`` and ``second``. Loss ``self_training``, a mean over pairs.
    """

    name: ClassVar[str] = "self_training"
    Config: ClassVar[type[ObjectiveConfig]] = SelfTrainingConfig
    config: SelfTrainingConfig

    def links(self, batch: PairBatch, units: Sequence[Units], row: Tensor, column: Tensor) -> Tensor:
        """Link the units whose probabilities exceed the threshold on both sides."""
        links = ((row > self.config.threshold) & (column > self.config.threshold)).detach()
        self.measure("self_training_links", links.sum(), int(units[0].sizes.sum()))
        return links
