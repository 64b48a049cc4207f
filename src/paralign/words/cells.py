"""The cells of the alignment matrices of a corpus, and the distinct word pair that each of them is.

A *cell* is one source word with one target word of the same sentence pair: a pair of m and n words has m · n cells. A
corpus of 100,000 pairs of 22 words has 55 million cells but 14 million distinct word pairs. Parameters and counts are
stored for the distinct pairs; a cell stores the number of its distinct pair.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from paralign.ragged import row_ids
from paralign.words.bitext import Bitext
from paralign.words.ibm_kernels import number_cells

__all__ = ["AlignmentCells", "Direction", "directions_of"]

Ints = npt.NDArray[Any]


@dataclass(frozen=True)
class Direction:
    """One side of all sentence pairs generates the other.

    Shapes:
        words: ``([generating tokens], [generated tokens])``
        starts: ``[2, pairs + 1]``

    Attributes:
        words: int32, word ids of the generating and of the generated side.
        starts: int64, where the sentences of both sides begin.
        by_row: whether a row of cells belongs to a generating word, as from source to target.
        sizes: number of distinct words of both sides.
    """

    words: tuple[Ints, Ints]
    starts: Ints
    by_row: bool
    sizes: tuple[int, int]

    def shapes(self) -> Ints:
        """Return numbers of generating and generated words, and of pairs with them; int64 ``[shapes, 3]``."""
        shapes, number = np.unique(np.diff(self.starts, axis=1).T, axis=0, return_counts=True)
        return np.column_stack([shapes, number])


def directions_of(bitext: Bitext) -> tuple[Direction, Direction]:
    """Return both directions of a text: source to target, and target to source."""
    source, target, starts = bitext.source, bitext.target, bitext.starts
    sizes = (len(source.vocabulary), len(target.vocabulary))
    return (
        Direction((source.ids, target.ids), starts, True, sizes),
        Direction((target.ids, source.ids), np.ascontiguousarray(starts[::-1]), False, sizes[::-1]),
    )


class AlignmentCells:
    """All cells of a bitext; the length is their number.

    Args:
        bitext: the sentence pairs.

    Shapes:
        cells: ``[pairs + 1]``
        ids: ``[cells]``
        rows: ``[source words + 1]``
        target: ``[distinct pairs]``

    Attributes:
        cells: int64, where the cells of each pair begin, row by row.
        ids: uint32, number of the distinct pair of each cell.
        rows: int64, where the distinct pairs of each source word begin.
        target: int32, target word of each distinct pair.
        directions: source to target, and target to source.
    """

    def __init__(self, bitext: Bitext) -> None:
        source, target = bitext.source, bitext.target
        starts, self.cells = bitext.starts, bitext.cells
        self.rows = np.zeros(len(source.vocabulary) + 1, np.int64)
        self.ids = np.empty(self.cells[-1], np.uint32)
        self.target = np.empty(0, np.int32)
        self.directions = directions_of(bitext)
        if not len(self.ids):
            return
        by_word = np.argsort(source.ids, kind="stable")
        sentence = np.repeat(np.arange(len(source.lengths), dtype=np.int32), source.lengths)
        for _ in range(2):  # count, then fill
            arrays = (by_word, sentence, source.ids, target.ids, starts, self.cells, self.target, self.rows, self.ids)
            distinct = number_cells(*arrays)
            if not len(self.target):
                self.target = np.empty(distinct, np.int32)

    def __len__(self) -> int:
        return int(self.cells[-1])

    def pair_words(self) -> tuple[Ints, Ints]:
        """Return the source and the target word of each distinct pair."""
        return row_ids(np.diff(self.rows)), self.target

    @property
    def distinct(self) -> int:
        """Number of distinct word pairs."""
        return len(self.target)
