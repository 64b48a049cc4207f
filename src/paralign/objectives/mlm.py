"""Masked language modeling: on single sentences (MLM) and on concatenated pairs (TLM)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from paralign.batches.views import Batch
from paralign.encoder import Encoder
from paralign.objectives.base import Objective, ObjectiveConfig, Step, masked_loss

__all__ = ["MaskedLM", "TranslationLM"]


class MaskedLM(Objective):
    """Masked language modeling (Devlin et al. 2019), each side of a pair as a separate sequence.

    With ``moco`` it is the ablation "TLM→MLM" of PPA; alone, on the same pairs, it is the control.

    Reads ``text``. Loss ``mlm``, a mean over masked pieces.
    """

    name: ClassVar[str] = "mlm"
    reads: ClassVar[tuple[str, ...]] = ("text",)
    needs_logits: ClassVar[bool] = True

    def __init__(self, config: ObjectiveConfig, encoder: Encoder) -> None:
        super().__init__(config, encoder)
        self._chance = math.log(encoder.template.vocabulary)

    def counts(self, batch: Batch) -> Mapping[str, int]:
        """Count masked pieces."""
        return {self.name: len(batch.view(self.reads[0]).masked)}

    def forward(self, step: Step) -> Mapping[str, Tensor]:
        """Return the summed cross-entropy of masked pieces."""
        return {self.name: masked_loss(step, self.reads[0])}

    def chance(self) -> Mapping[str, float]:
        """Return log V: all pieces are equally likely."""
        return {self.name: self._chance}


class TranslationLM(MaskedLM):
    """Translation language modeling (Conneau and Lample 2019) as in PPA (Pan et al. 2021, section 2.2).

    The input is [CLS] A [SEP] B [SEP], without language embeddings and without restarting positions. The same coin as
    for MoCo decides which side comes first.

    Reads ``joint``. Loss ``tlm``, a mean over masked pieces.
    """

    name: ClassVar[str] = "tlm"
    reads: ClassVar[tuple[str, ...]] = ("joint",)
