"""Tagging: part of speech and named entities. The first piece of each word is labeled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from paralign.encoder import Encoder
from paralign.formats.conllu import UPOS, write_conllu
from paralign.formats.items import Tagged, Tree
from paralign.formats.lines import write_lines
from paralign.formats.tagged_columns import to_bio
from paralign.metrics.spans import span_counts, tag_runs
from paralign.sources.readers import read_tagged, read_trees
from paralign.tasks.base import TaskConfig
from paralign.tasks.dataset import Dataset
from paralign.tasks.example_batches import Example
from paralign.tasks.label_task import LabelTask
from paralign.tasks.supervised import ItemScores
from paralign.tasks.word_rows import word_rows

__all__ = ["EntityConfig", "NamedEntities", "PartOfSpeech"]

Ints = npt.NDArray[np.int64]


class _Tagging(LabelTask):
    """Base class of the tagging tasks. ``names`` returns the labels, ``labels`` the tags of an item."""

    def examples(self, encoder: Encoder, items: Sequence[Any], language: str | None) -> list[Example]:
        """Return rows in which every word is labeled once; long sentences are split between words."""
        number = {label: k for k, label in enumerate(self.names())}
        # Labels without a name in the head, such as types of entities absent from training, cannot be predicted.
        tags = [np.array([number.get(tag, 0) for tag in self.labels(item)], np.int64) for item in items]
        rows = []
        for index, _, row in word_rows(encoder, items, language, self.cut):
            labels = tags[index][row.labels] if len(tags[index]) else np.zeros(len(row.labels), np.int64)
            rows.append(Example(row.pieces, row.targets, labels, index))
        return rows

    def answer(self, item: Any, parts: Sequence[tuple[Example, Any]]) -> list[str]:
        """Return the most probable tag of each word."""
        names = self.names()
        return [names[k] for _, log_probabilities in parts for k in log_probabilities.argmax(1)]

    def texts(self, item: Any) -> Sequence[str]:
        """Return the sentence."""
        return (item.text,)


class PartOfSpeech(_Tagging):
    """UPOS tagging of CoNLL-U treebanks: accuracy over syntactic words, and F1 over runs of equal tags."""

    name: ClassVar[str] = "pos"

    def names(self) -> Sequence[str]:
        """Return the 17 universal tags."""
        return UPOS

    def read(
        self, spec: str, *, lenient: bool, dropped: Counter[str], limit: int | None, labeled: bool = True
    ) -> Dataset[Tree]:
        """Read ``LANG=FILE.conllu`` (also ``.gz``, ``.zst``) or ``LANG=smallworld:START-STOP``."""
        return Dataset.of_text(spec, read_trees, limit=limit, dropped=dropped, lenient=lenient, labeled=labeled)

    def labels(self, item: Tree) -> Sequence[str]:
        """Return the tags."""
        return item.upos

    def score_item(self, item: Tree, answer: Sequence[str], language: str) -> ItemScores:
        """Score accuracy over words, and F1 over runs of equal tags, which ALIGN-MLM reports (seqeval's F1)."""
        right = sum(a == b for a, b in zip(item.upos, answer, strict=True))
        gold, predicted = set(tag_runs(item.upos)), set(tag_runs(answer))
        return {
            "accuracy": (float(right), float(len(item.upos))),
            "f1": (2.0 * len(gold & predicted), float(len(gold) + len(predicted))),
        }

    def baseline_answers(self, data: Dataset[Tree]) -> Mapping[str, Callable[[Tree], list[str]]]:
        """Return the baseline ``majority``, the most frequent tag."""
        most = Counter(tag for tree in data for tag in tree.upos).most_common(1)[0][0]
        return {"majority": lambda item: [most] * len(item.upos)}

    def write(self, path: Path, answered: Iterable[tuple[Tree, Sequence[str]]]) -> list[Path]:
        """Write CoNLL-U with predicted UPOS; all else is as in the file that was read."""
        write_conllu((replace(tree, upos=tuple(tags)) for tree, tags in answered), path, predicted=("upos",))
        return [path]


class EntityConfig(TaskConfig):
    """Settings of named-entity recognition."""

    scheme: Literal["bio", "conll"] = "bio"
    """``bio``: an I- without B- is an error; ``conll``: it begins an entity, as in conlleval and seqeval, and the tags
    of BIOES, BILOU and BMES are read too."""
    word_column: int | None = Field(default=None, ge=1)
    """Column of the words in a file, from 1. None: the first."""
    tag_column: int | None = Field(default=None, ge=1)
    """Column of the tags in a file, from 1. None: the last."""
    types: tuple[str, ...] = ()
    """Types of entities. Empty: those of the training data."""


class NamedEntities(_Tagging):
    """Named entities in columns (PAN-X, CoNLL-2002/2003): F1, precision and recall as in seqeval, token accuracy."""

    name: ClassVar[str] = "ner"
    Config: ClassVar[type[TaskConfig]] = EntityConfig

    def names(self) -> Sequence[str]:
        """Return O, and B- and I- of each type."""
        return ("O", *(f"{prefix}-{entity}" for entity in self.config.types for prefix in "BI"))

    def fit(self, data: Sequence[Dataset[Tagged]]) -> None:
        """Read the types of entities from the training data."""
        if not self.config.types:
            types = {tag[2:] for dataset in data for item in dataset for tag in item.tags if tag != "O"}
            self.config = self.config.model_copy(update={"types": tuple(sorted(types))})

    def read(
        self, spec: str, *, lenient: bool, dropped: Counter[str], limit: int | None, labeled: bool = True
    ) -> Dataset[Tagged]:
        """Read ``LANG=FILE``, a word and its tag on each line, or ``LANG=smallworld:START-STOP``."""
        columns = (self.config.word_column, self.config.tag_column)
        form = {"scheme": self.config.scheme, "columns": columns}
        return Dataset.of_text(
            spec, read_tagged, limit=limit, dropped=dropped, lenient=lenient, labeled=labeled, **form
        )

    def labels(self, item: Tagged) -> Sequence[str]:
        """Return the tags."""
        return item.tags

    def score_item(self, item: Tagged, answer: Sequence[str], language: str) -> ItemScores:
        """Score micro F1, precision and recall over entities, and accuracy over words."""
        correct, gold, predicted = span_counts(item.tags, answer)
        right = sum(a == b for a, b in zip(item.tags, answer, strict=True))
        return {
            "f1": (2.0 * correct, float(gold + predicted)),
            "precision": (float(correct), float(predicted)),
            "recall": (float(correct), float(gold)),
            "accuracy": (float(right), float(len(item.tags))),
        }

    def baseline_answers(self, data: Dataset[Tagged]) -> Mapping[str, Callable[[Tagged], list[str]]]:
        """Return the baseline ``majority``, no entity anywhere."""
        return {"majority": lambda item: ["O"] * len(item.tags)}

    def write(self, path: Path, answered: Iterable[tuple[Tagged, Sequence[str]]]) -> list[Path]:
        """Write word, tab and predicted tag on each line, and a blank line after each sentence.

        A predicted I- that does not continue an entity begins one, as in the scores, and is written as B-.
        """
        write_lines(
            path,
            (
                line
                for item, tags in answered
                for line in (*(f"{word}\t{tag}" for word, tag in zip(item.words, to_bio(tags), strict=True)), "")
            ),
        )
        return [path]
