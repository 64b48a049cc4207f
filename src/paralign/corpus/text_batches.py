"""Batches of lines of text, as a token store is built from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from paralign.corpus.deduplicate import Hashes
from paralign.corpus.shard_plan import ItemRange
from paralign.formats.item_errors import OrderedCounts
from paralign.sources.readers import read_rows
from paralign.sources.specs import PairSpec, TextSpec

__all__ = ["TextBatch", "text_batches"]

T = TypeVar("T")
_BATCH_LINES = 2_000
_BATCH_CHARACTERS = 2_000_000


@dataclass(slots=True)
class TextBatch:
    """A batch of lines: texts [rows][sides], their line numbers, and why rows were dropped."""

    texts: list[tuple[str, ...]]
    lines: list[int]
    unreadable: list[tuple[int, str]] = field(default_factory=list)
    """For each line that the reader dropped, the row before which it was, and the reason."""
    reasons: list[str | None] = field(init=False)
    """Why each row was dropped; ``None`` for rows that are kept so far."""
    distinct: tuple[list[int], Hashes] = field(init=False)
    """The rows that are not duplicates, and their hashes."""

    def __post_init__(self) -> None:
        self.reasons = [None] * len(self.texts)

    def kept(self) -> list[int]:
        return [row for row, reason in enumerate(self.reasons) if reason is None]

    def drop(self, rows: Sequence[int], bad: npt.ArrayLike, reason: str) -> None:
        for row, is_bad in zip(rows, np.asarray(bad, np.bool_).tolist(), strict=True):
            if is_bad:
                self.reasons[row] = reason


def text_batches(
    spec: PairSpec | TextSpec, lenient: bool, tokenized: bool, dropped: Counter[str], items: ItemRange
) -> Iterator[TextBatch]:
    """Yield the lines of a spec in batches.

    Args:
        spec: the text.
        lenient: drop and count lines that cannot be read.
        tokenized: whether the words of pairs are separated by spaces.
        dropped: counts the lines that are dropped, except those that a batch lists as ``unreadable``.
        items: the lines to read, ``(0, None)`` for all. None: no line.
    """
    if items is None:
        return
    ordered, whole = OrderedCounts(), items == (0, None)
    rows = read_rows(spec, lenient=lenient, dropped=ordered, tokenized=tokenized)
    if not whole:
        rows = _slice(rows, *items, ordered, dropped)
    texts: list[tuple[str, ...]] = []
    lines: list[int] = []
    unreadable: list[tuple[int, str]] = []
    size = 0
    for line, sides in rows:
        reasons = ordered.take()
        if whole:
            unreadable += ((len(texts), reason) for reason in reasons)
        texts.append(sides)
        lines.append(line)
        size += sum(map(len, sides))
        if len(texts) >= _BATCH_LINES or size >= _BATCH_CHARACTERS:
            yield TextBatch(texts, lines, unreadable)
            texts, lines, unreadable, size = [], [], [], 0
    if texts:
        yield TextBatch(texts, lines, unreadable)
    if whole:
        dropped.update(ordered.take())


def _slice(
    rows: Iterator[T], start: int, stop: int | None, unreadable: Counter[str], dropped: Counter[str]
) -> Iterator[T]:
    """Yield the rows from ``start`` to before ``stop``.

    Args:
        unreadable: where the reader counts what it drops, also as it reads ahead. What it has counted at row ``stop``
            belongs to this slice, except what it had counted at row ``start``, which belongs to the slice before: so
            the counts of all slices add up.
        dropped: the counts of this slice are added to it.
    """
    before = None if start else Counter[str]()
    for number, row in enumerate(rows):
        if number == stop:
            break
        if number >= start:
            before = Counter(unreadable) if before is None else before
            yield row
    if before is not None:
        dropped.update(unreadable - before)
