"""ALIGN-MLM's objective: rows of the embedding table that translate each other are drawn together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from paralign.encoder import Encoder
from paralign.languages.dictionary import Dictionary
from paralign.objectives.base import Gather, Objective, ObjectiveConfig, Step
from paralign.text.draws import seed_for
from paralign.text.views import Batch

__all__ = ["Static", "StaticConfig"]


class StaticConfig(ObjectiveConfig):
    """Settings under ``[static]``."""

    weight: float = Field(default=10.0, ge=0)
    """ALIGN-MLM's α."""
    distance: Literal["cosine", "l2"] = "cosine"
    """What is minimised: minus the cosine, or the squared distance."""
    sample: int | None = Field(default=None, ge=1)
    """Entries drawn anew for each step; all of them by default."""


class Static(Objective):
    """Alignment of static embeddings (Tang et al. 2022, ALIGN-MLM, section 2).

    L = -α · mean over dictionary pairs of cos(E[i], E[j]), E the input embedding table alone, tied to the output layer;
    both sides get the gradient, there are no negatives. A word of several pieces is the mean of their rows.

    Reads no view; loss ``static``, a mean over dictionary entries.
    """

    name: ClassVar[str] = "static"
    reads: ClassVar[tuple[str, ...]] = ()
    needs_dictionary: ClassVar[bool] = True
    Config: ClassVar[type[ObjectiveConfig]] = StaticConfig
    config: StaticConfig

    def __init__(self, config: StaticConfig, encoder: Encoder, dictionary: Dictionary) -> None:
        super().__init__(config, encoder)
        self.entries = len(dictionary)
        for side in (0, 1):
            flat, starts = map(torch.from_numpy, dictionary.side(side))
            self.register_buffer(f"pieces_{side}", flat, persistent=False)
            self.register_buffer(f"starts_{side}", starts, persistent=False)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self._seed = seed_for(torch.initial_seed() % (1 << 62))
        self._cosine = 0.0

    def counts(self, batch: Batch) -> Mapping[str, int]:
        """Dictionary entries."""
        return {self.name: min(self.entries, self.config.sample or self.entries)}

    def forward(self, step: Step) -> Mapping[str, Tensor]:
        """Minus the summed cosines, or the summed squared distances."""
        chosen = self._chosen()
        first, second = (self._rows(step.encoder.embeddings, side, chosen) for side in (0, 1))
        if self.config.distance == "l2":
            return {self.name: (first - second).square().sum()}
        total = nn.functional.cosine_similarity(first, second, dim=1).sum()
        self._cosine = float(total.detach()) / max(1, len(first))
        return {self.name: -total}

    def _chosen(self) -> Tensor | None:
        """The entries of this step; the same for all slices of its batch."""
        wanted, steps = self.config.sample, self.get_buffer("steps")
        if wanted is None or wanted >= self.entries:
            return None
        generator = torch.Generator().manual_seed(seed_for(self._seed, int(steps)))
        return torch.randperm(self.entries, generator=generator)[:wanted].to(steps.device)

    def _rows(self, table: Tensor, side: int, chosen: Tensor | None) -> Tensor:
        flat, starts = self.get_buffer(f"pieces_{side}"), self.get_buffer(f"starts_{side}")
        if len(flat) == self.entries:  # all words are single pieces
            return table.index_select(0, flat if chosen is None else flat.index_select(0, chosen)).float()
        means = nn.functional.embedding_bag(flat, table, starts, mode="mean").float()
        return means if chosen is None else means.index_select(0, chosen)

    def after_step(self, encoder: Encoder, gather: Gather) -> None:
        """Count steps, which draw the entries."""
        self.get_buffer("steps").add_(1)

    def metrics(self) -> Mapping[str, float]:
        """Mean cosine of the entries."""
        return {} if self.config.distance == "l2" else {"static_cosine": self._cosine}
