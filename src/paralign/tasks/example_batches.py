"""Examples: labeled rows for the encoder, made from a task's items, stored on disk and served as batches."""

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
from paralign.errors import UserError
from paralign.ragged import row_starts
from paralign.training import TrainingConfig

__all__ = ["Example", "ExampleBatches", "ExampleStore", "example_view"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Example:
    """One row for the encoder, with labels.

    Attributes:
        pieces: piece ids of one text or of two, without special tokens; all rows of a task have the same number.
        targets: positions in the row whose states the head reads; special tokens count, so [CLS] is 0. Shape: [m].
        labels: labels of the targets. Shape: [m] or [m, k].
        item: index of the item the row belongs to; a long item has several rows.
        note: anything the task needs to compute the answer; it is not stored for training.
    """

    pieces: tuple[Ints, ...]
    targets: Ints
    labels: Ints
    item: int = 0
    note: Any = None

    def __len__(self) -> int:
        """Return the number of pieces, special ones excluded."""
        return sum(map(len, self.pieces))


def example_view(encoder: Encoder, examples: Sequence[Example], language: str | None) -> View:
    """Return the view ``example`` of some rows.

    Its ``masked`` are the targets of all rows, shape: [M], and its ``labels`` theirs, shape: [M] or [M, k].

    Args:
        encoder: gives the special tokens.
        examples: the rows.
        language: their language, for the encoder's maps. None: several, and in training.
    """
    texts = len(examples[0].pieces)
    template = encoder.template
    body: list[Segment] = [
        (np.concatenate([e.pieces[k] for e in examples]), np.array([len(e.pieces[k]) for e in examples], np.int64))
        for k in range(texts)
    ]
    if texts == 1:
        prefix, suffix = template.single
        assembled = assemble([prefix, body[0], suffix], (0, 0, 0), len(examples))
    else:
        before, middle, after = template.pair
        assembled = assemble([before, body[0], middle, body[1], after], template.pair_types, len(examples))
    ids, types, lengths, special = assembled
    starts = row_starts(lengths)
    return View(
        ids,
        types,
        lengths,
        np.arange(len(examples)),
        special,
        np.concatenate([e.targets + start for e, start in zip(examples, starts, strict=True)]),
        np.concatenate([e.labels for e in examples]).astype(np.int64),
        language=language,
    )


class ExampleStore:
    """Rows in a temporary file; in memory each row takes 8 bytes, however long it is."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the store exists
        self._ends = np.zeros(1024, np.int64)
        self._map: npt.NDArray[np.int32] | None = None
        self._hash = hashlib.blake2b(digest_size=16)
        self.rows = 0

    def add(self, example: Example) -> int:
        """Append a row and return its number."""
        texts = example.pieces
        width = example.labels.shape[1] if example.labels.ndim == 2 else 0
        sizes = np.array([len(texts), *(len(t) for t in texts), len(example.targets), width])
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
        sizes, width = data[1 : texts + 2], int(data[texts + 2])
        *pieces, targets, labels = np.split(data[texts + 3 :], np.cumsum(sizes))
        return Example(tuple(pieces), targets, labels.reshape(-1, width) if width else labels)

    @property
    def fingerprint(self) -> str:
        """Hash of all rows in order."""
        return self._hash.hexdigest()


class _ExampleBatch:
    def __init__(self, encoder: Encoder, examples: list[Example], ids: Ints, positions: Ints) -> None:
        self.size, self.ids, self.positions = len(ids), ids, positions
        self._view = example_view(encoder, examples, None)

    def view(self, name: str) -> View:
        if name != "example":
            raise KeyError(f"a task's examples have no view {name!r}")
        return self._view


class ExampleBatches:
    """Batches of rows for training, in an order that depends only on the seed.

    Args:
        encoder: gives the special tokens.
        records: groups of rows that share a batch, as code-switched examples do; usually one row each.
        training: batch size (in rows), seed and window.

    Raises:
        UserError: if the batch, or all records, cannot be divided into slices (``training.accumulate``).
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
        wanted = max(1, training.batch // together)
        self.size = min(wanted, self.records)
        parts = training.accumulate * processes()
        if wanted < parts:
            hint = f"raise training.batch to {parts * together} or more"
            if wanted >= processes():
                hint += f", or lower training.accumulate to {wanted // processes()} or less"
            message = f"a batch of {training.batch} rows has {wanted} groups of {together}, too few for {parts} slices"
            raise UserError(message, hint=hint)
        if 0 < self.records < parts:
            hint = f"lower training.accumulate to {max(1, self.records // processes())} or less, or give more data"
            raise UserError(f"{self.records:,} training records cannot be divided into {parts} slices", hint=hint)
        if self.size < training.batch:  # smaller than requested, but still divisible into equal slices
            self.size = max(parts, self.size // parts * parts)
        groups = np.zeros(self.records, np.int64)
        self._plan = BatchPlan(np.array(lengths), groups, batch=self.size, seed=training.seed, window=training.window)
        self._encoder = encoder
        self.steps_per_epoch = self._plan.steps_per_epoch
        sizes = hashlib.blake2b(np.diff(self._ends).astype("<i8").tobytes(), digest_size=8).hexdigest()
        self.fingerprint = f"{self._store.fingerprint}-{sizes}"

    def batch(self, step: int, part: int = 0, parts: int = 1) -> _ExampleBatch:
        """Return slice ``part`` of ``parts`` of the global batch of a step."""
        return self._batch(step, np.arange(self.size)[part::parts])

    def slices(self, step: int, part: int, parts: int, count: int) -> list[_ExampleBatch]:
        """Return the records of :meth:`batch` in ``count`` slices of equal size; a batch is sorted by length."""
        return [self._batch(step, of_slice) for of_slice in np.array_split(np.arange(self.size)[part::parts], count)]

    def _batch(self, step: int, positions: Ints) -> _ExampleBatch:
        ids = self._plan.records(step)[positions]
        rows = [self._store[row] for k in ids for row in range(self._ends[k], self._ends[k + 1])]
        return _ExampleBatch(self._encoder, rows, ids, positions)
