"""Keep the mean of translations where it was in the initial encoder."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from torch import Tensor

from paralign.batches.views import Batch, linked_words
from paralign.encoder import Encoder
from paralign.objectives.base import LayerConfig, Objective, ObjectiveConfig, Step
from paralign.objectives.frozen_copy import frozen_copy
from paralign.objectives.linked_words import linked_word_vectors

__all__ = ["Anchor", "AnchorConfig", "anchor_loss"]


class AnchorConfig(LayerConfig):
    """Settings under ``[anchor]``."""

    pool: Literal["cls", "mean"] = "mean"
    """Sentence vector: ``cls``, or ``mean`` over pieces, special ones excluded."""


def anchor_loss(first: Tensor, second: Tensor, initial_first: Tensor, initial_second: Tensor) -> Tensor:
    """Return ‖(x + y)/2 − (x⁰ + y⁰)/2‖² of vectors of translations.

    Args:
        first, second: vectors of both sides. Shape of each: [n, d].
        initial_first, initial_second: the same vectors in the initial encoder. Shape of each: [n, d].

    Returns:
        The loss of each pair, of shape [n].

    >>> anchor_loss(torch.ones(1, 3), -torch.ones(1, 3), torch.zeros(1, 3), torch.zeros(1, 3)).tolist()
    [0.0]
    """
    return ((first + second) / 2 - (initial_first + initial_second) / 2).square().sum(1)


class _Anchor(Objective):
    """The part that both anchors share: the frozen encoder."""

    reads: ClassVar[tuple[str, ...]] = ("first", "second")

    def __init__(self, config: LayerConfig, encoder: Encoder) -> None:
        super().__init__(config, encoder)
        self.initial = frozen_copy(encoder)

    @abstractmethod
    def _vectors(self, step: Step) -> tuple[Tensor, Tensor]:
        """Return the vectors to keep, of both sides."""

    def forward(self, step: Step) -> Mapping[str, Tensor]:
        """Return the summed squared distance of the means from the initial ones."""
        with torch.no_grad():
            before = self._vectors(Step(self.initial.eval(), step.batch, self.requests(self.initial)))
        return {self.name: anchor_loss(*self._vectors(step), *before).sum()}


class Anchor(_Anchor):
    """Keep the mean of the two sentence vectors of a pair where it was (as SALT and OmniSONAR do).

    The means of the two sides cannot drift, while the sides may approach each other. Alone it lets them drift apart: it
    belongs to an objective that aligns.

    Reads ``first`` and ``second``. Loss ``anchor``, a mean over pairs.
    """

    name: ClassVar[str] = "anchor"
    Config: ClassVar[type[ObjectiveConfig]] = AnchorConfig
    config: AnchorConfig

    def counts(self, batch: Batch) -> Mapping[str, int]:
        """Count pairs."""
        return {self.name: batch.size}

    def _vectors(self, step: Step) -> tuple[Tensor, Tensor]:
        first, second = (step.hidden(v, self.config.layer).pool(self.config.pool).float() for v in self.reads)
        return first, second


class WordAnchor(_Anchor):
    """Like ``anchor``, for the vectors of linked words.

    Reads ``first`` and ``second``. Loss ``word_anchor``, a mean over links.
    """

    name: ClassVar[str] = "word_anchor"
    needs_links: ClassVar[bool] = True
    Config: ClassVar[type[ObjectiveConfig]] = LayerConfig
    config: LayerConfig

    def counts(self, batch: Batch) -> Mapping[str, int]:
        """Count links."""
        return {self.name: len(linked_words(batch, *self.reads).rows)}

    def _vectors(self, step: Step) -> tuple[Tensor, Tensor]:
        return linked_word_vectors(step, linked_words(step.batch, *self.reads), self.config.layer)
