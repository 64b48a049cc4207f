"""Word alignment by distance: contextual vectors of linked words become more similar."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from paralign.batches.views import Batch, PairBatch, View, linked_words, take_rows
from paralign.device import on_device
from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.objectives.base import LayerConfig, Objective, ObjectiveConfig, Step
from paralign.objectives.frozen_copy import frozen_copy
from paralign.objectives.linked_words import linked_word_vectors
from paralign.ragged import ranges

__all__ = ["WordL2", "WordL2Config"]


class WordL2Config(LayerConfig):
    """Settings under ``[word_l2]``."""

    anchor: float = Field(default=1.0, ge=0)
    """Weight of the regularizer, times ``weight``."""
    pivot: str = "en"
    """The language whose vectors the regularizer keeps close to their initial values."""


class WordL2(Objective):
    """Squared distance of linked words (Cao, Kitaev and Klein 2020, equation 1), with a regularizer.

    The vector of a word is the mean of the hidden states of its pieces. The regularizer is the squared distance
    between the states of the pivot language's pieces and their states in the initial encoder (equation 2); without it
    all vectors could collapse.

    Reads ``first`` and ``second``. Losses ``word_l2``, a mean over links, and ``word_l2_anchor``, a mean over the
    pieces of the pivot language, special ones excluded.
    """

    name: ClassVar[str] = "word_l2"
    reads: ClassVar[tuple[str, ...]] = ("first", "second")
    needs_links: ClassVar[bool] = True
    Config: ClassVar[type[ObjectiveConfig]] = WordL2Config
    config: WordL2Config

    def __init__(self, config: WordL2Config, encoder: Encoder) -> None:
        super().__init__(config, encoder)
        self.initial = frozen_copy(encoder) if config.anchor else None

    def weights(self) -> Mapping[str, float]:
        """Return the weights of the distance and of the regularizer."""
        return {self.name: self.config.weight, f"{self.name}_anchor": self.config.weight * self.config.anchor}

    def counts(self, batch: Batch) -> Mapping[str, int]:
        """Count links, and pieces of the pivot language."""
        links = len(linked_words(batch, "first", "second").rows)
        pieces = sum(int((~view.special).sum()) for _, _, view in self._pivot(batch)) if self.config.anchor else 0
        return {self.name: links, f"{self.name}_anchor": pieces}

    def forward(self, step: Step) -> Mapping[str, Tensor]:
        """Return the summed squared distances."""
        first, second = linked_word_vectors(step, linked_words(step.batch, "first", "second"), self.config.layer)
        distance = (first - second).square().sum()
        anchor = distance.new_zeros(())
        if self.initial is not None:
            self.initial.eval()
            layer = self.initial.layer_number(self.config.layer)
            for name, rows, view in self._pivot(step.batch):
                with torch.no_grad():
                    initial = self.initial.encode_layers(view, [layer])[0].flat
                full_view = step.batch.view(name)
                positions = ranges(full_view.starts[rows], full_view.lengths[rows])
                inner = np.flatnonzero(~view.special)
                states = step.hidden(name, layer).at(positions[inner])
                index = on_device(inner, states.device)
                anchor = anchor + (states.float() - initial.index_select(0, index).float()).square().sum()
        return {self.name: distance, f"{self.name}_anchor": anchor + 0 * distance}

    def _pivot(self, batch: Batch) -> list[tuple[str, np.ndarray, View]]:
        """Return the sentences of the pivot language: name of the view, rows in it, and a view of these rows alone.

        Both views are returned, even without such rows: the processes of a sharded encoder encode at the same time.
        """
        assert isinstance(batch, PairBatch)
        pivot = self.config.pivot
        if pivot not in batch.languages:
            hint = f"--set word_l2.pivot={batch.languages[0]}, or word_l2.anchor=0"
            raise UserError(f"there is no text in the pivot language {pivot!r}", hint=hint)
        chosen = [(name, np.flatnonzero(batch.in_language(name, pivot))) for name in self.reads]
        return [(name, rows, take_rows(batch.view(name), rows)) for name, rows in chosen]
