"""Which records make up which batch: a pure function of (seed, epoch, step), and how to pad little.

Windows of some batches are sorted by length, so that a batch holds records of like length; every batch has the
same number of records; within a batch each view is encoded in few chunks by its own length, as many as pay.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from paralign.errors import UserError
from paralign.ragged import ranges, row_positions
from paralign.rng import seed_for

__all__ = ["BatchPlan", "PackedPlan", "cut_by_length", "padded_size", "split_by_length"]

CHUNKS = (1, 2, 3, 4, 6, 8, 12, 16)

Ints = npt.NDArray[np.int64]


class BatchPlan:
    """The order in which a corpus is seen.

    Args:
        lengths: [n] cost of each record, in pieces.
        groups: [n] small integers: the mixing group (language pair) of each record.
        batch: records in a global batch.
        seed: of the order.
        window: batches sorted by length together.
        temperature: T; a group of share p is drawn in proportion to p^(1/T). 1 is proportional sampling, larger
            values favor small groups (records of small groups then repeat within an epoch).

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

    def epoch_of(self, step: int) -> int:
        """The epoch a step belongs to; negative steps lie in epochs that training never visits."""
        return step // self.steps_per_epoch

    def records(self, step: int) -> Ints:
        """The records of global batch ``step`` (counted over all epochs), [batch]."""
        return self._part(step)[0]

    def rounds(self, step: int) -> Ints:
        """How often each of these records came before in its epoch, [batch]: 0 unless small groups repeat."""
        return self._part(step)[1]

    def _part(self, step: int) -> tuple[Ints, Ints]:
        epoch, place = divmod(step, self.steps_per_epoch)
        if self._epoch is None or self._epoch[0] != epoch:
            self._epoch = (epoch, *self._order(epoch))
        part = slice(place * self.batch, (place + 1) * self.batch)
        return self._epoch[1][part].astype(np.int64), self._epoch[2][part].astype(np.int64)

    def _order(self, epoch: int) -> tuple[npt.NDArray[np.integer], Ints]:
        rng = np.random.Generator(np.random.Philox(seed_for(self.seed, epoch, 1)))
        wanted = self.steps_per_epoch * self.batch
        order = _mixed(rng, self.groups, self.temperature)[:wanted].astype(_small(len(self.lengths)))
        span = self.window * self.batch
        for start in range(0, wanted, span):  # in place: a corpus may have billions of records
            part = order[start : start + span]
            part[:] = part[_in_windows(rng, self.lengths[part], self.batch, self.window)]
        if self.temperature == 1.0:
            return order, np.broadcast_to(np.zeros((), np.int64), wanted)
        return order, _rounds(order, len(self.lengths))


class PackedPlan:
    """Rows of several sentences: those of one group laid end to end in random order, anew every epoch.

    A row ends before the sentence that would make it longer than ``row``. An epoch has as many rows as its pieces
    would fill without a gap, so that its length does not depend on the draw; the few per cent left over differ from
    epoch to epoch.

    Args:
        lengths: [n] pieces of each sentence.
        groups: [n] language of each.
        row: most pieces of a row, specials included.
        dress: special pieces at the start of a row and after each sentence.

    The others, and the errors, are those of :class:`BatchPlan`, with rows for records.
    """

    def __init__(
        self,
        lengths: npt.NDArray[np.integer],
        groups: npt.NDArray[np.integer],
        *,
        batch: int,
        seed: int,
        row: int,
        dress: tuple[int, int],
        window: int = 50,
        temperature: float = 1.0,
    ) -> None:
        self._costs, self._groups = np.asarray(lengths, np.int64) + dress[1], np.asarray(groups)
        self._room, self._seed, self._window, self._temperature = row - dress[0], seed, window, temperature
        if len(self._costs) and int(self._costs.max()) > self._room:
            longest = int(self._costs.max()) - dress[1]
            raise UserError(
                f"a sentence of {longest} pieces does not fit into a row of {row}",
                hint=f"set data.max_pieces={row - sum(dress)} or a larger views.pack",
            )
        names, sizes = np.unique(self._groups, return_counts=True)
        means = [float(self._costs[self._groups == name].mean()) for name in names]
        pieces = float(np.dot(_wanted(sizes, temperature), means))
        self.batch, self.steps_per_epoch = batch, int(pieces / self._room) // batch
        if not self.steps_per_epoch:
            rows = int(pieces / self._room)
            raise UserError(
                f"the corpus fills {rows:,} rows of {row} pieces, less than one batch of {batch:,}",
                hint="lower training.batch or views.pack, or give more text",
            )
        self._epoch: tuple[int, Ints, Ints, Ints, Ints] | None = None

    def epoch_of(self, step: int) -> int:
        """The epoch a step belongs to."""
        return step // self.steps_per_epoch

    def rows(self, step: int, part: int = 0, parts: int = 1) -> tuple[Ints, Ints, Ints]:
        """Every ``parts``-th row of global batch ``step``.

        Returns:
            sentences end to end, how often each came before in the epoch, and how many each row has.
        """
        epoch, place = divmod(step, self.steps_per_epoch)
        if self._epoch is None or self._epoch[0] != epoch:
            self._epoch = (epoch, *self._pack(epoch))
        _, order, rounds, starts, sizes = self._epoch
        mine = np.arange(place * self.batch, (place + 1) * self.batch)[part::parts]
        size = sizes[mine]
        at = ranges(starts[mine], size)
        return order[at], rounds[at], size

    def _pack(self, epoch: int) -> tuple[Ints, Ints, Ints, Ints]:
        rng = np.random.Generator(np.random.Philox(seed_for(self._seed, epoch, 1)))
        order = _mixed(rng, self._groups, self._temperature)
        order = order[np.argsort(self._groups[order], kind="stable")]
        starts, full = [0], 0
        costs, groups = self._costs[order].tolist(), self._groups[order].tolist()
        for place, cost in enumerate(costs):
            if place and (full + cost > self._room or groups[place] != groups[place - 1]):
                starts.append(place)
                full = 0
            full += cost
        begin = np.array(starts, np.int64)
        wanted = self.steps_per_epoch * self.batch
        chosen = np.resize(rng.permutation(len(begin)), wanted)  # rows repeat only where a corpus is tiny
        chosen = chosen[_in_windows(rng, np.add.reduceat(self._costs[order], begin)[chosen], self.batch, self._window)]
        sizes = np.diff(np.append(begin, len(order)))
        return order, _rounds(order, len(self._costs)), begin[chosen], sizes[chosen]


