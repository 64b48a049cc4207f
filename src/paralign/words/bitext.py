"""Sentence pairs as word ids, for the statistical aligners."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from paralign.words.compiled import MAX_LENGTH

__all__ = ["Bitext", "Side"]


@dataclass(frozen=True)
class Side:
    """One side of all pairs.

    Shapes:
        ids: ``[tokens]``
        lengths: ``[rows]``

    Attributes:
        ids: int32, word ids of all sentences, concatenated. Ids are sorted by frequency, the most frequent word is 0;
            equally frequent words are sorted by their first occurrence.
        lengths: int64, number of words in each sentence.
        vocabulary: the word of each id.
    """

    ids: npt.NDArray[Any]
    lengths: npt.NDArray[Any]
    vocabulary: list[str]


@dataclass(frozen=True)
class Bitext:
    """Sentence pairs as word ids. A row is a sentence pair, or a part of a very long one.

    A pair with a side of more than ``MAX_LENGTH`` words is cut along its diagonal, because time and memory grow with
    the square of the length. Pairs with an empty side have no row: nothing can be learned from them.

    Shapes:
        pair_of_row: ``[rows]``
        offsets: ``[rows, 2]``

    Attributes:
        source: the source side.
        target: the target side.
        pair_of_row: int64, the sentence pair that each row belongs to, from 0, in ascending order.
        offsets: int64, the positions in the sentences of the pair at which each row begins.
        pairs: number of sentence pairs.
    """

    source: Side
    target: Side
    pair_of_row: npt.NDArray[Any]
    offsets: npt.NDArray[Any]
    pairs: int

    @classmethod
    def from_pairs(cls, pairs: Iterable[tuple[Sequence[str], Sequence[str]]], *, lowercase: bool = False) -> Bitext:
        """Convert words to ids.

        Args:
            pairs: the words of both sides; a side may be empty.
            lowercase: ignore case. Default: words that differ in case are different words.
        """
        source, target = _SideBuilder(lowercase), _SideBuilder(lowercase)
        number, rows, offsets = -1, array("q"), array("q")
        for number, (first, second) in enumerate(pairs):
            m, n = len(first), len(second)
            parts = -(-max(m, n) // MAX_LENGTH)
            for part in range(parts):
                i, j = m * part // parts, n * part // parts
                end_i, end_j = m * (part + 1) // parts, n * (part + 1) // parts
                if i == end_i or j == end_j:
                    continue
                source.add(first[i:end_i])
                target.add(second[j:end_j])
                rows.append(number)
                offsets.extend((i, j))
        begins = np.array(offsets, np.int64).reshape(-1, 2)
        return cls(source.side(), target.side(), np.array(rows, np.int64), begins, number + 1)

    @cached_property
    def starts(self) -> npt.NDArray[np.int64]:
        """int64 ``[2, rows + 1]``, where the rows begin in the ids of the source and of the target side."""
        return np.stack([_starts(side.lengths) for side in (self.source, self.target)])

    @cached_property
    def cells(self) -> npt.NDArray[np.int64]:
        """int64 ``[rows + 1]``, where the cells (source word, target word) of each row begin."""
        return _starts(self.source.lengths * self.target.lengths)


def _starts(lengths: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


class _SideBuilder:
    """Collects the sentences of one side."""

    def __init__(self, lowercase: bool) -> None:
        self.lowercase = lowercase
        self.number_of: defaultdict[str, int] = defaultdict()
        self.number_of.default_factory = self.number_of.__len__  # a new word gets the next number
        self.flat, self.lengths = array("i"), array("q")

    def add(self, words: Sequence[str]) -> None:
        lowered = map(str.lower, words) if self.lowercase else words
        self.flat.extend(map(self.number_of.__getitem__, lowered))
        self.lengths.append(len(words))

    def side(self) -> Side:
        self.number_of.default_factory = None  # a cycle otherwise, whose memory is freed late
        flat = np.frombuffer(self.flat, np.int32) if self.flat else np.empty(0, np.int32)
        order = np.argsort(-np.bincount(flat, minlength=len(self.number_of)), kind="stable")
        new_id = np.empty(len(order), np.int32)
        new_id[order] = np.arange(len(order), dtype=np.int32)
        words = list(self.number_of)
        lengths = np.array(self.lengths, np.int64)
        return Side(new_id[flat], lengths, [words[k] for k in order.tolist()])
