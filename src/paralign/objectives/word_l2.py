"""Word alignment by distance: contextual vectors of linked words are drawn together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from paralign.device import on_device
from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.objectives.base import Objective, ObjectiveConfig, Step
from paralign.objectives.linked import word_vectors
from paralign.text.ragged import stretches
from paralign.text.views import Batch, PairBatch, View, linked_words, take_rows

__all__ = ["WordL2", "WordL2Config"]


class WordL2Config(ObjectiveConfig):
    """Settings under ``[word_l2]``."""

    anchor: float = Field(default=1.0, ge=0)
    """Weight of the regulariser, times ``weight``."""
    pivot: str = "en"
    """The language whose vectors the regulariser holds to what they were."""


class WordL2(Objective):
    """Squared distance of linked words (Cao, Kitaev and Klein 2020, equation 1), and a regulariser.

    A word's vector is the mean of its pieces' last states. The regulariser is the squared distance of the pivot
    language's pieces from their states in the encoder as it was at the beginning of the run (equation 2), without which
    all vectors could fall together.

    Reads ``first`` and ``second``; losses ``word_l2``, a mean over links, and ``word_l2_anchor``, a mean over the
    pivot's pieces without specials.
    """

    name: ClassVar[str] = "word_l2"
    reads: ClassVar[tuple[str, ...]] = ("first", "second")
    needs_links: ClassVar[bool] = True
    Config: ClassVar[type[ObjectiveConfig]] = WordL2Config
    config: WordL2Config

    def __init__(self, config: WordL2Config, encoder: Encoder) -> None:
        super().__init__(config, encoder)
        self.initial = encoder.headless_twin() if config.anchor else None

    def weights(self) -> Mapping[str, float]:
        """The distance, and the regulariser at its own weight."""
        return {self.name: self.config.weight, f"{self.name}_anchor": self.config.weight * self.config.anchor}

    def counts(self, batch: Batch) -> Mapping[str, int]:
        """Links, and pieces of the pivot."""
        links = len(linked_words(batch, "first", "second").rows)
        pieces = sum(int((~view.special).sum()) for _, _, view in self._pivot(batch)) if self.config.anchor else 0
        return {self.name: links, f"{self.name}_anchor": pieces}

    def forward(self, step: Step) -> Mapping[str, Tensor]:
        """Summed squared distances."""
        first, second = word_vectors(step, linked_words(step.batch, "first", "second"))
        distance = (first - second).square().sum()
        held = distance.new_zeros(())
        if self.initial is not None:
            self.initial.eval()
            for name, rows, view in self._pivot(step.batch):
                with torch.no_grad():
                    before = self.initial.encode(view).flat
                whole = step.batch.view(name)
                place = stretches(whole.starts[rows], whole.lengths[rows])
                inner = np.flatnonzero(~view.special)
                now = step.hidden(name).at(place[inner])
                kept = on_device(inner, now.device)
                held = held + (now.float() - before.index_select(0, kept).float()).square().sum()
        return {self.name: distance, f"{self.name}_anchor": held + 0 * distance}

    def _pivot(self, batch: Batch) -> list[tuple[str, np.ndarray, View]]:
        """The pivot's sentences: in which view, which rows, and alone."""
        assert isinstance(batch, PairBatch)
        pivot = self.config.pivot
        if pivot not in batch.languages:
            mend = f"--set word_l2.pivot={batch.languages[0]}, or word_l2.anchor=0"
            raise UserError(f"no text is in the pivot language {pivot!r}", mend=mend)
        chosen = [(name, np.flatnonzero(batch.speaks(name, pivot))) for name in self.reads]
        return [(name, rows, take_rows(batch.view(name), rows)) for name, rows in chosen if len(rows)]
