"""Hashes of texts, and sets of them: duplicates, and sentences that must not be trained on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from paralign.text.normalization import comparison_key

__all__ = ["HashSet", "Hashes", "hash_texts", "sentence_hashes"]

Hashes = npt.NDArray[np.uint64]


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
        uint64 ``[n]``: hashes of :func:`paralign.text.normalization.comparison_key`; 0 for a text without letters and
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
            positions = np.searchsorted(run, hashes)
            result |= run[np.minimum(positions, len(run) - 1)] == hashes
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
