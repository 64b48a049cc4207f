"""Dependency parsing of CoNLL-U treebanks with a biaffine graph parser; decodes the best tree with one root word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
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
from paralign.tasks.base import TaskConfig
from paralign.tasks.biaffine_head import Arcs, BiaffineHead
from paralign.tasks.dataset import Dataset
from paralign.tasks.example_batches import Example
from paralign.tasks.supervised import ItemScores, SupervisedTask
from paralign.tasks.word_rows import word_rows

__all__ = ["Parse", "ParserConfig", "Parsing"]


class ParserConfig(TaskConfig):
    """Settings of dependency parsing."""

    arc: int = Field(default=256, ge=1)
    """Size of the representations for arcs (500 in Dozat and Manning 2017)."""
    relation: int = Field(default=64, ge=1)
    """Size of the representations for relations (100 in Dozat and Manning 2017)."""
    dropout: float = Field(default=0.33, ge=0, lt=1)
    """Dropout of these representations (as in Dozat and Manning 2017)."""
    punctuation: bool = True
    """Whether words with the relation ``punct`` are scored, as in the CoNLL 2018 shared task."""
    subtypes: bool = False
    """Whether relations include their subtype (``nsubj:pass``). False: only the universal part, as in the
    CoNLL 2018 shared task."""
    relations: tuple[str, ...] = ()
    """Names of the relations that can be predicted. Empty: those of the training data."""


class Parse(NamedTuple):
    """A predicted tree: the head of each word (0 for the root, 1..n for the words) and its relation."""

    heads: tuple[int, ...]
    relations: tuple[str, ...]


class Parsing(SupervisedTask):
    """Dependency parsing: LAS and UAS on gold words as in the CoNLL 2018 shared task (Zeman et al. 2018).

    A sentence longer than the encoder's maximum sequence length is encoded in windows of consecutive words. Heads in
    other windows are not learned; :func:`join_windows` joins the predictions to one tree.
    """

    name: ClassVar[str] = "parsing"
    window: ClassVar[int] = 512  # the predictions for a sentence of m words are tables of m² numbers
    Config: ClassVar[type[TaskConfig]] = ParserConfig

    def read(
        self, spec: str, *, lenient: bool, dropped: Counter[str], limit: int | None, labeled: bool = True
    ) -> Dataset[Tree]:
        """Read ``LANG=FILE.conllu`` (also ``.gz``, ``.zst``) or ``LANG=smallworld:START-STOP``."""
        return Dataset.of_text(spec, read_trees, limit=limit, dropped=dropped, lenient=lenient, labeled=labeled)

    def fit(self, data: Sequence[Dataset[Tree]]) -> None:
        """Read the names of relations from the training data."""
        if not self.config.relations:
            names = {name for dataset in data for tree in dataset for name in self._names(tree.deprels)}
            self.config = self.config.model_copy(update={"relations": tuple(sorted(names))})

    def head(self, encoder: Encoder) -> BiaffineHead:
        """Return a biaffine parser."""
        config = self.config
        if not config.relations:
            raise UserError("the parser has no relations", hint="fit the task to training data, or set task.relations")
        return BiaffineHead(encoder, config.relations, arc=config.arc, relation=config.relation, dropout=config.dropout)

    def examples(self, encoder: Encoder, items: Sequence[Tree], language: str | None) -> list[Example]:
        """Return one row for each sentence, or several for one longer than the encoder's maximum sequence length."""
        number = {name: k for k, name in enumerate(self.config.relations)}
        rows = []
        for index, start, row in word_rows(encoder, items, language, self.cut):
            stop = start + len(row.targets)
            heads = np.array(items[index].heads[start:stop], np.int64)
            in_window = np.where(heads > 0, heads - start, 0)
            inside = (heads == 0) | (heads > start) & (heads <= stop)
            relations = [number.get(name, -1) for name in self._names(items[index].deprels[start:stop])]
            labels = np.stack([np.where(inside, in_window, -1), np.array(relations, np.int64)], axis=1)
            rows.append(Example(row.pieces, row.targets, labels, index))
        if several := sum(count > 1 for count in Counter(row.item for row in rows).values()):
            self.cut["sentences parsed in several windows"] += several
        return rows

    def format_label(self, label: npt.NDArray[np.int64]) -> str:
        """Return the head (0 for the root, 1..m for the words of the row) and the relation; -1 if it is not learned."""
        head, relation = label.tolist()
        return f"{head}" if relation < 0 else f"{head},{self.config.relations[relation]}"

    def answer(self, item: Tree, parts: Sequence[tuple[Example, Arcs]]) -> Parse:
        """Return the most probable tree, with the most probable relation of each arc."""
        names = self.config.relations
        heads, relations = join_windows([arcs for _, arcs in parts])
        return Parse(tuple(heads.tolist()), tuple(names[k] for k in relations))

    def score_item(self, item: Tree, answer: Parse, language: str) -> ItemScores:
        """Score LAS and UAS."""
        counts = attachment(
            item.heads,
            item.deprels,
            answer.heads,
            answer.relations,
            punctuation=self.config.punctuation,
            subtypes=self.config.subtypes,
        )
        # With other words or relations they are other metrics, which must not share a table.
        suffix = ("" if self.config.punctuation else "_without_punctuation") + (
            "_with_subtypes" if self.config.subtypes else ""
        )
        return {metric + suffix: (float(counts[metric][0]), float(counts[metric][1])) for metric in ("las", "uas")}

    def write(self, path: Path, answered: Iterable[tuple[Tree, Parse]]) -> list[Path]:
        """Write CoNLL-U with predicted heads and relations; all else is as in the file that was read."""
        trees = (replace(tree, heads=parsed.heads, deprels=parsed.relations) for tree, parsed in answered)
        write_conllu(trees, path, predicted=("heads", "deprels"))
        return [path]

    def texts(self, item: Tree) -> Sequence[str]:
        """Return the sentence."""
        return (item.text,)

    def labels(self, item: Tree) -> Sequence[str]:
        """Return the relations."""
        return item.deprels

    def gold_of(self, data: Dataset[Tree]) -> Iterable[Sequence[str]]:
        """Return the heads and the relations of each sentence."""
        return ((*map(str, tree.heads), *self._names(tree.deprels)) for tree in data)

    def baseline_answers(self, data: Dataset[Tree]) -> Mapping[str, Callable[[Tree], Parse]]:
        """Return the baseline ``adjacent``: the head of every word is the previous word, or always the next word.

        The direction is the one that is right more often, and the first (or last) word is the root. The relation is the
        most frequent one of words whose head is that neighbor.
        """
        relations = {-1: Counter[str](), 1: Counter[str]()}
        for tree in data:
            for word, (head, name) in enumerate(zip(tree.heads, self._names(tree.deprels), strict=True), 1):
                if head and head - word in relations:
                    relations[head - word][name] += 1
        side = max(relations, key=lambda k: relations[k].total())
        most = next((name for name, _ in relations[side].most_common(1)), "root")

        def guess(item: Tree) -> Parse:
            n = len(item.words)
            heads = [(word + side) % (n + 1) for word in range(1, n + 1)]
            return Parse(tuple(heads), tuple(most if head else "root" for head in heads))

        return {"adjacent": guess}

    def _names(self, relations: Iterable[str]) -> list[str]:
        """Return the names of relations as they are learned, with or without subtypes."""
        return [name if self.config.subtypes else name.partition(":")[0] for name in relations]


