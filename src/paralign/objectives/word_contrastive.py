"""Word alignment by contrast: a word finds its translation among the words of the batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from paralign.device import on_device
from paralign.objectives.base import Objective, ObjectiveConfig, Step
from paralign.objectives.linked import word_keys, word_vectors
from paralign.text.views import Batch, linked_words

__all__ = ["WordContrast", "WordContrastConfig"]


class WordContrastConfig(ObjectiveConfig):
    """Settings under ``[word_contrastive]``."""

    temperature: float = Field(default=0.1, gt=0)
    negatives: Literal["other", "both"] = "both"
    """Words of the other side of the batch (weak alignment), or of both sides (strong alignment)."""


class WordContrast(Objective):
    """Contrastive word alignment (Wu and Dredze 2020, section 3.3): cosine of contextual vectors over a temperature.

    For every link and both directions the translation is told from the other linked words of the slice of the batch;
    its other translations, and words that share a translation with it, are no negatives. A word's vector is the mean of
    its pieces' last states.

    Reads ``first`` and ``second``; loss ``word_contrastive``, a mean over links of both directions' mean.
    """

    name: ClassVar[str] = "word_contrastive"
    reads: ClassVar[tuple[str, ...]] = ("first", "second")
    needs_links: ClassVar[bool] = True
    Config: ClassVar[type[ObjectiveConfig]] = WordContrastConfig
    config: WordContrastConfig
    _found: float | None = None

    def counts(self, batch: Batch) -> Mapping[str, int]:
        """Links."""
        return {self.name: len(linked_words(batch, "first", "second").rows)}

    def forward(self, step: Step) -> Mapping[str, Tensor]:
        """Summed loss of all links."""
        linked = linked_words(step.batch, "first", "second")
        words = [F.normalize(some, dim=1) for some in word_vectors(step, linked)]
        with torch.autocast(words[0].device.type, enabled=False):
            same = [on_device(keys[:, None] == keys, words[0].device) for keys in word_keys(linked)]
            # By both words of each link: which other sides' words translate it, and which own ones share a translation.
            ones, others = same[0].float(), same[1].float()
            translates = (ones @ others > 0, others @ ones > 0)
            shares = (ones @ others @ ones > 0, others @ ones @ others > 0)
            total = words[0].sum() * 0
            found = 0.0
            for way, (one, other) in enumerate(((words[0], words[1]), (words[1], words[0]))):
                scores = one @ other.T / self.config.temperature
                here = torch.eye(len(one), dtype=torch.bool, device=one.device)
                scores = scores.masked_fill(translates[way] & ~here, -torch.inf)
                if self.config.negatives == "both":
                    beside = (one @ one.T / self.config.temperature).masked_fill(shares[way], -torch.inf)
                    scores = torch.cat([scores, beside], 1)
                target = torch.arange(len(one), device=one.device)
                total = total + F.cross_entropy(scores, target, reduction="sum") / 2
                found += float((scores.detach().argmax(1) == target).float().sum()) / 2 if len(one) else 0.0
        self._found = found / len(linked.rows) if len(linked.rows) else None
        return {self.name: total}

    def metrics(self) -> Mapping[str, float]:
        """Share of links whose translation is nearer than all others."""
        return {} if self._found is None else {f"{self.name}_accuracy": self._found}
