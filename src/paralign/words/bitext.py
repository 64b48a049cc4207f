"""Sentence pairs as numbers, for the aligners that count."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from paralign.ragged import row_starts

__all__ = ["Bitext", "Side"]

_LONGEST = 400
"""Words. A pair with a longer side is cut along its diagonal: work and memory grow with the square of the length."""


@dataclass(frozen=True)
class Side:
    """One side of all pairs.

    Attributes:
        ids: int32 [T] word numbers of all sentences end to end; 0 is the most frequent word, of equally frequent ones
            that met first.
        lengths: int64 [n] words in each sentence.
        words: the word behind each number.
    """

    ids: Tensor
    lengths: Tensor
    words: list[str]

    @property
    def starts(self) -> Tensor:
        """int64 [n] where each sentence begins in ``ids``."""
        return row_starts(self.lengths)


@dataclass(frozen=True)
class Bitext:
    """Sentence pairs as word numbers.

    Attributes:
        source, target: the sides; a long pair is in several rows.
        pair: int64 [n] the pair each row is of, from 0.
        offset: int64 [n, 2] where the row begins in the pair's sides.
        pairs: how many pairs there are.
    """

    source: Side
    target: Side
    pair: Tensor
    offset: Tensor
    pairs: int

    @classmethod
    def of(cls, pairs: Iterable[tuple[Sequence[str], Sequence[str]]], *, lowercase: bool = False) -> Bitext:
        """Number the words of pairs of sentences; very long lines, which are no sentences, become several rows.

        Args:
            pairs: words of both sides; a side may be empty.
            lowercase: take words that differ in case for one.
        """
        source, target = _Numbers(lowercase), _Numbers(lowercase)
        number, rows, offsets = -1, array("q"), array("q")
        for number, (first, second) in enumerate(pairs):
            m, n = len(first), len(second)
            parts = -(-max(m, n) // _LONGEST) or 1
            for part in range(parts):
                i, j = m * part // parts, n * part // parts
                source.add(first[i : m * (part + 1) // parts])
                target.add(second[j : n * (part + 1) // parts])
                rows.append(number)
                offsets.extend((i, j))
        place = torch.tensor(offsets, dtype=torch.int64).view(-1, 2)
        return cls(source.side(), target.side(), torch.tensor(rows, dtype=torch.int64), place, number + 1)

    def without_ids(self) -> Bitext:
        """The same pairs without their words' numbers, which :class:`paralign.words.cells.Cells` has copied."""
        none = torch.empty(0, dtype=torch.int32)
        return replace(self, source=replace(self.source, ids=none), target=replace(self.target, ids=none))


class _Numbers:
    def __init__(self, lowercase: bool) -> None:
        self.lowercase = lowercase
        self.known: dict[str, int] = {}
        self.flat, self.lengths = array("i"), array("q")

    def add(self, words: Sequence[str]) -> None:
        known = self.known
        if self.lowercase:
            words = [word.lower() for word in words]
        self.flat.extend([known.setdefault(word, len(known)) for word in words])
        self.lengths.append(len(words))

    def side(self) -> Side:
        flat = np.frombuffer(self.flat, np.int32) if self.flat else np.empty(0, np.int32)
        order = np.argsort(-np.bincount(flat, minlength=len(self.known)), kind="stable")
        number = np.empty(len(order), np.int32)
        number[order] = np.arange(len(order), dtype=np.int32)
        words = list(self.known)
        lengths = torch.tensor(self.lengths, dtype=torch.int64)
        return Side(torch.from_numpy(number[flat]), lengths, [words[k] for k in order.tolist()])
