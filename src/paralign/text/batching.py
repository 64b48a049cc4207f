"""Which records make up which batch: a pure function of (seed, epoch, step), and how to pad little.

Windows of some batches are sorted by length, so that a batch holds records of like length; every batch has the
same number of records; within a batch each view is encoded in as few chunks by its own length as keep padding low.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from paralign.errors import UserError
from paralign.text.draws import seed_for

__all__ = ["BatchPlan", "cut_by_length", "padded_size", "split_by_length"]

MOST_CHUNKS = 16

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
            values favour small groups (records of small groups then repeat within an epoch).

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
                mend="lower training.batch or give more text",
            )
        self.lengths = np.asarray(lengths)
        self.groups = np.asarray(groups)
        self.batch = batch
        self.seed = seed
        self.window = window
        self.temperature = temperature
        self.steps_per_epoch = len(lengths) // batch
        self._epoch: tuple[int, Ints] | None = None

    def epoch_of(self, step: int) -> int:
        """The epoch a step belongs to; negative steps lie in epochs that training never visits."""
        return step // self.steps_per_epoch

    def records(self, step: int) -> Ints:
        """The records of global batch ``step`` (counted over all epochs), [batch]."""
        epoch, place = divmod(step, self.steps_per_epoch)
        if self._epoch is None or self._epoch[0] != epoch:
            self._epoch = (epoch, self._order(epoch))
        return self._epoch[1][place * self.batch : (place + 1) * self.batch]

    def _order(self, epoch: int) -> Ints:
        rng = np.random.Generator(np.random.Philox(seed_for(self.seed, epoch, 1)))
        order = self._mixed(rng)[: self.steps_per_epoch * self.batch]
        out = np.empty_like(order)
        span = self.window * self.batch
        for start in range(0, len(order), span):
            part = order[start : start + span]
            part = part[np.argsort(self.lengths[part], kind="stable")].reshape(-1, self.batch)
            out[start : start + span] = part[rng.permutation(len(part))].reshape(-1)
        return out

    def _mixed(self, rng: np.random.Generator) -> Ints:
        n = len(self.lengths)
        if self.temperature == 1.0:
            return rng.permutation(n)
        drawn = []
        names, sizes = np.unique(self.groups, return_counts=True)
        share = (sizes / n) ** (1 / self.temperature)
        wanted = np.ceil(n * share / share.sum()).astype(int)
        for name, size, count in zip(names, sizes, wanted, strict=True):
            members = np.flatnonzero(self.groups == name)
            rounds = [members[rng.permutation(size)] for _ in range(-(-count // size))]
            drawn.append(np.concatenate(rounds)[:count])
        return rng.permutation(np.concatenate(drawn))[:n]


def cut_by_length(lengths: npt.NDArray[np.integer], chunks: int) -> list[Ints]:
    """Rows sorted by length and cut into ``chunks`` nearly equal parts (fewer for few rows), longest first."""
    order = np.argsort(-np.asarray(lengths), kind="stable")
    return [part for part in np.array_split(order, min(chunks, max(1, len(order)))) if len(part)]


def split_by_length(lengths: npt.NDArray[np.integer], padding: float) -> list[Ints]:
    """The fewest parts (1, 2, 4, 8 or 16) that keep the share of padding within ``padding``.

    Few large parts are fast, many small ones waste little: a view already sorted by its length needs one, the single
    sides of pairs sorted by their sum need several.
    """
    real = int(np.sum(lengths))
    for chunks in (1, 2, 4, 8, MOST_CHUNKS):
        parts = cut_by_length(lengths, chunks)
        if padded_size(lengths, parts) * (1 - padding) <= real:
            break
    return parts


def padded_size(lengths: npt.NDArray[np.integer], parts: list[Ints]) -> int:
    """Positions encoded when each part is padded to its longest row."""
    return sum(len(part) * int(lengths[part].max()) for part in parts)
