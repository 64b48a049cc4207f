"""Training on word links, with the loss of awesome-align (Dou and Neubig 2021)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from paralign.batches.views import Batch, PairBatch, linked_words
from paralign.device import on_device
from paralign.objectives.base import LayerConfig, Objective, ObjectiveConfig, Step
from paralign.objectives.sentence_units import (
    Unit,
    alignment_loss,
    alignment_probabilities,
    locate_units,
    padded_units,
)
from paralign.ragged import row_ids

__all__ = ["GoldLinks", "GoldLinksConfig"]


class GoldLinksConfig(LayerConfig):
    """Settings under ``[gold_links]``."""

    scale: float = Field(default=1.0, gt=0)
    """Factor of the dot products; see ``[self_training]``."""
    unit: Unit = "piece"
    """What is linked: ``piece`` or ``word``, whose vector is the mean of its pieces."""


class GoldLinks(Objective):
    """The loss of ``self_training`` with word links (AccAlign, OmniAlign).

    The links are those of ``--links``, gold or from any aligner, or those that the run computes.

    Reads ``first`` and ``second``. Loss ``gold_links``, a mean over pairs.
    """

    name: ClassVar[str] = "gold_links"
    reads: ClassVar[tuple[str, ...]] = ("first", "second")
    needs_links: ClassVar[bool] = True
    Config: ClassVar[type[ObjectiveConfig]] = GoldLinksConfig
    config: GoldLinksConfig

    def counts(self, batch: Batch) -> Mapping[str, int]:
        """Count pairs."""
        return {self.name: batch.size}

    def forward(self, step: Step) -> Mapping[str, Tensor]:
        """Return the summed loss of all pairs."""
        batch = step.batch
        linked = linked_words(batch, *self.reads)
        assert isinstance(batch, PairBatch)
        units = [locate_units(batch, name, self.config.unit) for name in self.reads]
        x, y = (padded_units(step, n, u, self.config.layer) for n, u in zip(self.reads, units, strict=True))
        n, m = (on_device(of_side.sizes, x.device) for of_side in units)
        # Every piece of a word with every piece of its translation.
        first, second = linked.pieces()
        rows = row_ids(batch.view("first").lengths)[first]
        links = np.zeros((batch.size, x.shape[1], y.shape[1]), np.float32)
        links[rows, units[0].of_positions(first), units[1].of_positions(second)] = 1
        with torch.autocast(x.device.type, enabled=False):
            row, column = alignment_probabilities(x, y, n, m, self.config.scale)
            total = alignment_loss(row, column, on_device(links, row.device), n, m).sum()
        return {self.name: total}
