"""Dependency parsing of CoNLL-U treebanks: a biaffine graph parser, decoded to the best tree with one root word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import Field

from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.formats.conllu import write_conllu
from paralign.formats.items import Tree
from paralign.metrics.attachment import attachment
from paralign.metrics.spanning_tree import spanning_tree
from paralign.sources.readers import read_trees
from paralign.sources.specs import parse_text
from paralign.tasks.base import TaskConfig
from paralign.tasks.biaffine_head import Arcs, BiaffineHead
from paralign.tasks.dataset import Dataset
from paralign.tasks.example_batches import Example
from paralign.tasks.supervised import ItemScores, SupervisedTask
from paralign.tasks.tagging import word_rows

__all__ = ["Analysis", "ParserConfig", "Parsing"]


class ParserConfig(TaskConfig):
    """Settings of dependency parsing."""

    arc: int = Field(default=256, ge=1)
    """Width of the representations arcs are scored with (500 in Dozat and Manning 2017)."""
    relation: int = Field(default=64, ge=1)
    """Width of the representations relations are scored with (100 there)."""
    dropout: float = Field(default=0.33, ge=0, lt=1)
    """On these representations (Dozat and Manning 2017)."""
    punctuation: bool = True
    """Whether words of relation ``punct`` are scored, as the CoNLL 2018 shared task does."""
    subtypes: bool = False
    """Learn and score relations whole (``nsubj:pass``); otherwise only the universal part (``nsubj``), as it does."""
    relations: tuple[str, ...] = ()
    """Names of relations; those of the training data by default. Others cannot be found."""


class Analysis(NamedTuple):
    """A predicted tree: for each word its head (0 the root, 1..n the words) and relation."""

    heads: tuple[int, ...]
    relations: tuple[str, ...]


class Parsing(SupervisedTask):
    """Dependency parsing: LAS and UAS as the CoNLL 2018 shared task scores gold words (Zeman et al. 2018).

    A sentence longer than the encoder is shown in windows of consecutive words. A head in another window is neither
    learnt nor found; :func:`joined` says how the windows' trees become one.
    """

    name: ClassVar[str] = "parsing"
    window: ClassVar[int] = 512  # a sentence of m words holds m² scores until its window is done
    Config: ClassVar[type[TaskConfig]] = ParserConfig

    def read(
        self, spec: str, *, lenient: bool, dropped: Counter[str], limit: int | None, labeled: bool = True
    ) -> Dataset[Tree]:
        """``LANG=FILE.conllu`` (also ``.gz``) or ``LANG=smallworld:START-STOP``."""
        where = parse_text(spec)

        def read(count: Counter[str]) -> Iterator[Tree]:
            return read_trees(where, lenient=lenient, dropped=count, labeled=labeled)

        return Dataset(spec, where.language, read, limit=limit, dropped=dropped)

    def fit(self, data: Sequence[Dataset[Tree]]) -> None:
        """The relations of the training data."""
        if not self.config.relations:
            found = {name for one in data for tree in one for name in self._named(tree.deprels)}
            self.config = self.config.model_copy(update={"relations": tuple(sorted(found))})

    def head(self, encoder: Encoder) -> BiaffineHead:
        """A biaffine parser."""
        config = self.config
        if not config.relations:
            raise UserError("the parser knows no relation", hint="fit the task to training data, or set task.relations")
        return BiaffineHead(encoder, config.relations, arc=config.arc, relation=config.relation, dropout=config.dropout)

    def examples(self, encoder: Encoder, items: Sequence[Tree]) -> list[Example]:
        """A row a sentence, several for one longer than the encoder: its windows."""
        number = {name: k for k, name in enumerate(self.config.relations)}
        rows = []
        for index, start, row in word_rows(encoder, items, self.cut):
            stop = start + len(row.targets)
            heads = np.array(items[index].heads[start:stop], np.int64)
            here = np.where(heads > 0, heads - start, 0)
            inside = (heads == 0) | (heads > start) & (heads <= stop)
            relations = [number.get(name, -1) for name in self._named(items[index].deprels[start:stop])]
            labels = np.stack([np.where(inside, here, -1), np.array(relations, np.int64)], axis=1)
            rows.append(Example(row.pieces, row.targets, labels, index))
        if several := sum(count > 1 for count in Counter(row.item for row in rows).values()):
            self.cut["sentences parsed in several windows"] += several
        return rows

    def format_label(self, label: npt.NDArray[np.int64]) -> str:
        """The number of the head among the words of the row, 0 for the root, and the relation; -1 where not learnt."""
        head, relation = label.tolist()
        return f"{head}" if relation < 0 else f"{head},{self.config.relations[relation]}"

    def answer(self, item: Tree, parts: Sequence[tuple[Example, Arcs]]) -> Analysis:
        """The tree of the greatest probability, with the most probable relation of each of its arcs."""
        names = self.config.relations
        heads, relations = joined([found for _, found in parts])
        return Analysis(tuple(heads.tolist()), tuple(names[k] for k in relations))

    def score_item(self, item: Tree, answer: Analysis, language: str) -> ItemScores:
        """LAS and UAS."""
        counts = attachment(
            item.heads,
            item.deprels,
            answer.heads,
            answer.relations,
            punctuation=self.config.punctuation,
            subtypes=self.config.subtypes,
        )
        # Other words or relations counted are other metrics: they must not meet in one table.
        end = ("" if self.config.punctuation else "_without_punctuation") + (
            "_with_subtypes" if self.config.subtypes else ""
        )
        return {metric + end: (float(counts[metric][0]), float(counts[metric][1])) for metric in ("las", "uas")}

    def write(self, path: Path, answered: Iterable[tuple[Tree, Analysis]]) -> list[Path]:
        """CoNLL-U with predicted heads and relations."""
        write_conllu((replace(tree, heads=found.heads, deprels=found.relations) for tree, found in answered), path)
        return [path]

    def texts(self, item: Tree) -> Sequence[str]:
        """The sentence."""
        return (item.text,)

    def labels(self, item: Tree) -> Sequence[str]:
        """The relations."""
        return item.deprels

    def baseline_answers(self, data: Dataset[Tree]) -> Mapping[str, Callable[[Tree], Analysis]]:
        """``adjacent``: all words hang on the one before, or all on the one after, whichever is right more often.

        The first (the last) word is the root; the others have the most frequent relation of words that do hang on
        that neighbour.
        """
        hang = {-1: Counter[str](), 1: Counter[str]()}
        for tree in data:
            for word, (head, name) in enumerate(zip(tree.heads, self._named(tree.deprels), strict=True), 1):
                if head and head - word in hang:
                    hang[head - word][name] += 1
        side = max(hang, key=lambda k: hang[k].total())
        most = next((name for name, _ in hang[side].most_common(1)), "root")

        def guess(item: Tree) -> Analysis:
            n = len(item.words)
            heads = [(word + side) % (n + 1) for word in range(1, n + 1)]
            return Analysis(tuple(heads), tuple(most if head else "root" for head in heads))

        return {"adjacent": guess}

    def _named(self, relations: Iterable[str]) -> list[str]:
        """Relations as they are learnt."""
        return [name if self.config.subtypes else name.partition(":")[0] for name in relations]


def joined(windows: Sequence[Arcs]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The best tree of a sentence of n words shown in windows of consecutive words.

    Within a window arcs have its scores. Between windows nothing is known: there are as few such arcs as a tree
    can have, one into each window but the root's, and the score of one is that of either word at the root. So each
    window hangs as one subtree, by the word that most wants to be a root, on the most root-like word of another.
    The relation over such an arc is that to the word's most probable head in its own window.

    Args:
        windows: what the head found in each, in order.

    Returns:
        [n] heads, 0 the root and 1..n the words; [n] relations.
    """
    only = windows[0]
    table, named = (only.scores, only.relations) if len(windows) == 1 else _between(windows)
    heads = spanning_tree(table)
    return heads, named[np.arange(len(heads)), heads].astype(np.int64)


def _between(windows: Sequence[Arcs]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int16]]:
    root = np.concatenate([found.scores[:, 0] for found in windows]).astype(np.float64)
    largest = max(np.abs(found.scores[np.isfinite(found.scores)]).max() for found in windows)
    # Two trees differ by less than this price in all else, so none has more arcs between windows than it must.
    price = 1 + 4 * float(largest) * len(root)
    table = root[:, None] + np.append(0, root) - price
    table[:, 0] = root
    named = np.empty(table.shape, np.int16)
    start = 0
    for found in windows:
        own = slice(start, start + len(found.scores))
        start = own.stop
        nearest = found.scores[:, 1:].argmax(1) + 1
        named[own] = found.relations[np.arange(len(nearest)), nearest][:, None]
        named[own, 0] = found.relations[:, 0]
        table[own, own.start + 1 : own.stop + 1] = found.scores[:, 1:]
        named[own, own.start + 1 : own.stop + 1] = found.relations[:, 1:]
    return table, named
