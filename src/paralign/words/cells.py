"""The cells of all sentence pairs: every source word with every target word, and which distinct word pair it is.

A corpus of 100,000 pairs of 22 words has 55 million cells but 14 million distinct word pairs; parameters and counts are
held for the latter, a number for the former. Numbers are made once by sorting the cells of some source words at a time,
so memory beside the result is bounded; from then on every pass reads blocks of pairs of equal lengths, in which
all work is on plain three-dimensional arrays.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from paralign.device import return_memory
from paralign.errors import UserError
from paralign.words.bitext import Bitext

__all__ = ["Block", "Cells", "merged"]

_SORTED = 1 << 18
"""Cells numbered at a time (a frequent word may have more)."""
_IN_MEMORY = 1 << 28
"""Cells whose numbers are kept in memory (1 GiB); of more they are in a temporary file."""
_BLOCK = 1 << 17
"""Cells of a block."""
_DEVICE_BLOCK = 1 << 22
"""Cells of a block on an accelerator, where a pass over a block is some hundred launches whatever its size: there pairs
of unlike lengths share blocks."""
_ALIKE = 16
"""Pairs of equal lengths from which on they make blocks of their own."""
_WASTE = 1.25
"""Blocks of unlike pairs hold at most so many times their own cells."""


@dataclass(frozen=True)
class Block:
    """Some sentence pairs side by side.

    Attributes:
        rows: [k] their places in the bitext.
        source: [k, m] word numbers; behind a sentence's end the number of words there are.
        target: [k, n] likewise.
        ids: [k, m, n] the distinct word pair of each cell; behind the ends the number of distinct pairs there are.
        sizes: words of each pair, ([k], [k]); ``None`` where all are of m and n words.
    """

    rows: Tensor
    source: Tensor
    target: Tensor
    ids: Tensor
    sizes: tuple[Tensor, Tensor] | None


class Cells:
    """The numbered cells of a bitext.

    Args:
        bitext: the sentence pairs; those with an empty side are left out.
        device: where the arrays shall be.

    Attributes:
        rows: int64 [source words + 1] where the distinct pairs of each source word begin.
        target: int32 [D] target word of each distinct pair, ascending among those of one source word.
    """

    def __init__(self, bitext: Bitext, *, device: torch.device | None = None) -> None:
        self.device = device or torch.device("cpu")
        self.words = (len(bitext.source.words), len(bitext.target.words))
        m, n = bitext.source.lengths, bitext.target.lengths
        order = torch.nonzero((m > 0) & (n > 0)).view(-1)
        order = order[torch.argsort(m[order] * (int(n.max()) + 1 if len(n) else 1) + n[order], stable=True)]
        self._rows = order.to(self.device)
        self._m, self._n = m[order].to(self.device), n[order].to(self.device)
        source = _taken(bitext.source.ids, bitext.source.starts[order], m[order])
        target = _taken(bitext.target.ids, bitext.target.starts[order], n[order])
        self._source, self._target = source.to(self.device), target.to(self.device)
        self._first = (_before(self._m), _before(self._n), _before(self._m * self._n))
        columns, widths = self._number()
        none = torch.zeros(1, dtype=torch.int64, device=self.device)
        self.target = torch.cat([none[:0].int(), *columns])
        self.rows = torch.cumsum(torch.cat([none, *widths]), 0)
        del columns
        return_memory()
        self._plan = self._blocks(large=self.device.type != "cpu")

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def distinct(self) -> int:
        """How many distinct word pairs there are."""
        return len(self.target)

    def source_of(self, start: int, stop: int) -> Tensor:
        """int64 [stop - start] the source word of distinct pairs ``start`` to ``stop``."""
        place = torch.arange(start, stop, device=self.device)
        return torch.searchsorted(self.rows, place, right=True) - 1

    def target_of(self, start: int, stop: int) -> Tensor:
        """int32 [stop - start] their target word."""
        return self.target[start:stop]

    def _number(self) -> tuple[list[Tensor], list[Tensor]]:
        """Number the distinct word pairs by source word, then by target word.

        Returns:
            their target words, and how many each source word has; both in parts.
        """
        sources, targets = self.words
        _, first_target, first_cell = self._first
        size = torch.repeat_interleave(self._n, self._m)
        cell = torch.repeat_interleave(first_cell, self._m) + _ramp(self._m) * size
        begin = torch.repeat_interleave(first_target, self._m)
        by = torch.argsort(self._source, stable=True)
        tokens_of = torch.bincount(self._source, minlength=sources).cpu().numpy()
        cells_of = torch.zeros(sources, dtype=torch.int64, device=self.device).index_add_(0, self._source, size)
        self._ids = _array(int(size.sum()), self.device)
        columns, widths = [], []

        def places(tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            """(cell, target word, width) of the cells of some source tokens."""
            width = size[tokens]
            ramp = _ramp(width)
            word = self._target[torch.repeat_interleave(begin[tokens], width) + ramp]
            return torch.repeat_interleave(cell[tokens], width) + ramp, word, width

        known, last = 0, 0
        for at, stop in _runs(cells_of.cpu().numpy(), targets):
            first, last = last, last + int(tokens_of[at:stop].sum())
            if stop == at + 1:  # a frequent word: mark what it is seen with
                parts = _pieces(by[first:last], size)
                seen = torch.zeros(targets, dtype=torch.bool, device=self.device)
                for tokens in parts:
                    seen[places(tokens)[1]] = True
                number = torch.cumsum(seen, 0, dtype=torch.int32) + (known - 1)
                for tokens in parts:
                    place, word, _ = places(tokens)
                    self._ids[place] = number[word]
                column = torch.nonzero(seen).view(-1).int()
                widths.append(torch.tensor([len(column)], device=self.device))
            else:
                place, key, width = places(by[first:last])
                key += torch.repeat_interleave((self._source[by[first:last]] - at) * targets, width)
                key, turn = torch.sort(key)
                new = torch.ones(len(key), dtype=torch.bool, device=self.device)
                torch.ne(key[1:], key[:-1], out=new[1:])
                self._ids[place[turn]] = torch.cumsum(new, 0, dtype=torch.int32) + (known - 1)
                key = key[new]
                column = key % targets
                widths.append(torch.bincount(key // targets, minlength=stop - at))
            columns.append(column)
            known += len(column)
        return columns, widths

    def _blocks(self, *, large: bool) -> list[tuple[Tensor | int, int]]:
        """Which pairs make a block: (first, stop) of pairs of equal lengths, or (places of unlike pairs, 0).

        Args:
            large: few blocks of unlike pairs instead of many without padding.
        """
        m, n = self._m.cpu().numpy(), self._n.cpu().numpy()
        if not len(m):
            return []
        cuts = np.flatnonzero((np.diff(m) != 0) | (np.diff(n) != 0)) + 1
        plan: list[tuple[Tensor | int, int]] = []
        rest = []
        for start, stop in zip([0, *cuts.tolist()], [*cuts.tolist(), len(m)], strict=True):
            if large or stop - start < _ALIKE:
                rest.append(np.arange(start, stop))
                continue
            step = max(1, _BLOCK // int(m[start] * n[start]))
            plan += [(at, min(at + step, stop)) for at in range(start, stop, step)]
        if rest:
            unlike = np.concatenate(rest)
            unlike = unlike[np.lexsort((n[unlike], m[unlike] // 4))]
            size = (_DEVICE_BLOCK, _DEVICE_BLOCK // 16) if large else (_BLOCK, 0)
            plan += [(torch.from_numpy(some).to(self.device), 0) for some in merged(unlike, m, n, *size)]
        return plan

    def __iter__(self) -> Iterator[Block]:
        for which, stop in self._plan:
            yield self._alike(which, stop) if isinstance(which, int) else self._unlike(which)

    def _alike(self, start: int, stop: int) -> Block:
        k, m, n = stop - start, int(self._m[start]), int(self._n[start])
        at_source, at_target, at_cell = (int(first[start]) for first in self._first)
        return Block(
            self._rows[start:stop],
            self._source[at_source : at_source + k * m].view(k, m),
            self._target[at_target : at_target + k * n].view(k, n),
            self._ids[at_cell : at_cell + k * m * n].view(k, m, n),
            None,
        )

    def _unlike(self, some: Tensor) -> Block:
        m, n = self._m[some], self._n[some]
        i, j = (torch.arange(int(size.max()), device=self.device) for size in (m, n))
        row, column = i < m[:, None], j < n[:, None]
        at = [first[some][:, None] for first in self._first]

        def padded(values: Tensor, place: Tensor, inside: Tensor, outside: int) -> Tensor:
            return torch.where(inside, values[torch.where(inside, place, 0)], outside)

        cell = at[2][:, :, None] + i[:, None] * n[:, None, None] + j
        return Block(
            self._rows[some],
            padded(self._source, at[0] + i, row, self.words[0]),
            padded(self._target, at[1] + j, column, self.words[1]),
            padded(self._ids, cell, row[:, :, None] & column[:, None, :], self.distinct),
            (m, n),
        )


def _runs(cells: np.ndarray, targets: int) -> Iterator[tuple[int, int]]:
    """Source words numbered together: one that is seen often, or several whose cells can be sorted at once."""
    at, most = 0, (2**31 - 1) // max(1, targets)
    ends = np.cumsum(cells)
    often = np.append(np.flatnonzero(cells > 2 * targets), len(cells))
    while at < len(cells):
        before = int(ends[at - 1]) if at else 0
        stop = int(np.searchsorted(ends, before + _SORTED, side="right"))
        stop = min(stop, at + most, int(often[np.searchsorted(often, at)]))
        stop = max(stop, at + 1)
        yield at, stop
        at = stop


def _pieces(tokens: Tensor, size: Tensor) -> list[Tensor]:
    """Tokens in runs of some cells."""
    number = torch.cumsum(size[tokens], 0) // _SORTED
    return list(torch.split(tokens, torch.bincount(number).tolist())) if len(tokens) else []


def _array(length: int, device: torch.device) -> Tensor:
    """int32 [length]; what would fill the memory lies in a file that goes with the process."""
    if device.type != "cpu" or length <= _IN_MEMORY:
        return torch.empty(length, dtype=torch.int32, device=device)
    with tempfile.TemporaryFile() as file:
        try:
            if hasattr(os, "posix_fallocate"):  # a full disk is told now, not by a signal in the midst of a pass
                os.posix_fallocate(file.fileno(), 0, 4 * length)
        except OSError as error:
            message = f"no room for {4 * length / 1e9:.1f} GB of temporary numbers ({error.strerror})"
            raise UserError(message, where=tempfile.gettempdir(), mend="name a roomier folder with TMPDIR") from None
        return torch.from_numpy(np.memmap(file, np.int32, "w+", shape=(length,)))


def merged(
    unlike: np.ndarray, m: np.ndarray, n: np.ndarray, most: int = _BLOCK, least: int = 0
) -> Iterator[np.ndarray]:
    """Runs of pairs whose common rectangle wastes little, of at most ``most`` cells; of fewer than ``least`` cells the
    waste does not matter."""
    start, longest, widest, own = 0, 0, 0, 0
    for at, pair in enumerate(unlike.tolist()):
        rows, columns, cells = int(m[pair]), int(n[pair]), int(m[pair] * n[pair])
        whole = (at - start + 1) * max(longest, rows) * max(widest, columns)
        wasteful = whole > _WASTE * (own + cells) and at - start >= _ALIKE and own >= least
        if at > start and (whole > most or wasteful):
            yield unlike[start:at]
            start, longest, widest, own = at, 0, 0, 0
        longest, widest, own = max(longest, rows), max(widest, columns), own + cells
    yield unlike[start:]


def _before(sizes: Tensor) -> Tensor:
    """The sum of all sizes before each."""
    return torch.cumsum(sizes, 0) - sizes


def _ramp(sizes: Tensor) -> Tensor:
    """0, 1, ... up to each size, end to end."""
    total = int(sizes.sum())
    return torch.arange(total, device=sizes.device) - torch.repeat_interleave(_before(sizes), sizes)


def _taken(values: Tensor, starts: Tensor, sizes: Tensor) -> Tensor:
    """Stretches of an array, end to end."""
    return values[torch.repeat_interleave(starts, sizes) + _ramp(sizes)]
