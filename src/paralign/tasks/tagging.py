"""Tagging: part of speech and named entities. The first sub-word of each word is labeled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
import numpy.typing as npt

from paralign.encoder import Encoder
from paralign.formats.conllu import UPOS, write_conllu
from paralign.formats.items import Tagged, Tree
from paralign.formats.lines import write_lines
from paralign.metrics.spans import span_counts
from paralign.sources.readers import read_tagged, read_trees
from paralign.sources.specs import parse_text
from paralign.tasks.base import TaskConfig
from paralign.tasks.dataset import Dataset
from paralign.tasks.example_batches import Example, row_capacity
from paralign.tasks.label_head import LabelHead
from paralign.tasks.supervised import ItemScores, SupervisedTask
from paralign.text.words import Span, word_pieces

__all__ = ["EntityConfig", "NamedEntities", "PartOfSpeech", "word_rows"]

Ints = npt.NDArray[np.int64]


class Words(Protocol):
    """A sentence whose words are known."""

    @property
    def text(self) -> str:
        """The sentence."""
        ...

    @property
    def spans(self) -> tuple[Span, ...]:
        """Characters of each word."""
        ...


def word_rows(encoder: Encoder, sentences: Sequence[Words], cut: Counter[str]) -> Iterator[tuple[int, int, Example]]:
    """Rows that show every word once: long sentences are split between words.

    Args:
        encoder: for tokenizer and longest row.
        sentences: with the spans of their words.
        cut: counts what had to be fixed, by reason.

    Yields:
        index of the sentence, its first word in the row, and the row; its targets are the words' first pieces,
        its labels the words' numbers in the sentence.
    """
    space = row_capacity(encoder, 1)
    before = len(encoder.template.single[0])
    for index, (sentence, (ids, offsets)) in enumerate(
        zip(sentences, encoder.tokenize([sentence.text for sentence in sentences]), strict=True)
    ):
        if not len(ids):  # nothing but joiners or the like: its words are read at a mask
            cut["sentences the tokenizer makes no piece of"] += 1
            ids, offsets = np.array([encoder.template.mask_id]), np.array([[0, len(sentence.text)]])
        targets = word_pieces(offsets, sentence.spans)
        if (np.diff(targets) < 0).any():  # pieces in reverse: one row, of what has room
            cut["sentences in reverse cut"] += len(ids) > space
            targets = np.minimum(targets, space - 1)
            yield index, 0, Example((ids[:space],), targets + before, np.arange(len(targets)), index)
            continue
        start = 0
        while start < len(targets):
            begin = int(targets[start]) if start or targets[0] >= space else 0
            stop = int(np.searchsorted(targets, begin + space))
            end = int(targets[stop]) if stop < len(targets) else len(ids)
            pieces = ids[begin : min(end, begin + space)]
            yield index, start, Example((pieces,), targets[start:stop] - begin + before, np.arange(start, stop), index)
            start = stop


class _Tagging(SupervisedTask):
    """What tagging tasks share; ``tags`` names an item's tags, ``names`` the labels."""

    def names(self) -> Sequence[str]:
        raise NotImplementedError

    def head(self, encoder: Encoder) -> LabelHead:
        """A linear layer on the first piece of each word."""
        return LabelHead(encoder, self.names())

    def examples(self, encoder: Encoder, items: Sequence[Any]) -> list[Example]:
        """Every word is labeled once, long sentences are split between words."""
        number = {label: k for k, label in enumerate(self.names())}
        # A label the head does not know (a type of entity absent from its training) cannot be learnt or found.
        tags = [np.array([number.get(tag, 0) for tag in self.labels(item)], np.int64) for item in items]
        rows = []
        for index, _, row in word_rows(encoder, items, self.cut):
            labels = tags[index][row.labels] if len(tags[index]) else np.zeros(len(row.labels), np.int64)
            rows.append(Example(row.pieces, row.targets, labels, index))
        return rows

    def format_label(self, label: npt.NDArray[np.int64]) -> str:
        """The tag."""
        return self.names()[int(label)]

    def answer(self, item: Any, parts: Sequence[tuple[Example, Any]]) -> list[str]:
        """The most probable tag of each word."""
        names = self.names()
        return [names[k] for _, found in parts for k in found.argmax(1)]

    def texts(self, item: Any) -> Sequence[str]:
        """The sentence."""
        return (item.text,)


