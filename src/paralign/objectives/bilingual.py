"""AlignLM's bilingual prediction: predict a masked word from the words that translate it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from paralign.batches.views import Batch, linked_words
from paralign.device import on_device
from paralign.encoder import Encoder
from paralign.objectives.base import Batches, Gather, Objective, ObjectiveConfig, Step

__all__ = ["BilingualConfig", "BilingualPrediction"]

Ints = npt.NDArray[np.int64]


class BilingualConfig(ObjectiveConfig):
    """Settings under ``[bilingual]``; ``weight`` is AlignLM's λ."""

    combine: Literal["mean", "sum"] = "mean"
    """How to combine the states of linked pieces: by ``mean``, or by ``sum`` (equation 5 as printed)."""


class BilingualPrediction(Objective):
    """Bilingual prediction (Yang et al. 2021, AlignLM, equations 5 to 8). AlignLM's monolingual prediction is ``tlm``.

    H' = A·H combines the states of the pieces linked with a masked piece, and H~ = W2·H' + b2. The logits come from the
    vocabulary head with W3 in place of its dense layer. The state of the masked piece itself is not used. W2 starts as
    the identity and W3 as a copy of the head's dense layer; the rest of the head is shared.

    Reads ``joint``. Loss ``bilingual``, a mean over the masked pieces that have a link.
    """

    name: ClassVar[str] = "bilingual"
    reads: ClassVar[tuple[str, ...]] = ("joint",)
    needs_logits: ClassVar[bool] = True
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

    def prepare(self, encoder: Encoder, batches: Batches, rank: int, ranks: int, gather: Gather) -> None:
        """Copy the dense layer of a new head, which was trained after this objective was created."""
        if encoder.head_is_new:
            self.dense.load_state_dict(encoder.head_dense().state_dict())

    @classmethod
    def check(cls, encoder: Encoder) -> None:
        """Check that there is a vocabulary head with a dense layer."""
        super().check(encoder)
        encoder.head_dense()

    def counts(self, batch: Batch) -> Mapping[str, int]:
        """Count masked pieces that have a link."""
        return {self.name: len(_linked_masked(batch)[0])}

    def forward(self, step: Step) -> Mapping[str, Tensor]:
        """Return the summed cross-entropy of the masked pieces that have a link."""
        view = step.batch.view("joint")
        chosen, target, source = _linked_masked(step.batch)
        self.measure("bilingual_linked", len(chosen), len(view.masked))
        states = step.hidden("joint").at(source).to(self.bridge.weight.dtype)
        owner = on_device(target, states.device)
        total = states.new_zeros(len(chosen), states.shape[1]).index_add(0, owner, states)
        if self.config.combine == "mean":
            total = total / on_device(np.bincount(target, minlength=len(chosen)), states.device).unsqueeze(1)
        logits = step.encoder.logits(self.bridge(total), self.dense)
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        labels = on_device(view.labels[chosen], logits.device)
        return {self.name: nn.functional.cross_entropy(logits, labels, reduction="sum")}


def _linked_masked(batch: Batch) -> tuple[Ints, Ints, Ints]:
    """Return which masked pieces have links, and to which pieces.

    Returns:
        Indices into the view's ``masked`` of the pieces with a link, of shape [c]; for each linked piece, the index
        from 0 to c - 1 of the piece that is predicted from it, and its position in the view, both of shape [x].
    """
    view = batch.view("joint")
    first, second = linked_words(batch, "joint", "joint").pieces()
    ends, other_ends = np.concatenate([first, second]), np.concatenate([second, first])  # A is symmetric
    masked_index = np.full(len(view.ids), -1, np.int64)
    masked_index[view.masked] = np.arange(len(view.masked))
    used = np.flatnonzero(masked_index[ends] >= 0)
    # Two linked words may share a piece: each state counts once.
    pairs = np.unique(masked_index[ends[used]] * len(view.ids) + other_ends[used])
    target, source = pairs // max(1, len(view.ids)), pairs % max(1, len(view.ids))
    chosen, group = np.unique(target, return_inverse=True)
    return chosen, group.astype(np.int64), source
