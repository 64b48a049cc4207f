"""The order of a corpus of any size, in memory that does not grow with it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from paralign.batches.batching import BatchPlan, Ints
from paralign.errors import UserError
from paralign.rng import seed_for

__all__ = ["BLOCKS", "Costs", "SectionPlan"]

BLOCKS = 64
"""Blocks in a section."""
_BLOCKS, _SECTION = 2, 3
Costs = Callable[[int, int], tuple[npt.NDArray[np.integer], npt.NDArray[np.integer]]]
"""Called with a range of records, the first and the one after the last; returns their lengths and groups, as
:class:`paralign.batches.batching.BatchPlan` takes them."""


class SectionPlan:
    """The order of the records of a corpus that is read in sections.

    A corpus of up to ``shuffle`` records is one section, in the order of :class:`BatchPlan`. A larger one is divided
    into blocks of consecutive records. In every epoch the blocks are distributed over the sections at random, 64 to
    each, and each section is ordered as a corpus of its own, one after the other. So a section is a random sample of
    blocks, and only the lengths and the order of one section are in memory.

    With a temperature, groups are sampled according to their shares in the section. Records that do not fill a batch
    are left out in each section, others in every epoch.

    Args:
        records: number of records.
        costs: returns lengths and groups of records.
        shuffle: largest number of records in a section.
        batch, seed, window, temperature: as in :class:`BatchPlan`.

    Raises:
        UserError: if the corpus, or a section, is smaller than one batch.
    """

    def __init__(
        self, records: int, costs: Costs, *, shuffle: int, batch: int, seed: int, window: int, temperature: float
    ) -> None:
        self._costs, self._seed = costs, seed
        self._options = {"batch": batch, "window": window, "temperature": temperature}
        self._sections = max(1, -(-records // shuffle))
        self._current: tuple[int, int] | None = None
        self._plan: BatchPlan | None = None
        if self._sections == 1:
            self._plan = BatchPlan(*costs(0, records), seed=seed, **self._options)  # type: ignore[arg-type]
            self.steps_per_epoch = self._plan.steps_per_epoch
            return
        blocks = self._sections * BLOCKS
        self._bounds = np.array([records * block // blocks for block in range(blocks + 1)], np.int64)
        self._steps = records // blocks * BLOCKS // batch  # the same in all sections, whose sizes differ by up to 64
        if not self._steps:
            message = f"training.shuffle divides the corpus into sections of fewer records than a batch of {batch:,}"
            raise UserError(message, hint="raise training.shuffle")
        self.steps_per_epoch = self._sections * self._steps

    def records(self, step: int) -> Ints:
        """Return the records of global batch ``step`` (counted over all epochs), ``[batch]``."""
        plan, index = self._enter(step)
        positions = plan.records(index)
        if self._sections == 1:
            return positions
        return np.asarray(positions + self._shifts[np.searchsorted(self._ends, positions, side="right")])

    def rounds(self, step: int) -> Ints:
        """Return how often each of these records occurred before in its epoch, ``[batch]``."""
        plan, index = self._enter(step)
        return plan.rounds(index)

    def _enter(self, step: int) -> tuple[BatchPlan, int]:
        """Read the section of a step unless it was read last; return its plan, and the number of the step in it."""
        if self._sections == 1:
            assert self._plan is not None
            return self._plan, step
        epoch, index = divmod(step, self.steps_per_epoch)
        section, index = divmod(index, self._steps)
        if self._plan is None or self._current != (epoch, section):
            rng = np.random.Generator(np.random.Philox(seed_for(self._seed, epoch, _BLOCKS)))
            blocks = np.sort(rng.permutation(len(self._bounds) - 1)[section * BLOCKS : (section + 1) * BLOCKS])
            starts, stops = self._bounds[blocks], self._bounds[blocks + 1]
            self._ends = np.cumsum(stops - starts)
            self._shifts = starts - (self._ends - (stops - starts))
            self._plan = None  # before the next one is made
            lengths, groups = self._read(starts, stops)
            seed = seed_for(self._seed, epoch, _SECTION, section)
            self._plan = BatchPlan(lengths, groups, seed=seed, **self._options)  # type: ignore[arg-type]
            self._current = (epoch, section)
        return self._plan, index

    def _read(self, starts: Ints, stops: Ints) -> tuple[npt.NDArray[np.integer], npt.NDArray[np.integer]]:
        """Return lengths and groups of the blocks of a section; with temperature 1 the groups do not matter."""
        lengths = np.empty(self._ends[-1], np.int32)
        groups = np.empty(len(lengths), np.int32) if self._options["temperature"] != 1.0 else None
        for start, stop, end in zip(starts.tolist(), stops.tolist(), self._ends.tolist(), strict=True):
            part = slice(end - (stop - start), end)
            costs = self._costs(start, stop)
            lengths[part] = costs[0]
            if groups is not None:
                groups[part] = costs[1]
        return lengths, np.broadcast_to(np.zeros((), np.int32), len(lengths)) if groups is None else groups
