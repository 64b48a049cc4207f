"""Labeled rows for the encoder, kept on disk, as batches with the view ``example``."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from paralign.batches.batching import BatchPlan
from paralign.batches.rows import Segment, View, assemble
from paralign.device import processes
from paralign.encoder import Encoder
from paralign.ragged import row_starts
from paralign.training import TrainingConfig

__all__ = ["Example", "ExampleBatches", "ExampleStore", "example_view"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Example:
    """One row for the encoder.

    Attributes:
        pieces: piece ids without specials: one stretch, or two for a pair of texts. All rows of a task alike.
        targets: [m] places in the row, specials counted ([CLS] is 0), that the head reads.
        labels: [m] or [m, k] what it should find there.
        item: index of the item the row comes from (long items give several rows).
        note: whatever the task needs to read the answer; not kept for training.
    """

    pieces: tuple[Ints, ...]
    targets: Ints
    labels: Ints
    item: int = 0
    note: Any = None

    def __len__(self) -> int:
        """Pieces without specials."""
        return sum(map(len, self.pieces))


def room(encoder: Encoder, texts: int) -> int:
    """Pieces a row has room for beside its specials, with one text or two."""
    template = encoder.template
    return encoder.max_pieces - sum(map(len, template.single if texts == 1 else template.pair))


def example_view(encoder: Encoder, examples: Sequence[Example]) -> View:
    """A view whose ``masked`` are the targets, row after row, and whose ``labels`` are theirs, [M] or [M, k]."""
    texts = len(examples[0].pieces)
    template = encoder.template
    body: list[Segment] = [
        (np.concatenate([e.pieces[k] for e in examples]), np.array([len(e.pieces[k]) for e in examples], np.int64))
        for k in range(texts)
    ]
    if texts == 1:
        prefix, suffix = template.single
        made = assemble([prefix, body[0], suffix], (0, 0, 0), len(examples))
    else:
        before, middle, after = template.pair
        made = assemble([before, body[0], middle, body[1], after], template.pair_types, len(examples))
    ids, kinds, lengths, special = made
    starts = row_starts(lengths)
    return View(
        ids,
        kinds,
        lengths,
        np.arange(len(examples)),
        special,
        np.concatenate([e.targets + start for e, start in zip(examples, starts, strict=True)]),
        np.concatenate([e.labels for e in examples]).astype(np.int64),
    )


class ExampleStore:
    """Rows in a temporary file: 8 bytes a row in memory, however long the rows are."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the store
        self._ends = np.zeros(1024, np.int64)
        self._map: npt.NDArray[np.int32] | None = None
        self._hash = hashlib.blake2b(digest_size=16)
        self.rows = 0

    def add(self, example: Example) -> int:
        """Append a row; returns its number."""
        texts = example.pieces
        wide = example.labels.shape[1] if example.labels.ndim == 2 else 0
        sizes = np.array([len(texts), *(len(t) for t in texts), len(example.targets), wide])
        data = np.concatenate([sizes, *texts, example.targets, example.labels.reshape(-1)]).astype("<i4")
        self._file.write(data.tobytes())
        self._hash.update(data.tobytes())
        if self.rows + 1 == len(self._ends):
            self._ends = np.concatenate([self._ends, np.zeros_like(self._ends)])
        self._ends[self.rows + 1] = self._ends[self.rows] + len(data)
        self.rows += 1
        self._map = None
        return self.rows - 1

    def __getitem__(self, row: int) -> Example:
        if self._map is None:
            self._file.flush()
            self._map = np.memmap(self._file, "<i4", mode="r")
        data = self._map[self._ends[row] : self._ends[row + 1]].astype(np.int64)
        texts = int(data[0])
        sizes, wide = data[1 : texts + 2], int(data[texts + 2])
        *pieces, targets, labels = np.split(data[texts + 3 :], np.cumsum(sizes))
        return Example(tuple(pieces), targets, labels.reshape(-1, wide) if wide else labels)

    @property
    def fingerprint(self) -> str:
        """Hash of all rows in their order."""
        return self._hash.hexdigest()


class _ExampleBatch:
    def __init__(self, encoder: Encoder, examples: list[Example], ids: Ints, positions: Ints) -> None:
        self.size, self.ids, self.positions = len(ids), ids, positions
        self._view = example_view(encoder, examples)

    def view(self, name: str) -> View:
        if name != "example":
            raise KeyError(f"a task's examples have no view {name!r}")
        return self._view


class ExampleBatches:
    """Batches of records, in an order that is a function of the seed.

    Args:
        encoder: for its template.
        records: rows that must share a batch, as code-switched twins; mostly one row each.
        training: batch size, seed and window. The batch counts rows: records of two are half as many.
    """

    def __init__(self, encoder: Encoder, records: Iterable[Sequence[Example]], training: TrainingConfig) -> None:
        self._store, lengths, ends = ExampleStore(), [], [0]
        for rows in records:
            for row in rows:
                self._store.add(row)
            lengths.append(sum(map(len, rows)))
            ends.append(self._store.rows)
        self.records, self._ends = len(lengths), np.array(ends)
        together = max(1, round(self._store.rows / max(1, self.records)))
        self.size = min(max(1, training.batch // together), self.records)
        parts = training.accumulate * processes()
        if self.size < training.batch:  # smaller than was asked for: still to be shared out equally
            self.size = max(parts, self.size // parts * parts)
        groups = np.zeros(self.records, np.int64)
        self._plan = BatchPlan(np.array(lengths), groups, batch=self.size, seed=training.seed, window=training.window)
        self._encoder = encoder
        self.steps_per_epoch = self._plan.steps_per_epoch
        sizes = hashlib.blake2b(np.diff(self._ends).astype("<i8").tobytes(), digest_size=8).hexdigest()
        self.fingerprint = f"{self._store.fingerprint}-{sizes}"

    def batch(self, step: int, part: int = 0, parts: int = 1) -> _ExampleBatch:
        """Slice ``part`` of ``parts`` of global batch ``step``."""
        ids = self._plan.records(step)[part::parts]
        positions = np.arange(self.size)[part::parts]
        rows = [self._store[row] for k in ids for row in range(self._ends[k], self._ends[k + 1])]
        return _ExampleBatch(self._encoder, rows, ids, positions)
