"""AlignLM's bilingual prediction: a masked word is predicted from the words that translate it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from paralign.device import on_device
from paralign.encoder import Encoder
from paralign.objectives.base import Objective, ObjectiveConfig, Step
from paralign.text.views import Batch, linked_words

__all__ = ["BilingualConfig", "BilingualPrediction"]

Ints = npt.NDArray[np.int64]


class BilingualConfig(ObjectiveConfig):
    """Settings under ``[bilingual]``; ``weight`` is AlignLM's λ."""

    combine: Literal["mean", "sum"] = "mean"
    """States of the linked pieces: their mean, or their sum as equation 5 is printed."""


class BilingualPrediction(Objective):
    """Bilingual prediction (Yang et al. 2021, AlignLM, equations 5 to 8); ``tlm`` beside it is the monolingual one.

    H' = A·H, the states of the pieces linked with a masked piece; H~ = W2·H' + b2; then the vocabulary head with W3 in
    the place of its dense layer. The masked piece's own state is not used. W2 begins as the identity, W3 as a copy of
    the head's dense layer; what follows it, and the vocabulary rows, are the head's own.

    Reads ``joint``; loss ``bilingual``, a mean over the masked pieces that have a link.
    """

    name: ClassVar[str] = "bilingual"
    reads: ClassVar[tuple[str, ...]] = ("joint",)
    needs_scores: ClassVar[bool] = True
    needs_links: ClassVar[bool] = True
    Config: ClassVar[type[ObjectiveConfig]] = BilingualConfig
    config: BilingualConfig

    def __init__(self, config: BilingualConfig, encoder: Encoder) -> None:
        super().__init__(config, encoder)
        self.bridge = nn.Linear(encoder.width, encoder.width)
        with torch.no_grad():
            self.bridge.weight.copy_(torch.eye(encoder.width))
            self.bridge.bias.zero_()
        self.dense = copy.deepcopy(encoder.head_dense())
        self._share = 0.0

    @classmethod
    def check(cls, encoder: Encoder) -> None:
        """It needs a vocabulary head with a dense layer."""
        super().check(encoder)
        encoder.head_dense()

    def counts(self, batch: Batch) -> Mapping[str, int]:
        """Masked pieces that have a link."""
        return {self.name: len(_linked_masked(batch)[0])}

    def forward(self, step: Step) -> Mapping[str, Tensor]:
        """Summed cross-entropy of the masked pieces that have a link."""
        view = step.batch.view("joint")
        chosen, group, others = _linked_masked(step.batch)
        self._share = len(chosen) / max(1, len(view.masked))
        states = step.hidden("joint").at(others).to(self.bridge.weight.dtype)
        owner = on_device(group, states.device)
        total = states.new_zeros(len(chosen), states.shape[1]).index_add(0, owner, states)
        if self.config.combine == "mean":
            total = total / torch.bincount(owner, minlength=len(chosen)).unsqueeze(1)
        scores = step.encoder.scores_through(self.bridge(total), self.dense)
        scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
        labels = on_device(view.labels[chosen], scores.device)
        return {self.name: nn.functional.cross_entropy(scores, labels, reduction="sum")}

    def metrics(self) -> Mapping[str, float]:
        """Share of masked pieces that have a link."""
        return {"bilingual_linked": self._share}


def _linked_masked(batch: Batch) -> tuple[Ints, Ints, Ints]:
    """What is predicted from what.

    Returns:
        [c] indices into the view's ``masked`` of those that have a link; [x] for each state that is used, which of the
        c it is for; [x] its position in the view.
    """
    view = batch.view("joint")
    first, second = linked_words(batch, "joint", "joint").pieces()
    here, there = np.concatenate([first, second]), np.concatenate([second, first])  # A is symmetric
    place = np.full(len(view.ids), -1, np.int64)
    place[view.masked] = np.arange(len(view.masked))
    wanted = np.flatnonzero(place[here] >= 0)
    # Two linked words may share a piece: each state counts once.
    both = np.unique(place[here[wanted]] * len(view.ids) + there[wanted])
    target, source = both // max(1, len(view.ids)), both % max(1, len(view.ids))
    chosen, group = np.unique(target, return_inverse=True)
    return chosen, group.astype(np.int64), source
