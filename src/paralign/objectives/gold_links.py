"""Training on word links, with the loss of awesome-align (Dou and Neubig 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from torch import Tensor

from paralign.batches.views import PairBatch, linked_words
from paralign.device import on_device
from paralign.objectives.base import ObjectiveConfig
from paralign.objectives.sentence_units import UnitAlignment, UnitAlignmentConfig, Units
from paralign.ragged import row_ids

__all__ = ["GoldLinks", "GoldLinksConfig"]


class GoldLinksConfig(UnitAlignmentConfig):
    """Settings under ``[gold_links]``."""


class GoldLinks(UnitAlignment):
    """The loss of ``self_training`` with word links (AccAlign, OmniAlign).

    The links are those of ``--links``, gold or from any aligner, or those that the run computes.

    Reads ``first`` and ``second``. Loss ``gold_links``, a mean over pairs.
    """

    name: ClassVar[str] = "gold_links"
    needs_links: ClassVar[bool] = True
    Config: ClassVar[type[ObjectiveConfig]] = GoldLinksConfig
    config: GoldLinksConfig

    def links(self, batch: PairBatch, units: Sequence[Units], row: Tensor, column: Tensor) -> Tensor:
        """Link every piece of a word with every piece of its translation."""
        first, second = linked_words(batch, *self.reads).pieces()
        rows = row_ids(batch.view("first").lengths)[first]
        links = np.zeros(row.shape, np.float32)
        links[rows, units[0].of_positions(first), units[1].of_positions(second)] = 1
        return on_device(links, row.device)
