"""Word links of many sentence pairs, as arrays: the result of every aligner."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["WordLinks"]

Ints = npt.NDArray[np.integer]


@dataclass(frozen=True)
class WordLinks:
    """Links sorted by sentence pair, source word and target word. Indexing and iterating give lists of word pairs.

    >>> links = WordLinks.from_rows([[(1, 0), (0, 0)], []])
    >>> list(links)
    [[(0, 0), (1, 0)], []]

    Shapes:
        starts: ``[pairs + 1]``
        source, target, posterior: ``[links]``

    Attributes:
        starts: int64, where the links of each pair begin.
        source: int32, position of the source word, from 0.
        target: int32, position of the target word, from 0.
        posterior: float32, the aligner's probability of each link, from 0 to 1; ``None`` if it gives none.
    """

    starts: npt.NDArray[np.int64]
    source: npt.NDArray[np.int32]
    target: npt.NDArray[np.int32]
    posterior: npt.NDArray[np.float32] | None = None

    @classmethod
    def from_arrays(
        cls,
        pairs: int,
        rows: Sequence[Ints],
        source: Sequence[Ints],
        target: Sequence[Ints],
    ) -> WordLinks:
        """Sort links that are in any order.

        Args:
            pairs: number of sentence pairs.
            rows: the sentence pair of each link, as a list of arrays that are concatenated.
            source: the source word of each link, likewise.
            target: the target word of each link, likewise.
        """
        row, first, second = map(_concatenate, (rows, source, target))
        order = np.lexsort((second, first, row))
        starts = np.zeros(pairs + 1, np.int64)
        np.cumsum(np.bincount(row, minlength=pairs), out=starts[1:])
        return cls(
            starts,
            first[order].astype(np.int32, copy=False),
            second[order].astype(np.int32, copy=False),
        )

    @classmethod
    def from_rows(cls, rows: Iterable[Iterable[tuple[int, int]]]) -> WordLinks:
        """Pack the links of each sentence pair, given as (source, target) in any order."""
        starts, source, target = array("q", [0]), array("i"), array("i")
        for row in rows:
            for first, second in sorted(row):
                source.append(first)
                target.append(second)
            starts.append(len(source))
        return cls(np.array(starts, np.int64), np.array(source, np.int32), np.array(target, np.int32))

    def posterior_lines(self) -> Iterator[str]:
        """Yield the probabilities of the links of each pair, separated by spaces; nothing if there are none."""
        if self.posterior is not None:
            for begin, end in pairwise(self.starts.tolist()):
                yield " ".join(f"{value:.4f}" for value in self.posterior[begin:end].tolist())

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, pair: int) -> list[tuple[int, int]]:
        begin, end = self.starts[pair : pair + 2].tolist()
        return list(zip(self.source[begin:end].tolist(), self.target[begin:end].tolist(), strict=True))

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        for begin, end in pairwise(self.starts.tolist()):
            yield list(zip(self.source[begin:end].tolist(), self.target[begin:end].tolist(), strict=True))


def _concatenate(parts: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Concatenate arrays; a single one is not copied."""
    return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, np.int32), *parts])
