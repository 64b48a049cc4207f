"""Hashes of texts, and sets of them: duplicates, and sentences that must not be trained on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from paralign.ragged import contained
from paralign.text.normalization import comparison_key

__all__ = ["LATER_REASONS", "HashSet", "Hashes", "SortedHashes", "dropped_as", "hash_texts", "sentence_hashes"]

Hashes = npt.NDArray[np.uint64]
LATER_REASONS = ("excluded", "too long", "too short")
"""Why a text is dropped that is not a duplicate."""


def hash_texts(texts: Iterable[str]) -> Hashes:
    """Return the 64-bit hash (BLAKE2b) of each text.

    The probability that any two of 10 million texts collide is 3e-6.

    Returns:
        uint64 ``[n]``.
    """
    blake = hashlib.blake2b
    digests = b"".join([blake(text.encode(), digest_size=8).digest() for text in texts])
    return np.frombuffer(digests, "<u8").astype(np.uint64)


def sentence_hashes(texts: Iterable[str]) -> Hashes:
    """Return hashes that are equal if texts differ only in case, punctuation and spaces.

    Returns:
        Hashes, uint64 ``[n]``, of :func:`paralign.text.normalization.comparison_key`; 0 for a text without letters and
        digits.
    """
    keys = [comparison_key(text) for text in texts]
    out = hash_texts(keys)
    out[[not key for key in keys]] = 0
    return out


class HashSet:
    """A set of 64-bit hashes that grows in batches; 8 bytes per hash, and twice that during a merge.

    The hashes are stored in sorted runs, each more than twice as long as the next. A new batch becomes a run and is
    merged with its neighbors until that holds again, so adding n hashes costs O(n log n) and a lookup O(log² n).
    """

    def __init__(self) -> None:
        self._runs: list[Hashes] = []

    def __len__(self) -> int:
        return sum(map(len, self._runs))

    def contains(self, hashes: Hashes) -> npt.NDArray[np.bool_]:
        """Return for each hash whether it is in the set, bool ``[n]``."""
        result = np.zeros(len(hashes), np.bool_)
        for run in self._runs:
            result |= contained(hashes, run)
        return result

    def add_new(self, hashes: Hashes) -> npt.NDArray[np.bool_]:
        """Add a batch and return for each hash whether it is new; of equal hashes in the batch only the first.

        Args:
            hashes: uint64 ``[n]``.

        Returns:
            bool ``[n]``.
        """
        hashes = np.asarray(hashes, np.uint64)
        first = np.zeros(len(hashes), np.bool_)
        first[np.unique(hashes, return_index=True)[1]] = True
        new = first & ~self.contains(hashes)
        run = np.sort(hashes[new])
        if len(run):
            while self._runs and len(self._runs[-1]) <= 2 * len(run):
                # The stable sort is timsort, which merges two sorted runs in one pass.
                run = np.sort(np.concatenate([self._runs.pop(), run]), kind="stable")
            self._runs.append(run)
        return new


class SortedHashes:
    """The hashes of the distinct texts of a shard, to find duplicates in other shards.

    Each hash has a row: the record of the text; or, if the text was dropped, a negative number for its spec and the
    reason (:func:`dropped_as`), because a duplicate of it counts as a duplicate in later shards.
    """

    def __init__(self) -> None:
        self._hashes: list[Hashes] = []
        self._rows: list[npt.NDArray[np.int64]] = []

    def add(self, hashes: Hashes, spec: int, reasons: Iterable[str | None], first: int) -> None:
        """Add texts that are not duplicates of earlier ones.

        Args:
            hashes: uint64 ``[n]``.
            spec: their spec.
            reasons: why each was dropped, one of ``LATER_REASONS``; ``None`` if it is a record.
            first: the first record.
        """
        kept = np.array([-1 if r is None else LATER_REASONS.index(r) for r in reasons], np.int64)
        rows = -1 - (spec * len(LATER_REASONS) + kept)
        rows[kept < 0] = first + np.arange(np.count_nonzero(kept < 0))
        self._hashes.append(hashes)
        self._rows.append(rows)

    def write(self, folder: Path) -> dict[str, dict[str, str | int]]:
        """Write ``hashes.bin`` and ``hash_rows.bin`` in the order of the hashes; return type and size of each."""
        hashes = np.concatenate([*self._hashes, np.empty(0, np.uint64)])
        rows = np.concatenate([*self._rows, np.empty(0, np.int64)])
        self._hashes, self._rows = [], []
        order = np.argsort(hashes)
        files = {"hashes": hashes[order].astype("<u8"), "hash_rows": rows[order].astype("<i8")}
        for name, array in files.items():
            array.tofile(folder / f"{name}.bin")
        return {name: {"dtype": array.dtype.str, "bytes": array.nbytes} for name, array in files.items()}


def dropped_as(row: int) -> tuple[int, str]:
    """Return spec and reason of a negative row of :class:`SortedHashes`.

    >>> dropped_as(-1 - (2 * 3 + 1))
    (2, 'too long')
    """
    spec, reason = divmod(-1 - row, len(LATER_REASONS))
    return spec, LATER_REASONS[reason]