def join_windows(windows: Sequence[Arcs]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the best tree of a sentence of n words that was encoded in windows of consecutive words.

    Arcs within a window have the scores of that window. There are no predictions for arcs between windows, so there are
    as few of them as possible: one into each window but the one with the root. The score of such an arc is the sum of
    the scores of both words as the root. Each window thus becomes one subtree: its most root-like word is attached to
    the most root-like word of another window. The relation of such an arc is that of the word's most probable head in
    its own window.

    Args:
        windows: predictions for each window, in order.

    Returns:
        Heads (0 for the root, 1..n for the words) and relations, both of shape [n].
    """
    first = windows[0]
    scores, relations = (first.scores, first.relations) if len(windows) == 1 else _join_tables(windows)
    heads = spanning_tree(scores)
    return heads, relations[np.arange(len(heads)), heads].astype(np.int64)


def _join_tables(windows: Sequence[Arcs]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int16]]:
    """Return the scores and relations of all arcs of a sentence, arcs between windows included."""
    root = np.concatenate([arcs.scores[:, 0] for arcs in windows]).astype(np.float64)
    largest = max(np.abs(arcs.scores[np.isfinite(arcs.scores)]).max() for arcs in windows)
    # The rest of two trees differs by less than this penalty, so the best one has as few such arcs as possible.
    penalty = 1 + 4 * float(largest) * len(root)
    scores = root[:, None] + np.append(0, root) - penalty
    scores[:, 0] = root
    relations = np.empty(scores.shape, np.int16)
    start = 0
    for arcs in windows:
        words = slice(start, start + len(arcs.scores))
        start = words.stop
        best = arcs.scores[:, 1:].argmax(1) + 1
        relations[words] = arcs.relations[np.arange(len(best)), best][:, None]
        relations[words, 0] = arcs.relations[:, 0]
        scores[words, words.start + 1 : words.stop + 1] = arcs.scores[:, 1:]
        relations[words, words.start + 1 : words.stop + 1] = arcs.relations[:, 1:]
    return scores, relations
