"""The head of dependency parsing: for each word of a row, logits of every possible head and of every relation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from paralign.batches.views import Batch, View
from paralign.device import on_device
from paralign.encoder import Encoder, HiddenStates
from paralign.objectives import Step
from paralign.objectives.sentence_units import pad_rows
from paralign.ragged import row_ids
from paralign.tasks.head import TaskHead

__all__ = ["Arcs", "BiaffineHead"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Arcs:
    """Predictions for a row of m words. Column 0 is the root, column h the h-th word.

    Attributes:
        scores: log-probabilities of the heads of each word; ``-inf`` for the word itself. Shape: [m, m + 1].
        relations: the most probable relation of each arc, an index into the names of relations. Shape: [m, m + 1].
    """

    scores: npt.NDArray[np.float32]
    relations: npt.NDArray[np.int16]


class _Words:
    """Positions of the words in a view: M words in R rows, L in the longest row."""

    def __init__(self, view: View) -> None:
        self.starts = view.starts
        edges = np.searchsorted(view.masked, np.append(view.starts, len(view.ids)))
        self.first, self.counts = edges[:-1], np.diff(edges)
        self.words = view.masked
        self.row = row_ids(self.counts)

    @cached_property
    def column(self) -> Ints:
        """Index of each word in its row, from 0. Shape: [M]."""
        return np.arange(len(self.row)) - self.first[self.row]


class BiaffineHead(TaskHead):
    """The deep biaffine parser (Dozat and Manning 2017, equations 3 to 6) on the first piece of each word.

    The root is the state of [CLS] (or <s>). The layers on the states are initialized orthogonally, and the biaffine
    weights with 0, so that initially all heads and relations are equally probable.

    Losses ``arc`` and ``relation``: cross-entropy of the head of each word among the root and the other words of its
    row, and of its relation given the right head; means over words whose head is in the row.

    ``Example.labels`` are the head of each word (0 for the root, 1..m for the words of the row) and its relation, or -1
    for what is not learned. Shape: [m, 2].

    Args:
        encoder: the encoder it reads.
        relations: names of the relations.
        arc: size of the representations of dependents and heads for arcs.
        relation: size of these representations for relations.
        dropout: dropout of these representations.
    """

    name: ClassVar[str] = "biaffine"

    def __init__(
        self, encoder: Encoder, relations: Sequence[str], *, arc: int = 256, relation: int = 64, dropout: float = 0.33
    ) -> None:
        super().__init__(encoder)
        self.names = tuple(relations)
        widths = {"arc_dependent": arc, "arc_head": arc, "relation_dependent": relation, "relation_head": relation}
        self.layers = nn.ModuleDict({name: nn.Linear(encoder.width, width) for name, width in widths.items()})
        self.dropout = nn.Dropout(dropout)
        # U1 and u2 of equation 6: the logit of a head is its representation times (U1 dependent + u2).
        self.arc = nn.Linear(arc, arc)
        # U1, U2 and b of equation 3 in one: a constant 1 is appended to both representations.
        self.relation = nn.Parameter(torch.zeros(len(self.names), relation + 1, relation + 1))
        for layer in self.layers.values():
            assert isinstance(layer, nn.Linear)
            nn.init.orthogonal_(layer.weight)
            nn.init.zeros_(layer.bias)
        nn.init.zeros_(self.arc.weight)
        nn.init.zeros_(self.arc.bias)
        # In Universal Dependencies only the relation to the root is `root`.
        roots = [name.partition(":")[0] == "root" for name in self.names]
        self._some_root, self._only_root = any(roots), all(roots)
        self.register_buffer("_root", torch.tensor(roots), persistent=False)
        self._root: Tensor

    def weights(self) -> Mapping[str, float]:
        """Return equal weights for both losses."""
        return {"arc": 1.0, "relation": 1.0}

    def counts(self, batch: Batch) -> Mapping[str, int]:
        """Count words whose head is in their row, and those of them whose relation has a name."""
        head, relation = batch.view("example").labels.T
        return {"arc": int((head >= 0).sum()), "relation": int(((head >= 0) & (relation >= 0)).sum())}

    def forward(self, step: Step) -> Mapping[str, Tensor]:
        """Return the summed cross-entropy of heads and of relations."""
        states = step.hidden("example")
        words = _Words(states.view)
        head, relation = states.view.labels.T
        gold = on_device(head, states.flat.device)
        arc = nn.functional.cross_entropy(self._arc_logits(states, words), gold, ignore_index=-1, reduction="sum")
        # The state of each word's head: [CLS] for the root, or the word. It is not used if the head is unknown.
        word = states.view.masked[words.first[words.row] + np.maximum(head, 1) - 1]
        at = np.where(head > 0, word, words.starts[words.row])
        heads = self._represent("relation_head", states.at(at))
        logits = torch.einsum("mki,mi->mk", self._relate(states.at(words.words)), _with_one(heads))
        relations = on_device(np.where(head >= 0, relation, -1), gold.device)
        loss = nn.functional.cross_entropy(logits.float(), relations, ignore_index=-1, reduction="sum")
        return {"arc": arc, "relation": loss}

    def decode(self, states: HiddenStates) -> list[Arcs]:
        """Return the predictions for each row. Relations named ``root``, if any, are used for the root only."""
        words = _Words(states.view)
        scores = self._arc_logits(states, words).log_softmax(1).cpu().numpy()
        dependent = self._relate(states.at(words.words))
        head = _with_one(self._represent("relation_head", states.at(words.words)))
        root = _with_one(self._represent("relation_head", states.cls()))
        rows = [
            slice(first, first + count)
            for first, count in zip(words.first.tolist(), words.counts.tolist(), strict=True)
        ]
        best = []
        for row, in_row in enumerate(rows):
            heads = torch.cat([root[row : row + 1], head[in_row]])
            relations = self._best_relations((dependent[in_row] @ heads.T).float())
            best.append(relations.to(torch.int16).flatten())
        flat = np.split(torch.cat(best).cpu().numpy(), np.cumsum([len(of_row) for of_row in best])[:-1])
        columns = (words.counts + 1).tolist()
        return [Arcs(scores[at, :m], of_row.reshape(-1, m)) for at, m, of_row in zip(rows, columns, flat, strict=True)]

    def _best_relations(self, logits: Tensor) -> Tensor:
        """Return the most probable relations, [m, m + 1], from logits [m, relations, m + 1]."""
        best = logits.argmax(1)
        root = self._root
        if self._some_root:
            best[:, 0] = logits[:, :, 0].masked_fill(~root, -torch.inf).argmax(1)
        if self._some_root and not self._only_root:
            best[:, 1:] = logits[:, :, 1:].masked_fill(root[:, None], -torch.inf).argmax(1)
        return best

    def _represent(self, name: str, states: Tensor) -> Tensor:
        """Return a representation of states, equations 4 and 5."""
        out: Tensor = self.dropout(nn.functional.leaky_relu(self.layers[name](states), 0.1))
        return out

    def _arc_logits(self, states: HiddenStates, words: _Words) -> Tensor:
        """Return the logits of every word's heads, equation 6: ``-inf`` beyond the row and for the word itself.

        Shape: [M, L + 1].
        """
        word_states = states.at(words.words)
        dependents = pad_rows(self.arc(self._represent("arc_dependent", word_states)), words.counts)
        candidates = self._represent("arc_head", torch.cat([states.cls(), word_states]))
        roots, heads = candidates.split([len(words.counts), len(words.row)])
        table = dependents @ torch.cat([roots.unsqueeze(1), pad_rows(heads, words.counts)], 1).transpose(1, 2)
        cells = words.row * table.shape[1] + words.column
        columns = np.arange(table.shape[2])
        excluded = (columns > words.counts[words.row][:, None]) | (columns == words.column[:, None] + 1)
        logits = table.flatten(0, 1).index_select(0, on_device(cells, word_states.device)).float()
        return logits.masked_fill(on_device(excluded, word_states.device), -torch.inf)

    def _relate(self, states: Tensor) -> Tensor:
        """Return equation 3 for dependents, to be multiplied with their heads. Shape: [M, relations, relation + 1]."""
        dependent = _with_one(self._represent("relation_dependent", states))
        return torch.einsum("kij,mj->mki", self.relation, dependent)


def _with_one(vectors: Tensor) -> Tensor:
    return nn.functional.pad(vectors, (0, 1), value=1.0)