class PartOfSpeech(_Tagging):
    """UPOS tagging of CoNLL-U treebanks: accuracy over syntactic words."""

    name: ClassVar[str] = "pos"

    def names(self) -> Sequence[str]:
        """The 17 universal tags."""
        return UPOS

    def read(
        self, spec: str, *, lenient: bool, dropped: Counter[str], limit: int | None, labeled: bool = True
    ) -> Dataset[Tree]:
        """``LANG=FILE.conllu`` (also ``.gz``) or ``LANG=smallworld:START-STOP``."""
        where = parse_text(spec)

        def read(count: Counter[str]) -> Iterator[Tree]:
            return read_trees(where, lenient=lenient, dropped=count, labeled=labeled)

        return Dataset(spec, where.language, read, limit=limit, dropped=dropped)

    def labels(self, item: Tree) -> Sequence[str]:
        """The tags."""
        return item.upos

    def score_item(self, item: Tree, answer: Sequence[str], language: str) -> ItemScores:
        """Accuracy over words."""
        right = sum(a == b for a, b in zip(item.upos, answer, strict=True))
        return {"accuracy": (float(right), float(len(item.upos)))}

    def baseline_answers(self, data: Dataset[Tree]) -> Mapping[str, Callable[[Tree], list[str]]]:
        """The most frequent tag."""
        most = Counter(tag for tree in data for tag in tree.upos).most_common(1)[0][0]
        return {"majority": lambda item: [most] * len(item.upos)}

    def write(self, path: Path, answered: Iterable[tuple[Tree, Sequence[str]]]) -> list[Path]:
        """CoNLL-U with predicted UPOS."""
        write_conllu((replace(tree, upos=tuple(tags)) for tree, tags in answered), path)
        return [path]


class EntityConfig(TaskConfig):
    """Settings of named-entity recognition."""

    scheme: Literal["bio", "conll"] = "bio"
    """``bio``: an I- without its B- is an error; ``conll``: it begins an entity, as conlleval and seqeval read it."""
    types: tuple[str, ...] = ()
    """Types of entities; those of the training data by default."""


class NamedEntities(_Tagging):
    """Named entities in columns (PAN-X, CoNLL-2002/2003): span F1 as seqeval's, precision, recall, token accuracy."""

    name: ClassVar[str] = "ner"
    Config: ClassVar[type[TaskConfig]] = EntityConfig

    def names(self) -> Sequence[str]:
        """O, and B- and I- of each type."""
        return ("O", *(f"{mark}-{kind}" for kind in self.config.types for mark in "BI"))

    def fit(self, data: Sequence[Dataset[Tagged]]) -> None:
        """The types of entities in the training data."""
        if not self.config.types:
            found = {tag[2:] for one in data for item in one for tag in item.tags if tag != "O"}
            self.config = self.config.model_copy(update={"types": tuple(sorted(found))})

    def read(
        self, spec: str, *, lenient: bool, dropped: Counter[str], limit: int | None, labeled: bool = True
    ) -> Dataset[Tagged]:
        """``LANG=FILE``, one word and its tag a line, or ``LANG=smallworld:START-STOP``."""
        where, scheme = parse_text(spec), self.config.scheme

        def read(count: Counter[str]) -> Iterator[Tagged]:
            return read_tagged(where, scheme=scheme, lenient=lenient, dropped=count, labeled=labeled)

        return Dataset(spec, where.language, read, limit=limit, dropped=dropped)

    def labels(self, item: Tagged) -> Sequence[str]:
        """The tags."""
        return item.tags

    def score_item(self, item: Tagged, answer: Sequence[str], language: str) -> ItemScores:
        """Micro F1 over entities, its two halves, and accuracy over words."""
        correct, gold, predicted = span_counts(item.tags, answer)
        right = sum(a == b for a, b in zip(item.tags, answer, strict=True))
        return {
            "f1": (2.0 * correct, float(gold + predicted)),
            "precision": (float(correct), float(predicted)),
            "recall": (float(correct), float(gold)),
            "accuracy": (float(right), float(len(item.tags))),
        }

    def baseline_answers(self, data: Dataset[Tagged]) -> Mapping[str, Callable[[Tagged], list[str]]]:
        """No entity anywhere."""
        return {"majority": lambda item: ["O"] * len(item.tags)}

    def write(self, path: Path, answered: Iterable[tuple[Tagged, Sequence[str]]]) -> list[Path]:
        """Word, tab, predicted tag; a blank line after each sentence."""
        write_lines(
            path,
            (
                line
                for item, tags in answered
                for line in (*(f"{word}\t{tag}" for word, tag in zip(item.words, tags, strict=True)), "")
            ),
        )
        return [path]
