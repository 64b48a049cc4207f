"""The records of each batch, as a pure function of (seed, epoch, step), with little padding.

Every batch has the same number of records. Windows of several batches are sorted by length, so that the records of a
batch have similar lengths. Within a batch, each view is encoded in a few chunks of rows of similar length.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from paralign.errors import UserError
from paralign.ragged import ranges, row_positions
from paralign.rng import seed_for

__all__ = ["BUDGET", "BatchPlan", "PackedPlan", "batches_by_length", "cut_by_length", "padded_size", "split_by_length"]

BUDGET = 8192
"""Number of padded pieces encoded at once outside of training."""

CHUNKS = (1, 2, 3, 4, 6, 8, 12, 16)

Ints = npt.NDArray[np.int64]


class BatchPlan:
    """The order of the records of a corpus.

    Args:
        lengths: ``[n]`` cost of each record, in pieces.
        groups: ``[n]`` small integers: the mixing group (language pair) of each record.
        batch: records in a global batch.
        seed: seed of the order.
        window: number of batches whose records are sorted by length together.
        temperature: T; a group with share p is sampled in proportion to p^(1/T). 1 is proportional sampling; larger
            values favor small groups, whose records then repeat within an epoch.

    Raises:
        UserError: if the corpus is smaller than one batch.
    """

    def __init__(
        self,
        lengths: npt.NDArray[np.integer],
        groups: npt.NDArray[np.integer],
        *,
        batch: int,
        seed: int,
        window: int = 50,
        temperature: float = 1.0,
    ) -> None:
        if len(lengths) < batch:
            raise UserError(
                f"the corpus has {len(lengths):,} records, less than one batch of {batch:,}",
                hint="lower training.batch or give more text",
            )
        self.lengths = np.asarray(lengths)
        self.groups = np.asarray(groups)
        self.batch = batch
        self.seed = seed
        self.window = window
        self.temperature = temperature
        self.steps_per_epoch = len(lengths) // batch
        self._epoch: tuple[int, npt.NDArray[np.integer], Ints] | None = None

    def records(self, step: int) -> Ints:
        """Return the records of global batch ``step`` (counted over all epochs), ``[batch]``."""
        return self._batch(step)[0]

    def rounds(self, step: int) -> Ints:
        """Return how often each of these records occurred before in its epoch, ``[batch]``."""
        return self._batch(step)[1]

    def _batch(self, step: int) -> tuple[Ints, Ints]:
        epoch, index = divmod(step, self.steps_per_epoch)
        if self._epoch is None or self._epoch[0] != epoch:
            self._epoch = (epoch, *self._order(epoch))
        part = slice(index * self.batch, (index + 1) * self.batch)
        return self._epoch[1][part].astype(np.int64), self._epoch[2][part].astype(np.int64)

    def _order(self, epoch: int) -> tuple[npt.NDArray[np.integer], Ints]:
        rng = np.random.Generator(np.random.Philox(seed_for(self.seed, epoch, 1)))
        size = self.steps_per_epoch * self.batch
        order = _mixed(rng, self.groups, self.temperature)[:size]
        _sort_windows(rng, order, self.lengths, self.batch, self.window)
        if self.temperature == 1.0:
            return order, np.broadcast_to(np.zeros((), np.int64), size)
        return order, _rounds(order, len(self.lengths))


class PackedPlan:
    """Rows of several sentences: in every epoch, the sentences of each group are concatenated in a new random order.

    A row ends before the sentence that would make it longer than ``row``. An epoch has the number of rows that its
    pieces would fill without gaps, so its length does not depend on the random order; the few percent of sentences that
    are left over differ between epochs.

    Args:
        lengths: ``[n]`` pieces of each sentence.
        groups: ``[n]`` language of each sentence.
        row: largest number of pieces in a row, including special tokens.
        special_pieces: number of special tokens at the start of a row and after each sentence.

    The other arguments and the errors are those of :class:`BatchPlan`, with rows instead of records.
    """

    def __init__(
        self,
        lengths: npt.NDArray[np.integer],
        groups: npt.NDArray[np.integer],
        *,
        batch: int,
        seed: int,
        row: int,
        special_pieces: tuple[int, int],
        window: int = 50,
        temperature: float = 1.0,
    ) -> None:
        self._costs, self._groups = np.asarray(lengths, np.int64) + special_pieces[1], np.asarray(groups)
        self._room, self._seed, self._window, self._temperature = row - special_pieces[0], seed, window, temperature
        if len(self._costs) and int(self._costs.max()) > self._room:
            longest = int(self._costs.max()) - special_pieces[1]
            raise UserError(
                f"a sentence of {longest} pieces does not fit into a row of {row}",
                hint=f"set data.max_pieces={row - sum(special_pieces)} or a larger views.pack",
            )
        names, sizes = np.unique(self._groups, return_counts=True)
        means = [float(self._costs[self._groups == name].mean()) for name in names]
        pieces = float(np.dot(_sample_sizes(sizes, temperature), means))
        self.batch, self.steps_per_epoch = batch, int(pieces / self._room) // batch
        if not self.steps_per_epoch:
            rows = int(pieces / self._room)
            raise UserError(
                f"the corpus fills {rows:,} rows of {row} pieces, less than one batch of {batch:,}",
                hint="lower training.batch or views.pack, or give more text",
            )
        self._epoch: tuple[int, Ints, Ints, Ints, Ints] | None = None

    def rows(self, step: int, positions: Ints) -> tuple[Ints, Ints, Ints]:
        """Return the rows at some positions of global batch ``step``.

        Returns:
            The sentences of the rows, concatenated; how often each occurred before in the epoch; and the number of
            sentences in each row.
        """
        epoch, index = divmod(step, self.steps_per_epoch)
        if self._epoch is None or self._epoch[0] != epoch:
            self._epoch = (epoch, *self._pack(epoch))
        _, order, rounds, starts, sizes = self._epoch
        rows = index * self.batch + positions
        size = sizes[rows]
        positions = ranges(starts[rows], size)
        return order[positions], rounds[positions], size

    def _pack(self, epoch: int) -> tuple[Ints, Ints, Ints, Ints]:
        rng = np.random.Generator(np.random.Philox(seed_for(self._seed, epoch, 1)))
        order = _mixed(rng, self._groups, self._temperature).astype(np.int64)
        order = order[np.argsort(self._groups[order], kind="stable")]
        starts, used = [0], 0
        costs, groups = self._costs[order].tolist(), self._groups[order].tolist()
        for position, cost in enumerate(costs):
            if position and (used + cost > self._room or groups[position] != groups[position - 1]):
                starts.append(position)
                used = 0
            used += cost
        begin = np.array(starts, np.int64)
        chosen = np.resize(rng.permutation(len(begin)), self.steps_per_epoch * self.batch)  # only tiny corpora repeat
        _sort_windows(rng, chosen, np.add.reduceat(self._costs[order], begin), self.batch, self._window)
        sizes = np.diff(np.append(begin, len(order)))
        return order, _rounds(order, len(self._costs)), begin[chosen], sizes[chosen]


def _sample_sizes(sizes: npt.NDArray[np.integer], temperature: float) -> Ints:
    """Return how many records to sample from groups of the given sizes: in proportion to p^(1/T)."""
    total = int(sizes.sum())
    share = (sizes / total) ** (1 / temperature)
    result: Ints = np.ceil(total * share / share.sum()).astype(np.int64)
    return result


def _mixed(
    rng: np.random.Generator, groups: npt.NDArray[np.integer], temperature: float
) -> npt.NDArray[np.signedinteger[Any]]:
    """Return the records of an epoch in random order, ``[n]``."""
    n = len(groups)
    if temperature == 1.0:
        order = np.arange(n, dtype=_index_type(n))
        rng.shuffle(order)  # in place: the order of rng.permutation(n)
        return order
    sampled = []
    names, sizes = np.unique(groups, return_counts=True)
    for name, size, count in zip(names, sizes, _sample_sizes(sizes, temperature), strict=True):
        members = np.flatnonzero(groups == name)
        rounds = [members[rng.permutation(size)] for _ in range(-(-count // size))]
        sampled.append(np.concatenate(rounds)[:count])
    return rng.permutation(np.concatenate(sampled).astype(_index_type(n)))[:n]


def _sort_windows(
    rng: np.random.Generator,
    order: npt.NDArray[np.integer],
    lengths: npt.NDArray[np.integer],
    batch: int,
    window: int,
) -> None:
    """Sort windows of an order by length, so that the records of each batch have similar lengths.

    Args:
        rng: shuffles the batches of each window.
        order: the records, sorted in place, as a corpus may have billions of them.
        lengths: the length of each record.
        batch: number of records in a batch.
        window: number of batches in a window.
    """
    span = window * batch
    for start in range(0, len(order), span):
        part = order[start : start + span]
        batches = np.argsort(lengths[part], kind="stable").reshape(-1, batch)
        part[:] = part[batches[rng.permutation(len(batches))].reshape(-1)]


def _index_type(count: int) -> type[np.signedinteger[Any]]:
    """Return the smaller integer type that can number ``count`` records."""
    return np.int32 if count <= np.iinfo(np.int32).max else np.int64


def _rounds(records: npt.NDArray[np.integer], count: int) -> Ints:
    """Return how often each record occurs before its position, ``[n]``; all 0 if none repeats."""
    out = np.zeros(len(records), np.int64)
    if len(records) and int(np.bincount(records, minlength=count).max()) > 1:
        order = np.argsort(records, kind="stable")
        ordered = records[order]
        first = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
        sizes = np.diff(np.append(first, len(ordered)))
        out[order] = row_positions(sizes)
    return out


def cut_by_length(lengths: npt.NDArray[np.integer], chunks: int) -> list[Ints]:
    """Sort rows by length and split them into ``chunks`` nearly equal parts (fewer for few rows), longest first."""
    order = np.argsort(-np.asarray(lengths), kind="stable")
    return [part for part in np.array_split(order, min(chunks, max(1, len(order)))) if len(part)]


def split_by_length(lengths: npt.NDArray[np.integer], cost: float) -> list[Ints]:
    """Split rows into the 1 to 16 parts with the lowest total cost: encoded positions, including padding, plus ``cost``
    per part.

    Few large parts are fast, many small ones need little padding. A view whose rows are sorted by its own length needs
    one part; the single sides of pairs sorted by their total length sometimes need several.
    """
    ways = [cut_by_length(lengths, chunks) for chunks in CHUNKS if chunks == 1 or chunks <= len(lengths)]
    return min(ways, key=lambda parts: padded_size(lengths, parts) + cost * len(parts))


def batches_by_length(lengths: Sequence[int], budget: int = BUDGET) -> Iterator[list[int]]:
    """Yield the indices of rows, longest first: one row, or several of at most ``budget`` padded pieces together."""
    order = np.argsort(-np.asarray(lengths), kind="stable").tolist()
    start = 0
    while start < len(order):
        stop = start + max(1, budget // lengths[order[start]])
        yield order[start:stop]
        start = stop


def padded_size(lengths: npt.NDArray[np.integer], parts: list[Ints]) -> int:
    """Return the number of encoded positions if each part is padded to its longest row."""
    return sum(len(part) * int(lengths[part].max()) for part in parts)
