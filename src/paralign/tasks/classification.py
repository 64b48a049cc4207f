"""Classification by the state of [CLS]; of sentence pairs: natural language inference and paraphrase."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.formats.items import SentencePair
from paralign.formats.lines import write_lines
from paralign.sources.readers import read_sentence_pairs
from paralign.sources.specs import parse_text
from paralign.tasks.base import TaskConfig
from paralign.tasks.dataset import Dataset
from paralign.tasks.example_batches import Example
from paralign.tasks.label_task import LabelTask
from paralign.tasks.supervised import ItemScores

__all__ = ["Classification", "Inference", "PairConfig", "Paraphrase"]


class PairConfig(TaskConfig):
    """Settings of sentence-pair classification."""

    max_pieces: int = Field(default=128, ge=8)
    """Maximum sequence length, special tokens included (Pan et al. 2021, section 3.4). The longer sentence is truncated
    first; truncated rows are counted."""


class Classification(LabelTask):
    """Base class of tasks with one label for each row, read from the state of [CLS]. Items have a ``label``.

    A subclass defines :meth:`names`, ``read``, ``examples``, ``texts`` and ``write``.
    """

    accepts_causal: ClassVar[bool] = True

    def answer(self, item: Any, parts: Sequence[tuple[Example, Any]]) -> str:
        """Return the most probable label."""
        return self.names()[int(parts[0][1][0].argmax())]

    def score_item(self, item: Any, answer: str, language: str) -> ItemScores:
        """Score accuracy."""
        return {"accuracy": (float(item.label == answer), 1.0)}

    def labels(self, item: Any) -> Sequence[str]:
        """Return the label."""
        return (item.label,)

    def key(self, item: Any) -> str:
        """Return the id of the item."""
        return str(item.id)

    def baselines(self, data: Dataset[Any]) -> Mapping[str, Mapping[str, float]]:
        """Return the scores of chance, a random label of the head, and of the most frequent label of the set."""
        names = self.names()
        known = sum(item.label in names for item in data)  # a topic may be missing in the training data
        return {"chance": {"accuracy": known / len(data) / len(names)}, **super().baselines(data)}

    def baseline_answers(self, data: Dataset[Any]) -> Mapping[str, Callable[[Any], str]]:
        """Return the baseline ``majority``, the most frequent label."""
        most = Counter(item.label for item in data).most_common(1)[0][0]
        return {"majority": lambda item: most}


class _PairTask(Classification):
    """Base class of tasks on sentence pairs."""

    Config: ClassVar[type[TaskConfig]] = PairConfig
    training: ClassVar[Mapping[str, Any]] = {"epochs": 2}
    relations: ClassVar[tuple[str, ...]]
    """The labels."""

    def names(self) -> Sequence[str]:
        """Return the labels."""
        return self.relations

    def read(
        self, spec: str, *, lenient: bool, dropped: Counter[str], limit: int | None, labeled: bool = True
    ) -> Dataset[SentencePair]:
        """Read ``LANG=PATH``, three columns, TSV with a header or JSON lines; or ``LANG=smallworld:START-STOP``."""
        where = parse_text(spec)

        def pairs(count: Counter[str]) -> Iterator[SentencePair]:
            for pair in read_sentence_pairs(where, lenient=lenient, dropped=count, labeled=labeled):
                if pair.label in self.relations:
                    yield pair
                elif not labeled:
                    yield replace(pair, label="")
                elif lenient:
                    count["unknown label"] += 1
                else:
                    raise UserError(
                        f"{pair.label!r} is not a label of the task {self.name!r} ({', '.join(self.relations)})",
                        where=f"{where.path}:{pair.line}",
                        hint="fix the line, choose another --task, or drop such lines with --lenient",
                    )

        return Dataset(spec, where.language, pairs, limit=limit, dropped=dropped)

    def examples(self, encoder: Encoder, items: Sequence[SentencePair], language: str | None) -> list[Example]:
        """Return one row for each pair: [CLS] premise [SEP] hypothesis [SEP]."""
        longest = min(self.config.max_pieces, encoder.max_pieces) - encoder.template.special_pieces(2)
        firsts = encoder.tokenize([item.first for item in items], language)
        seconds = encoder.tokenize([item.second for item in items], language)
        rows = []
        for index, (item, (first, _), (second, _)) in enumerate(zip(items, firsts, seconds, strict=True)):
            if len(first) + len(second) > longest:
                self.cut[f"sentence pairs cut to {min(self.config.max_pieces, encoder.max_pieces)} pieces"] += 1
                keep = min(len(second), max(longest // 2, longest - len(first)))  # the longer one is cut first
                first, second = first[: longest - keep], second[:keep]
            label = np.array([self.relations.index(item.label) if item.label else 0])
            rows.append(Example((first, second), np.zeros(1, np.int64), label, index))
        return rows

    def write(self, path: Path, answered: Iterable[tuple[SentencePair, str]]) -> list[Path]:
        """Write three columns as in XNLI: premise, hypothesis, predicted label."""
        write_lines(path, (f"{item.first}\t{item.second}\t{answer}" for item, answer in answered))
        return [path]

    def texts(self, item: SentencePair) -> Sequence[str]:
        """Return both sentences."""
        return item.first, item.second

    def code_switch(self, item: SentencePair, original: SentencePair) -> tuple[SentencePair, SentencePair]:
        """Return the pairs with the premise in one language and the hypothesis in the other."""
        if item.label != original.label:
            message = f"pair {item.id} has the label {item.label!r}, its original {original.label!r}"
            hint = "give the same pairs in both languages, in the same order or with equal ids"
            raise UserError(f"{message}: they are not translations", hint=hint)
        return replace(item, second=original.second), replace(item, first=original.first)


class Inference(_PairTask):
    """Natural language inference (MultiNLI, XNLI, SNLI): accuracy over three labels."""

    name: ClassVar[str] = "nli"
    relations: ClassVar[tuple[str, ...]] = ("entailment", "neutral", "contradiction")


class Paraphrase(_PairTask):
    """Paraphrase identification (PAWS-X): accuracy over two labels."""

    name: ClassVar[str] = "paraphrase"
    relations: ClassVar[tuple[str, ...]] = ("0", "1")
