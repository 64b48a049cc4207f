"""Part-of-speech tagging: the first sub-word of each word is labelled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from paralign.encoder import Encoder, States
from paralign.errors import UserError
from paralign.objectives import Batches, Objective, ObjectiveConfig, Step
from paralign.tasks.base import Score, Task
from paralign.tasks.examples import Example, ExampleBatches, example_view
from paralign.text import UPOS, Tree, parse_text, read_trees, word_pieces
from paralign.text.views import Batch
from paralign.training import TrainingConfig

__all__ = ["PartOfSpeech", "TagHead", "tag_examples"]


@dataclass(frozen=True)
class Treebank:
    """Trees of one language."""

    language: str
    trees: list[Tree]


class TagHead(Objective):
    """Dropout and a linear layer over the states of labelled pieces; cross-entropy, a mean over words.

    Args:
        config: weight.
        encoder: for its width.
        labels: names of the labels.
        dropout: on the states.
    """

    name: ClassVar[str] = "tag"
    reads: ClassVar[tuple[str, ...]] = ("example",)

    def __init__(
        self, config: ObjectiveConfig, encoder: Encoder, labels: Sequence[str] = UPOS, dropout: float = 0.1
    ) -> None:
        super().__init__(config, encoder)
        self.names = tuple(labels)
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(encoder.width, len(self.names))
        nn.init.normal_(self.linear.weight, std=0.02)
        nn.init.zeros_(self.linear.bias)

    def counts(self, batch: Batch) -> Mapping[str, int]:
        """Labelled words."""
        return {self.name: len(batch.view("example").labels)}

    def scores(self, states: States) -> Tensor:
        """[M, labels] scores of the labelled pieces of a view."""
        out: Tensor = self.linear(self.dropout(states.at(states.view.masked)))
        return out.float()

    def forward(self, step: Step) -> Mapping[str, Tensor]:
        """Summed cross-entropy."""
        states = step.hidden("example")
        labels = torch.from_numpy(states.view.labels).to(states.flat.device)
        return {self.name: nn.functional.cross_entropy(self.scores(states), labels, reduction="sum")}


def tag_examples(encoder: Encoder, trees: Sequence[Tree], labels: Sequence[str]) -> list[Example]:
    """Rows for the encoder: every word is labelled once, long sentences are split between words."""
    number = {label: k for k, label in enumerate(labels)}
    room = encoder.max_pieces - sum(map(len, encoder.template.single))
    rows: list[Example] = []
    for index, (tree, (ids, offsets)) in enumerate(
        zip(trees, encoder.tokenize([tree.text for tree in trees]), strict=True)
    ):
        if not len(ids):
            raise UserError("the tokenizer makes no piece of this sentence", where=f"{tree.sent_id}:{tree.line}")
        targets = word_pieces(offsets, tree.spans)
        tags = np.array([number[tag] for tag in tree.upos], np.int64)
        start = 0
        while start < len(targets):
            begin = int(targets[start]) if start or targets[0] >= room else 0
            stop = int(np.searchsorted(targets, begin + room))
            end = int(targets[stop]) if stop < len(targets) else len(ids)
            piece = ids[begin : min(end, begin + room)]
            rows.append(Example(piece, targets[start:stop] - begin, tags[start:stop], index))
            start = stop
    return rows


class PartOfSpeech(Task):
    """UPOS tagging of CoNLL-U treebanks, scored by accuracy over syntactic words; items are sentences."""

    name: ClassVar[str] = "pos"
    trains: ClassVar[bool] = True

    def read(self, spec: str, *, lenient: bool, dropped: Counter[str], limit: int | None) -> Treebank:
        """``LANG=FILE.conllu`` (also ``.gz``) or ``LANG=smallworld:START-STOP``."""
        where = parse_text(spec)
        trees = list(islice(read_trees(where, lenient=lenient, dropped=dropped), limit))
        if not trees:
            raise UserError("no sentences", where=where.path)
        return Treebank(where.language, trees)

    def language(self, data: Treebank) -> str:
        """The treebank's."""
        return data.language

    def head(self, encoder: Encoder) -> TagHead:
        """A fresh head for the 17 universal tags."""
        return TagHead(ObjectiveConfig(), encoder)

    def batches(self, encoder: Encoder, data: Treebank, training: TrainingConfig) -> Batches:
        """Rows of the treebank."""
        return ExampleBatches(encoder, tag_examples(encoder, data.trees, UPOS), training)

    @torch.no_grad()
    def evaluate(self, encoder: Encoder, head: Objective | None, data: Treebank) -> list[Score]:
        """Accuracy; every word of every sentence is scored."""
        if not isinstance(head, TagHead):
            raise UserError("this model has no tagging head", mend="fine-tune it first: paralign finetune --task pos")
        encoder.eval()
        head.eval()
        items = np.zeros((len(data.trees), 2))
        rows = tag_examples(encoder, data.trees, head.names)
        order = sorted(range(len(rows)), key=lambda i: len(rows[i].pieces))
        for start in range(0, len(order), 64):
            chosen = [rows[i] for i in order[start : start + 64]]
            view = example_view(encoder, chosen)
            right = head.scores(encoder.encode(view)).argmax(1).cpu().numpy() == view.labels
            sentence = np.repeat([row.sentence for row in chosen], [len(row.labels) for row in chosen])
            items[:, 0] += np.bincount(sentence, right, len(items))
            items[:, 1] += np.bincount(sentence, minlength=len(items))
        return [Score("accuracy", items)]
