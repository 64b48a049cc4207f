"""Topic classification of single sentences (SIB-200)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.formats.items import LabeledSentence
from paralign.formats.lines import write_lines
from paralign.sources.readers import read_labeled_sentences
from paralign.tasks.base import TaskConfig
from paralign.tasks.classification import Classification
from paralign.tasks.dataset import Dataset
from paralign.tasks.example_batches import Example
from paralign.tasks.supervised import ItemScores

__all__ = ["TopicConfig", "Topics"]


class TopicConfig(TaskConfig):
    """Settings of topic classification."""

    max_pieces: int = Field(default=164, ge=4)
    """Maximum sequence length, special tokens included, at most the encoder's. Longer sentences are truncated, and
    counted."""
    labels: tuple[str, ...] = ()
    """Names of the topics; by default those of the training data."""


class Topics(Classification):
    """Topic classification (SIB-200): accuracy, and macro F1 over the topics."""

    name: ClassVar[str] = "topics"
    Config: ClassVar[type[TaskConfig]] = TopicConfig
    training: ClassVar[Mapping[str, Any]] = {"epochs": 20}
    """SIB-200 has only 701 sentences for training: 21 steps per epoch."""
    statistics: ClassVar[Mapping[str, str]] = {"macro_f1": "macro_f1"}

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)
        self._unknown: dict[str, int] = {}
        """Numbers of topics that the training data do not have."""

    def names(self) -> Sequence[str]:
        """Return the topics."""
        return tuple(self.config.labels)

    def fit(self, data: Sequence[Dataset[LabeledSentence]]) -> None:
        """Read the topics from the training data.

        Raises:
            UserError: for a topic that is not one of ``task.labels``, if they are given.
        """
        labels = {item.label for dataset in data for item in dataset}
        if not self.config.labels:
            self.config = self.config.model_copy(update={"labels": tuple(sorted(labels))})
        elif unknown := sorted(labels - set(self.config.labels)):
            message = f"the training data have topics that task.labels does not have: {', '.join(unknown)}"
            raise UserError(message, hint="add them, or leave task.labels out")

    def read(
        self, spec: str, *, lenient: bool, dropped: Counter[str], limit: int | None, labeled: bool = True
    ) -> Dataset[LabeledSentence]:
        """Read ``LANG=PATH``: TSV with a header (``index_id``, ``category``, ``text``), or sentence and label."""
        return Dataset.of_text(
            spec, read_labeled_sentences, limit=limit, dropped=dropped, lenient=lenient, labeled=labeled
        )

    def examples(self, encoder: Encoder, items: Sequence[LabeledSentence], language: str | None) -> list[Example]:
        """Return one row for each sentence: [CLS] sentence [SEP]."""
        longest = min(self.config.max_pieces, encoder.max_pieces) - encoder.template.special_pieces()
        number = {label: k for k, label in enumerate(self.names())}
        rows = []
        for index, (item, (pieces, _)) in enumerate(
            zip(items, encoder.tokenize([item.text for item in items], language), strict=True)
        ):
            if len(pieces) > longest:
                self.cut[f"sentences cut to {min(self.config.max_pieces, encoder.max_pieces)} pieces"] += 1
            label = np.array([number.get(item.label, 0)])
            rows.append(Example((pieces[:longest],), np.zeros(1, np.int64), label, index))
        return rows

    def score_item(self, item: LabeledSentence, answer: str, language: str) -> ItemScores:
        """Score accuracy and macro F1; a topic that the training data do not have is always wrong."""
        numbers = float(self._number(item.label)), float(self._number(answer))
        return {**super().score_item(item, answer, language), "macro_f1": numbers}

    def _number(self, label: str) -> int:
        names = self.names()
        if label in names:
            return names.index(label)
        return len(names) + self._unknown.setdefault(label, len(self._unknown))

    def warnings(self, data: Dataset[LabeledSentence]) -> Sequence[str]:
        """Warn about topics that the training data do not have."""
        unknown = Counter(item.label for item in data if item.label and item.label not in self.names())
        if not unknown:
            return ()
        named = ", ".join(f"{label!r}" for label, _ in unknown.most_common(3))
        return (f"{unknown.total():,} sentences have topics that the training data do not have: {named}",)

    def texts(self, item: LabeledSentence) -> Sequence[str]:
        """Return the sentence."""
        return (item.text,)

    def write(self, path: Path, answered: Iterable[tuple[LabeledSentence, str]]) -> list[Path]:
        """Write two columns: sentence and predicted topic."""
        write_lines(path, (f"{item.text}\t{answer}" for item, answer in answered))
        return [path]
