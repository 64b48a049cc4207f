"""The cells of the alignment matrices of a corpus, and the distinct word pair that each of them is.

A *cell* is one source word with one target word of the same sentence pair: a pair of m and n words has m · n cells. A
corpus of 100,000 pairs of 22 words has 55 million cells but 14 million distinct word pairs. Parameters and counts are
stored for the distinct pairs; a cell stores the id of its distinct pair. The ids are computed once, by sorting the
cells of a few source words at a time, which bounds the additional memory. Every pass then reads blocks of sentence
pairs of equal lengths, so that all computation is on plain three-dimensional arrays.
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
from paralign.ragged import ranges, row_positions, row_starts
from paralign.words.bitext import Bitext

__all__ = ["AlignmentCells", "Block", "group_similar_sizes"]

_SORT_CELLS = 1 << 18
"""Cells that are sorted at once (a single frequent word may have more)."""
_MEMORY_CELLS = 1 << 28
"""Cells whose ids are kept in memory (1 GiB); more than that are kept in a temporary file."""
_BLOCK_CELLS = 1 << 17
"""Cells of a block."""
_DEVICE_BLOCK_CELLS = 1 << 22
"""Cells of a block on an accelerator, where the cost of a pass over a block is mostly kernel launches: blocks are few,
and pairs of different lengths share them."""
_MIN_BLOCK_PAIRS = 16
"""Sentence pairs of equal lengths that form a block of their own; fewer are padded together with similar ones."""
_MAX_PADDING = 1.25
"""Cells of a padded block, divided by those that are not padding."""


@dataclass(frozen=True)
class Block:
    """Sentence pairs of equal lengths, or padded to them.

    Shapes:
        rows: ``[k]``
        source: ``[k, m]``
        target: ``[k, n]``
        ids: ``[k, m, n]``
        sizes: ``([k], [k])``

    Attributes:
        rows: the rows of the bitext.
        source: ids of the source words; padding is the number of source words.
        target: ids of the target words; padding is the number of target words.
        ids: id of the distinct word pair of each cell; padding is the number of distinct pairs.
        sizes: number of words of each pair; ``None`` if there is no padding.
    """

    rows: Tensor
    source: Tensor
    target: Tensor
    ids: Tensor
    sizes: tuple[Tensor, Tensor] | None


class AlignmentCells:
    """All cells of a bitext. Iterating yields a :class:`Block` at a time; the length is the number of cells.

    Args:
        bitext: the sentence pairs. Those with an empty side are left out.
        device: where the arrays are stored. Default ``None``: the CPU.

    Shapes:
        rows: ``[source words + 1]``
        target: ``[distinct pairs]``

    Attributes:
        words: number of source and of target words.
        rows: int64, where the distinct pairs of each source word begin.
        target: int32, target word of each distinct pair, in ascending order for each source word.
    """

    def __init__(self, bitext: Bitext, *, device: torch.device | None = None) -> None:
        self.device = device or torch.device("cpu")
        self.words = (len(bitext.source.vocabulary), len(bitext.target.vocabulary))
        m, n = bitext.source.lengths, bitext.target.lengths
        order = torch.nonzero((m > 0) & (n > 0)).view(-1)
        order = order[torch.argsort(m[order] * (int(n.max()) + 1 if len(n) else 1) + n[order], stable=True)]
        self._rows = order.to(self.device)
        self._m, self._n = m[order].to(self.device), n[order].to(self.device)
        source = bitext.source.ids[ranges(bitext.source.starts[order], m[order])]
        target = bitext.target.ids[ranges(bitext.target.starts[order], n[order])]
        self._source, self._target = source.to(self.device), target.to(self.device)
        self._starts = (row_starts(self._m), row_starts(self._n), row_starts(self._m * self._n))
        """Where each pair begins in ``_source``, ``_target`` and ``_ids``."""
        columns, widths = self._compute_ids()
        zero = torch.zeros(1, dtype=torch.int64, device=self.device)
        self.target = torch.cat([zero[:0].int(), *columns])
        self.rows = torch.cumsum(torch.cat([zero, *widths]), 0)
        del columns
        return_memory()
        self._plan = self._plan_blocks(large=self.device.type != "cpu")

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def distinct(self) -> int:
        """Number of distinct word pairs."""
        return len(self.target)

    def source_of(self, start: int, stop: int) -> Tensor:
        """Return the source words (int64) of the distinct pairs ``start`` to ``stop``."""
        pairs = torch.arange(start, stop, device=self.device)
        return torch.searchsorted(self.rows, pairs, right=True) - 1

    def target_of(self, start: int, stop: int) -> Tensor:
        """Return the target words (int32) of the distinct pairs ``start`` to ``stop``."""
        return self.target[start:stop]

    def _compute_ids(self) -> tuple[list[Tensor], list[Tensor]]:
        """Number the distinct word pairs by source word, then by target word, and store the id of each cell.

        Returns:
            the target words of the distinct pairs, and the number of pairs of each source word; both in parts.
        """
        sources, targets = self.words
        _, target_starts, cell_starts = self._starts
        width_of = torch.repeat_interleave(self._n, self._m)  # by source token: the cells of its row
        first_cell = torch.repeat_interleave(cell_starts, self._m) + row_positions(self._m) * width_of
        first_target = torch.repeat_interleave(target_starts, self._m)
        by_word = torch.argsort(self._source, stable=True)
        tokens_of = torch.bincount(self._source, minlength=sources).cpu().numpy()
        cells_of = torch.zeros(sources, dtype=torch.int64, device=self.device).index_add_(0, self._source, width_of)
        self._ids = _allocate(int(width_of.sum()), self.device)
        columns, widths = [], []

        def cells(tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            """Return (cell, target word) of every cell of some source tokens, and the number of cells of each token."""
            width = width_of[tokens]
            column = row_positions(width)
            word = self._target[torch.repeat_interleave(first_target[tokens], width) + column]
            return torch.repeat_interleave(first_cell[tokens], width) + column, word, width

        distinct, last = 0, 0
        for word, stop in _word_ranges(cells_of.cpu().numpy(), targets):
            first, last = last, last + int(tokens_of[word:stop].sum())
            if stop == word + 1:  # a frequent word: mark the target words that it occurs with
                parts = _split(by_word[first:last], width_of)
                occurs = torch.zeros(targets, dtype=torch.bool, device=self.device)
                for tokens in parts:
                    occurs[cells(tokens)[1]] = True
                number = torch.cumsum(occurs, 0, dtype=torch.int32) + (distinct - 1)
                for tokens in parts:
                    cell, target, _ = cells(tokens)
                    self._ids[cell] = number[target]
                column = torch.nonzero(occurs).view(-1).int()
                widths.append(torch.tensor([len(column)], device=self.device))
            else:
                cell, key, width = cells(by_word[first:last])
                key += torch.repeat_interleave((self._source[by_word[first:last]] - word) * targets, width)
                key, order = torch.sort(key)
                is_new = torch.ones(len(key), dtype=torch.bool, device=self.device)
                torch.ne(key[1:], key[:-1], out=is_new[1:])
                self._ids[cell[order]] = torch.cumsum(is_new, 0, dtype=torch.int32) + (distinct - 1)
                key = key[is_new]
                column = key % targets
                widths.append(torch.bincount(key // targets, minlength=stop - word))
            columns.append(column)
            distinct += len(column)
        return columns, widths

    def _plan_blocks(self, *, large: bool) -> list[tuple[Tensor | int, int]]:
        """Return the pairs of each block: (start, stop) for pairs of equal lengths, or (positions, 0) to be padded.

        Args:
            large: few large padded blocks instead of many without padding.
        """
        m, n = self._m.cpu().numpy(), self._n.cpu().numpy()
        if not len(m):
            return []
        cuts = np.flatnonzero((np.diff(m) != 0) | (np.diff(n) != 0)) + 1
        plan: list[tuple[Tensor | int, int]] = []
        rest = []
        for start, stop in zip([0, *cuts.tolist()], [*cuts.tolist(), len(m)], strict=True):
            if large or stop - start < _MIN_BLOCK_PAIRS:
                rest.append(np.arange(start, stop))
                continue
            step = max(1, _BLOCK_CELLS // int(m[start] * n[start]))
            plan += [(first, min(first + step, stop)) for first in range(start, stop, step)]
        if rest:
            pairs = np.concatenate(rest)
            pairs = pairs[np.lexsort((n[pairs], m[pairs] // 4))]
            limits = (_DEVICE_BLOCK_CELLS, _DEVICE_BLOCK_CELLS // 16) if large else (_BLOCK_CELLS, 0)
            groups = group_similar_sizes(pairs, m, n, *limits)
            plan += [(torch.from_numpy(group).to(self.device), 0) for group in groups]
        return plan

    def __iter__(self) -> Iterator[Block]:
        for pairs, stop in self._plan:
            yield self._equal_block(pairs, stop) if isinstance(pairs, int) else self._padded_block(pairs)

    def _equal_block(self, start: int, stop: int) -> Block:
        k, m, n = stop - start, int(self._m[start]), int(self._n[start])
        source, target, cell = (int(starts[start]) for starts in self._starts)
        return Block(
            self._rows[start:stop],
            self._source[source : source + k * m].view(k, m),
            self._target[target : target + k * n].view(k, n),
            self._ids[cell : cell + k * m * n].view(k, m, n),
            None,
        )

    def _padded_block(self, pairs: Tensor) -> Block:
        m, n = self._m[pairs], self._n[pairs]
        i, j = (torch.arange(int(size.max()), device=self.device) for size in (m, n))
        is_row, is_column = i < m[:, None], j < n[:, None]
        source, target, cell = (starts[pairs][:, None] for starts in self._starts)

        def padded(values: Tensor, position: Tensor, inside: Tensor, padding: int) -> Tensor:
            return torch.where(inside, values[torch.where(inside, position, 0)], padding)

        return Block(
            self._rows[pairs],
            padded(self._source, source + i, is_row, self.words[0]),
            padded(self._target, target + j, is_column, self.words[1]),
            padded(
                self._ids,
                cell[:, :, None] + i[:, None] * n[:, None, None] + j,
                is_row[:, :, None] & is_column[:, None, :],
                self.distinct,
            ),
            (m, n),
        )


def _word_ranges(cells: np.ndarray, targets: int) -> Iterator[tuple[int, int]]:
    """Yield source words to number together: one frequent word, or several whose cells can be sorted at once.

    Args:
        cells: number of cells of each source word.
        targets: number of target words.
    """
    start, max_words = 0, (2**31 - 1) // max(1, targets)
    ends = np.cumsum(cells)
    frequent = np.append(np.flatnonzero(cells > 2 * targets), len(cells))
    while start < len(cells):
        before = int(ends[start - 1]) if start else 0
        stop = int(np.searchsorted(ends, before + _SORT_CELLS, side="right"))
        stop = min(stop, start + max_words, int(frequent[np.searchsorted(frequent, start)]))
        stop = max(stop, start + 1)
        yield start, stop
        start = stop


def _split(tokens: Tensor, width_of: Tensor) -> list[Tensor]:
    """Split source tokens into parts of about ``_SORT_CELLS`` cells."""
    part = torch.cumsum(width_of[tokens], 0) // _SORT_CELLS
    return list(torch.split(tokens, torch.bincount(part).tolist())) if len(tokens) else []


def _allocate(length: int, device: torch.device) -> Tensor:
    """Return an int32 array; a large one is mapped from a temporary file that is deleted when the process ends."""
    if device.type != "cpu" or length <= _MEMORY_CELLS:
        return torch.empty(length, dtype=torch.int32, device=device)
    with tempfile.TemporaryFile() as file:
        try:
            if hasattr(os, "posix_fallocate"):  # a full disk is an error here, instead of a signal in a later pass
                os.posix_fallocate(file.fileno(), 0, 4 * length)
        except OSError as error:
            message = f"not enough space for a temporary file of {4 * length / 1e9:.1f} GB ({error.strerror})"
            hint = "set TMPDIR to a folder with more space"
            raise UserError(message, where=tempfile.gettempdir(), hint=hint) from None
        return torch.from_numpy(np.memmap(file, np.int32, "w+", shape=(length,)))


def group_similar_sizes(
    pairs: np.ndarray, m: np.ndarray, n: np.ndarray, max_cells: int = _BLOCK_CELLS, min_cells: int = 0
) -> Iterator[np.ndarray]:
    """Yield consecutive pairs that can be padded to a common size with little waste.

    Args:
        pairs: ``[k]`` indices into ``m`` and ``n``, sorted so that pairs of similar sizes are neighbors.
        m: number of rows of each pair.
        n: number of columns of each pair.
        max_cells: cells of a padded group, at most.
        min_cells: cells up to which padding does not matter.
    """
    start, most_rows, most_columns, unpadded = 0, 0, 0, 0
    for position, pair in enumerate(pairs.tolist()):
        rows, columns, cells = int(m[pair]), int(n[pair]), int(m[pair] * n[pair])
        padded = (position - start + 1) * max(most_rows, rows) * max(most_columns, columns)
        wasteful = padded > _MAX_PADDING * (unpadded + cells) and position - start >= _MIN_BLOCK_PAIRS
        if position > start and (padded > max_cells or (wasteful and unpadded >= min_cells)):
            yield pairs[start:position]
            start, most_rows, most_columns, unpadded = position, 0, 0, 0
        most_rows, most_columns = max(most_rows, rows), max(most_columns, columns)
        unpadded += cells
    yield pairs[start:]