def _wanted(sizes: npt.NDArray[np.integer], temperature: float) -> Ints:
    """Records to draw from groups of the given sizes: in proportion to p^(1/T)."""
    total = int(sizes.sum())
    share = (sizes / total) ** (1 / temperature)
    wanted: Ints = np.ceil(total * share / share.sum()).astype(np.int64)
    return wanted


def _mixed(rng: np.random.Generator, groups: npt.NDArray[np.integer], temperature: float) -> Ints:
    """[n] records of an epoch in random order."""
    n = len(groups)
    if temperature == 1.0:
        return rng.permutation(n)
    drawn = []
    names, sizes = np.unique(groups, return_counts=True)
    for name, size, count in zip(names, sizes, _wanted(sizes, temperature), strict=True):
        members = np.flatnonzero(groups == name)
        rounds = [members[rng.permutation(size)] for _ in range(-(-count // size))]
        drawn.append(np.concatenate(rounds)[:count])
    return rng.permutation(np.concatenate(drawn))[:n]


def _in_windows(rng: np.random.Generator, lengths: npt.NDArray[np.integer], batch: int, window: int) -> Ints:
    """An order in which batches hold records of like length, whole windows sorted at a time."""
    out = np.empty(len(lengths), np.int64)
    span = window * batch
    for start in range(0, len(lengths), span):
        part = np.argsort(lengths[start : start + span], kind="stable").reshape(-1, batch)
        out[start : start + span] = start + part[rng.permutation(len(part))].reshape(-1)
    return out


def _small(count: int) -> type[np.signedinteger[Any]]:
    """The smallest type that numbers so many records."""
    return np.int32 if count <= np.iinfo(np.int32).max else np.int64


def _rounds(records: npt.NDArray[np.integer], count: int) -> Ints:
    """[n] how often each record stands before its place; all 0 where none repeats."""
    out = np.zeros(len(records), np.int64)
    if len(records) and int(np.bincount(records, minlength=count).max()) > 1:
        order = np.argsort(records, kind="stable")
        ranked = records[order]
        first = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1]))
        sizes = np.diff(np.append(first, len(ranked)))
        out[order] = row_positions(sizes)
    return out


def cut_by_length(lengths: npt.NDArray[np.integer], chunks: int) -> list[Ints]:
    """Rows sorted by length and cut into ``chunks`` nearly equal parts (fewer for few rows), longest first."""
    order = np.argsort(-np.asarray(lengths), kind="stable")
    return [part for part in np.array_split(order, min(chunks, max(1, len(order)))) if len(part)]


def split_by_length(lengths: npt.NDArray[np.integer], cost: float) -> list[Ints]:
    """The parts (1 to 16) that are cheapest together: positions to encode, padding among them, and ``cost`` a part.

    Few large parts are fast, many small ones waste little: a view already sorted by its length needs one, the single
    sides of pairs sorted by their sum sometimes several.
    """
    ways = [cut_by_length(lengths, chunks) for chunks in CHUNKS if chunks == 1 or chunks <= len(lengths)]
    return min(ways, key=lambda parts: padded_size(lengths, parts) + cost * len(parts))


def padded_size(lengths: npt.NDArray[np.integer], parts: list[Ints]) -> int:
    """Positions encoded when each part is padded to its longest row."""
    return sum(len(part) * int(lengths[part].max()) for part in parts)
