"""Contrastive word alignment: distinguish a word's translation from the other words of the batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from paralign.batches.views import Batch, linked_words
from paralign.device import on_device
from paralign.objectives.base import Objective, ObjectiveConfig, Step
from paralign.objectives.linked_words import linked_word_ids, linked_word_vectors

__all__ = ["WordContrast", "WordContrastConfig"]


class WordContrastConfig(ObjectiveConfig):
    """Settings under ``[word_contrastive]``."""

    temperature: float = Field(default=0.1, gt=0)
    negatives: Literal["other", "both"] = "both"
    """``other``: words of the other side of the batch (weak alignment); ``both``: of both sides (strong alignment)."""


class WordContrast(Objective):
    """Contrastive word alignment (Wu and Dredze 2020, section 3.3): cosines of contextual vectors over a temperature.

    For every link and in both directions, the translation of a word is distinguished from the other linked words of the
    slice. Other translations of the word, and words that share a translation with it, are not negatives. The vector of
    a word is the mean of the last hidden states of its pieces.

    Reads ``first`` and ``second``. Loss ``word_contrastive``, a mean over links of the mean of both directions.
    """

    name: ClassVar[str] = "word_contrastive"
    reads: ClassVar[tuple[str, ...]] = ("first", "second")
    needs_links: ClassVar[bool] = True
    Config: ClassVar[type[ObjectiveConfig]] = WordContrastConfig
    config: WordContrastConfig
    _accuracy: float | None = None

    def counts(self, batch: Batch) -> Mapping[str, int]:
        """Count links."""
        return {self.name: len(linked_words(batch, "first", "second").rows)}

    def forward(self, step: Step) -> Mapping[str, Tensor]:
        """Return the summed loss of all links."""
        linked = linked_words(step.batch, "first", "second")
        words = [F.normalize(vectors, dim=1) for vectors in linked_word_vectors(step, linked)]
        with torch.autocast(words[0].device.type, enabled=False):
            same_word = [on_device(ids[:, None] == ids, words[0].device) for ids in linked_word_ids(linked)]
            # For the words of each link: which words of the other side translate them, and which words of their own
            # side share a translation with them.
            first, second = same_word[0].float(), same_word[1].float()
            translates = (first @ second > 0, second @ first > 0)
            shares = (first @ second @ first > 0, second @ first @ second > 0)
            total = words[0].sum() * 0
            correct = 0.0
            for direction, (queries, keys) in enumerate(((words[0], words[1]), (words[1], words[0]))):
                logits = queries @ keys.T / self.config.temperature
                diagonal = torch.eye(len(queries), dtype=torch.bool, device=queries.device)
                logits = logits.masked_fill(translates[direction] & ~diagonal, -torch.inf)
                if self.config.negatives == "both":
                    same_side = queries @ queries.T / self.config.temperature
                    logits = torch.cat([logits, same_side.masked_fill(shares[direction], -torch.inf)], 1)
                target = torch.arange(len(queries), device=queries.device)
                total = total + F.cross_entropy(logits, target, reduction="sum") / 2
                correct += float((logits.detach().argmax(1) == target).float().sum()) / 2 if len(queries) else 0.0
        self._accuracy = correct / len(linked.rows) if len(linked.rows) else None
        return {self.name: total}

    def metrics(self) -> Mapping[str, float]:
        """Return the share of links whose translation is more similar than all negatives."""
        return {} if self._accuracy is None else {f"{self.name}_accuracy": self._accuracy}
