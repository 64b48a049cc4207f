"""The head of dependency parsing: for each word of a row a score for every head, and for every relation to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from paralign.device import on_device
from paralign.encoder import Encoder, States
from paralign.objectives import ObjectiveConfig, Step
from paralign.tasks.supervised import Head
from paralign.text.views import Batch, View

__all__ = ["Arcs", "BiaffineHead"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Arcs:
    """What the head finds in a row of m words; column 0 is the root, column h the h-th word.

    Attributes:
        scores: [m, m + 1] log-probabilities of each word's heads; ``-inf`` for the word itself.
        relations: [m, m + 1] the most probable relation of each arc, an index into the head's names.
    """

    scores: npt.NDArray[np.float32]
    relations: npt.NDArray[np.int16]


class _Words:
    """Where the words of each row of a view stand: M words in R rows, L in the longest."""

    def __init__(self, view: View) -> None:
        self.starts = view.starts
        edges = np.searchsorted(view.masked, np.append(view.starts, len(view.ids)))
        self.first, self.counts = edges[:-1], np.diff(edges)
        self.words = view.masked
        self.row = np.repeat(np.arange(len(self.counts)), self.counts)
        self.longest = int(self.counts.max(initial=0))

    @cached_property
    def column(self) -> Ints:
        """[M] place of each word in its row, from 0."""
        return np.arange(len(self.row)) - self.first[self.row]


class BiaffineHead(Head):
    """The deep biaffine parser (Dozat and Manning 2017, equations 3 to 6) on the first piece of each word.

    The root is the state of [CLS] (or <s>), which the encoder fills with the sentence. The layers on the states are
    orthogonal and the biaffine weights 0 at first, so that all heads and relations begin equally probable.

    Two losses, ``arc`` and ``relation``: cross-entropy of each word's head among the root and the other words of
    its row, and of its relation given the right head; means over words whose head stands in the row.

    ``Example.labels`` are [m, 2], head (0 the root, 1..m the words of the row) and relation; -1 is not learnt.

    Args:
        encoder: for its width.
        relations: their names.
        arc: width of the representations of dependents and heads that arcs are scored with.
        relation: the same for relations.
        dropout: on these representations.
    """

    name: ClassVar[str] = "biaffine"

    def __init__(
        self, encoder: Encoder, relations: Sequence[str], *, arc: int = 256, relation: int = 64, dropout: float = 0.33
    ) -> None:
        super().__init__(ObjectiveConfig(), encoder)
        self.names = tuple(relations)
        widths = {"arc_dependent": arc, "arc_head": arc, "relation_dependent": relation, "relation_head": relation}
        self.layers = nn.ModuleDict({name: nn.Linear(encoder.width, width) for name, width in widths.items()})
        self.dropout = nn.Dropout(dropout)
        # U1 and u2 of equation 6: a head's score is its representation times (U1 dependent + u2).
        self.arc = nn.Linear(arc, arc)
        # U1, U2 and b of equation 3 in one: a constant 1 stands behind both representations.
        self.relation = nn.Parameter(torch.zeros(len(self.names), relation + 1, relation + 1))
        for layer in self.layers.values():
            assert isinstance(layer, nn.Linear)
            nn.init.orthogonal_(layer.weight)
            nn.init.zeros_(layer.bias)
        nn.init.zeros_(self.arc.weight)
        nn.init.zeros_(self.arc.bias)
        # Universal Dependencies: the word at the root is `root`, no other is.
        roots = torch.tensor([name.partition(":")[0] == "root" for name in self.names])
        self.register_buffer("_root", roots, persistent=False)
        self._root: Tensor

    def weights(self) -> Mapping[str, float]:
        """Both losses, equally."""
        return {"arc": 1.0, "relation": 1.0}

    def counts(self, batch: Batch) -> Mapping[str, int]:
        """Words with a head in their row, and those of them with a known relation."""
        head, relation = batch.view("example").labels.T
        return {"arc": int((head >= 0).sum()), "relation": int(((head >= 0) & (relation >= 0)).sum())}

    def forward(self, step: Step) -> Mapping[str, Tensor]:
        """Summed cross-entropy of heads and of relations."""
        states = step.hidden("example")
        words = _Words(states.view)
        head, relation = states.view.labels.T
        gold = on_device(head, states.flat.device)
        arc = nn.functional.cross_entropy(self._arc_scores(states, words), gold, ignore_index=-1, reduction="sum")
        # The state of each word's head: the [CLS] of its row, or the word; an unknown head's is not looked at.
        at = np.where(head > 0, states.view.masked[words.first[words.row] + head - 1], words.starts[words.row])
        there = self._represent("relation_head", states.at(at))
        scores = torch.einsum("mki,mi->mk", self._relate(states.at(words.words)), _with_one(there))
        named = on_device(np.where(head >= 0, relation, -1), gold.device)
        loss = nn.functional.cross_entropy(scores.float(), named, ignore_index=-1, reduction="sum")
        return {"arc": arc, "relation": loss}

    def decode(self, states: States) -> list[Arcs]:
        """Heads and relations of each row. The relation to the root is ``root`` and no other is, where it has one."""
        words = _Words(states.view)
        scores = self._arc_scores(states, words).log_softmax(1).cpu().numpy()
        dependent = self._relate(states.at(words.words))
        head = _with_one(self._represent("relation_head", states.at(words.words)))
        root = _with_one(self._represent("relation_head", states.cls()))
        found = []
        for row, (first, count) in enumerate(zip(words.first.tolist(), words.counts.tolist(), strict=True)):
            own = slice(first, first + count)
            heads = torch.cat([root[row : row + 1], head[own]])
            relations = self._best_relations((dependent[own] @ heads.T).float())
            found.append(Arcs(scores[own, : count + 1], relations.to(torch.int16).cpu().numpy()))
        return found

    def _best_relations(self, scores: Tensor) -> Tensor:
        """[m, m + 1] from [m, relations, m + 1]."""
        best = scores.argmax(1)
        known = self._root
        if known.any():
            best[:, 0] = scores[:, :, 0].masked_fill(~known, -torch.inf).argmax(1)
        if known.any() and not known.all():
            best[:, 1:] = scores[:, :, 1:].masked_fill(known[:, None], -torch.inf).argmax(1)
        return best

    def _represent(self, name: str, states: Tensor) -> Tensor:
        """Equations 4 and 5."""
        out: Tensor = self.dropout(nn.functional.leaky_relu(self.layers[name](states), 0.1))
        return out

    def _arc_scores(self, states: States, words: _Words) -> Tensor:
        """[M, L + 1] equation 6: scores of every word's heads, ``-inf`` behind its row's end and for itself."""
        own, wide = states.at(words.words), words.longest
        wanted = self.arc(self._represent("arc_dependent", own))
        offered = self._represent("arc_head", torch.cat([states.cls(), own]))
        cells = words.row * wide + words.column
        roots = np.arange(len(words.counts)) * (wide + 1)
        dependents = _padded(wanted, cells, wide, len(roots))
        heads = _padded(offered, np.append(roots, cells + words.row + 1), wide + 1, len(roots))
        table = (dependents @ heads.transpose(1, 2)).view(-1, wide + 1)
        columns = np.arange(wide + 1)
        banned = (columns > words.counts[words.row][:, None]) | (columns == words.column[:, None] + 1)
        scores = table.index_select(0, on_device(cells, own.device)).float()
        return scores.masked_fill(on_device(banned, own.device), -torch.inf)

    def _relate(self, states: Tensor) -> Tensor:
        """[M, relations, relation + 1] equation 3 of dependents, still to be multiplied with their heads."""
        dependent = _with_one(self._represent("relation_dependent", states))
        return torch.einsum("kij,mj->mki", self.relation, dependent)


def _padded(vectors: Tensor, places: Ints, wide: int, rows: int) -> Tensor:
    """[rows, wide, d] with the vectors at places counted row after row, 0 elsewhere."""
    out = vectors.new_zeros(rows * wide, vectors.shape[1])
    return out.index_copy(0, on_device(places, vectors.device), vectors).view(rows, wide, -1)


def _with_one(vectors: Tensor) -> Tensor:
    return nn.functional.pad(vectors, (0, 1), value=1.0)
