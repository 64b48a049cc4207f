"""Links of many sentence pairs, as arrays: what every aligner gives."""

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
    """Links by pair, source word and target word, in this order.

    Attributes:
        starts: int64 [pairs + 1] where the links of each pair begin.
        source: int32 [L] source words, from 0.
        target: int32 [L] target words, from 0.
        posterior: float32 [L] how sure the aligner is of each, from 0 to 1; ``None`` where it does not say.
    """

    starts: npt.NDArray[np.int64]
    source: npt.NDArray[np.int32]
    target: npt.NDArray[np.int32]
    posterior: npt.NDArray[np.float32] | None = None

    @classmethod
    def of(
        cls,
        pairs: int,
        rows: Sequence[Ints],
        source: Sequence[Ints],
        target: Sequence[Ints],
        posterior: Sequence[npt.NDArray[np.float32]] | None = None,
    ) -> WordLinks:
        """Put links in order.

        Args:
            pairs: how many there are.
            rows, source, target, posterior: pair, words and posterior of links, in parts of any order.
        """
        which, first, second = map(_whole, (rows, source, target))
        order = np.lexsort((second, first, which))
        starts = np.zeros(pairs + 1, np.int64)
        np.cumsum(np.bincount(which, minlength=pairs), out=starts[1:])
        sure = None if posterior is None else _whole(posterior)[order].astype(np.float32)
        return cls(starts, first[order].astype(np.int32, copy=False), second[order].astype(np.int32, copy=False), sure)

    @classmethod
    def of_rows(cls, rows: Iterable[Iterable[tuple[int, int]]]) -> WordLinks:
        """Pack the links of each pair."""
        starts, source, target = array("q", [0]), array("i"), array("i")
        for row in rows:
            for first, second in sorted(row):
                source.append(first)
                target.append(second)
            starts.append(len(source))
        return cls(np.array(starts, np.int64), np.array(source, np.int32), np.array(target, np.int32))

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, pair: int) -> list[tuple[int, int]]:
        begin, end = self.starts[pair : pair + 2].tolist()
        return list(zip(self.source[begin:end].tolist(), self.target[begin:end].tolist(), strict=True))

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        starts = self.starts.tolist()
        for begin, end in pairwise(starts):
            yield list(zip(self.source[begin:end].tolist(), self.target[begin:end].tolist(), strict=True))


def _whole(parts: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """One array of several; of one alone nothing is copied."""
    return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, np.int32), *parts])
