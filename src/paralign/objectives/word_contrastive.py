"""Contrastive word alignment: distinguish a word's translation from the other words of the batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from paralign.batches.rows import row_hashes
from paralign.batches.views import Batch, linked_words
from paralign.device import on_device
from paralign.objectives.base import LayerConfig, ObjectiveConfig, Step
from paralign.objectives.global_batch import GlobalObjective
from paralign.objectives.linked_words import linked_word_ids, linked_word_vectors
from paralign.ragged import contained, ranges, row_keys, row_starts

__all__ = ["WordContrast", "WordContrastConfig", "word_contrastive_loss"]

Ints = npt.NDArray[np.int64]
Pairs = tuple[Ints, Ints]

_ENTRIES = 1 << 22
"""Maximum size of a matrix of similarities. More links are compared in blocks of rows."""
_ENTRIES_OF_ACCELERATOR = 1 << 24
"""The same on an accelerator, which is idle during small products."""


class WordContrastConfig(LayerConfig):
    """Settings under ``[word_contrastive]``."""

    temperature: float = Field(default=0.1, gt=0)
    """Divisor of the cosines before the softmax; lower values weight the hardest negatives more."""
    negatives: Literal["other", "both"] = "both"
    """``other``: words of the other side of the batch (weak alignment); ``both``: of both sides (strong alignment)."""


class WordContrast(GlobalObjective):
    """Contrastive word alignment (Wu and Dredze 2020, section 3.3): cosines of contextual vectors over a temperature.

    For every link and in both directions, the translation of a word is distinguished from the other linked words of the
    global batch. Other translations of the word, and words that share a translation with it, are not negatives, nor are
    the words of other pairs that contain one of its sentences (equal pieces), on either side. The vector of a word is
    the mean of the hidden states of its pieces.

    Reads ``first`` and ``second``. Loss ``word_contrastive``, a mean over links of the mean of both directions.
    """

    name: ClassVar[str] = "word_contrastive"
    reads: ClassVar[tuple[str, ...]] = ("first", "second")
    needs_links: ClassVar[bool] = True
    Config: ClassVar[type[ObjectiveConfig]] = WordContrastConfig
    config: WordContrastConfig

    def counts(self, batch: Batch) -> Mapping[str, int]:
        """Count links."""
        return {self.name: len(linked_words(batch, "first", "second").rows)}

    def represent(self, step: Step) -> Tensor:
        """Return the normalized vectors of both words of each link. Shape: [n, 2, d]."""
        vectors = linked_word_vectors(step, linked_words(step.batch, "first", "second"), self.config.layer)
        return F.normalize(torch.stack(vectors, 1), dim=2)

    def identify(self, batch: Batch) -> Ints:
        """Return for each link the position of its pair in the global batch, both words in the pair, and a hash of both
        sentences. Shape: [n, 5].
        """
        linked = linked_words(batch, "first", "second")
        words = linked_word_ids(linked)
        starts = (batch.view(name).starts[linked.rows] for name in self.reads)
        inside = (ids - start for ids, start in zip(words, starts, strict=True))
        texts = (row_hashes(batch.view(name))[linked.rows] for name in self.reads)
        return np.stack([batch.positions[linked.rows], *inside, *texts], 1)

    def losses(self, vectors: Tensor, identities: Ints) -> Tensor:
        """Return the mean cross-entropy of both directions of each link."""
        first, second = vectors.unbind(1)
        loss, correct = word_contrastive_loss(
            first,
            second,
            temperature=self.config.temperature,
            negatives=self.config.negatives,
            identities=identities,
        )
        self.measure(f"{self.name}_accuracy", correct.sum(), len(vectors))
        return loss


def word_contrastive_loss(
    first: Tensor,
    second: Tensor,
    *,
    temperature: float = 0.1,
    negatives: Literal["other", "both"] = "both",
    identities: Ints | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the contrastive loss of linked words, in both directions (Wu and Dredze 2020, section 3.3).

    Many links are compared in blocks of rows, which the backward pass computes again: memory grows with their number,
    not with its square.

    Args:
        first: L2-normalized vector of the first word of each link. Shape: [n, d].
        second: that of the second word. Shape: [n, d].
        temperature: divides the cosines.
        negatives: ``other``: the words of the other side; ``both``: of both sides.
        identities: position of the pair in the batch, number of both words in it, and a hash of both sentences, for
            each link. Translations of the same word, words that share a translation, and words of pairs that share a
            sentence are not negatives. None: all words are different. Shape: [n, 5].

    Returns:
        The loss of each link, and the share of the two directions in which the translation is the most similar word,
        both of shape [n].

    >>> loss, correct = word_contrastive_loss(torch.eye(2), torch.eye(2), temperature=1.0, negatives="other")
    >>> torch.allclose(loss, torch.log1p(torch.exp(torch.tensor(-1.0)))), correct.tolist()
    (True, [1.0, 1.0])
    """
    n = len(first)
    related = _related(np.arange(n)[:, None].repeat(5, 1) if identities is None else identities)
    loss, correct = first.new_zeros(n), first.new_zeros(n)
    entries = _ENTRIES if first.device.type == "cpu" else _ENTRIES_OF_ACCELERATOR
    rows = max(1, entries // max(1, n))
    for sides, pairs in zip(((first, second), (second, first)), related, strict=True):
        if n <= rows:
            losses, best = _loss_of_rows(slice(0, n), *sides, pairs, temperature, negatives)
        else:
            blocks = [slice(start, min(start + rows, n)) for start in range(0, n, rows)]
            parts = [
                checkpoint(_loss_of_rows, at, *sides, pairs, temperature, negatives, use_reentrant=False)
                for at in blocks
            ]
            losses, best = map(torch.cat, zip(*parts, strict=True))
        loss = loss + losses / 2
        correct = correct + best / 2
    return loss, correct


def _loss_of_rows(
    at: slice, queries: Tensor, keys: Tensor, related: tuple[Pairs, Pairs], temperature: float, negatives: str
) -> tuple[Tensor, Tensor]:
    """Return the loss of some links in one direction, and whether their translation is the most similar."""
    translates, shares = (_of_rows(pairs, at) for pairs in related)
    logits = _without(queries[at] @ keys.T / temperature, translates)
    if negatives == "both":
        logits = torch.cat([logits, _without(queries[at] @ queries.T / temperature, shares)], 1)
    target = torch.arange(at.start, at.stop, device=logits.device)
    best = logits.detach().argmax(1) == target if len(target) else target > 0
    return F.cross_entropy(logits, target, reduction="none"), best


def _without(logits: Tensor, pairs: Pairs) -> Tensor:
    """Return the logits with -inf at pairs of row and column."""
    excluded = torch.zeros_like(logits, dtype=torch.bool)
    excluded[on_device(pairs[0], logits.device), on_device(pairs[1], logits.device)] = True
    return logits.masked_fill(excluded, -torch.inf)


def _of_rows(pairs: Pairs, at: slice) -> Pairs:
    """Return the pairs whose row is in a block, with rows numbered from its start."""
    inside = (pairs[0] >= at.start) & (pairs[0] < at.stop)
    return pairs[0][inside] - at.start, pairs[1][inside]


def _related(identities: Ints) -> list[tuple[Pairs, Pairs]]:
    """Return for each direction the pairs of links that are not negatives of each other.

    Args:
        identities: position in the batch, both words and both sentences of each link. Shape: [n, 5].

    Returns:
        For the first and the second word as query, pairs (i, j), i ≠ j, where the other word of link j is also a
        translation of the query of link i; and pairs where the queries of i and j share a translation, i = j included.
        Both contain all pairs of links of different positions that share a sentence.
    """
    position = identities[:, 0]
    i, j = _within(position)  # words of different sentences are not related otherwise
    apart = _sharing_a_sentence(position, identities[:, 3:])
    words = [np.unique(row_keys(identities[:, [0, side]]), return_inverse=True)[1] for side in (1, 2)]
    base = len(identities) + 1
    out = []
    for own, other in (words, words[::-1]):
        translates = contained(own[i] * base + other[j], np.unique(own * base + other)) & (i != j)
        together = own[i] * base + own[j]
        shares = contained(together, np.unique(together[other[i] == other[j]]))
        out.append((_joined((i[translates], j[translates]), apart), _joined((i[shares], j[shares]), apart)))
    return out


def _joined(one: Pairs, other: Pairs) -> Pairs:
    return np.concatenate([one[0], other[0]]), np.concatenate([one[1], other[1]])


def _within(groups: Ints) -> Pairs:
    """Return all ordered pairs of items of the same group, each with itself included.

    >>> i, j = _within(np.array([7, 5, 7]))
    >>> list(zip(i.tolist(), j.tolist()))
    [(1, 1), (0, 0), (0, 2), (2, 0), (2, 2)]
    """
    order = np.argsort(groups, kind="stable")
    _, sizes = np.unique(groups, return_counts=True)
    times = np.repeat(sizes, sizes)
    return np.repeat(order, times), order[ranges(np.repeat(row_starts(sizes), sizes), times)]


def _sharing_a_sentence(position: Ints, texts: Ints) -> Pairs:
    """Return all pairs of links of different positions that have a sentence in common, on either side.

    Args:
        position: position in the batch of each link. Shape: [n].
        texts: hash of both its sentences. Shape: [n, 2].
    """
    order = np.argsort(position, kind="stable")
    _, first, sizes = np.unique(position, return_index=True, return_counts=True)
    i, j = (entry // 2 for entry in _within(texts[first].reshape(-1)))  # two texts of each position
    a, b = np.divmod(np.unique((i * len(sizes) + j)[i != j]), len(sizes))
    starts = row_starts(sizes)
    links = order[ranges(starts[a], sizes[a])]  # of a, for each b
    b = np.repeat(b, sizes[a])
    return np.repeat(links, sizes[b]), order[ranges(starts[b], sizes[b])]
