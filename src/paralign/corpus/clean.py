"""What is kept of a corpus: length bounds, duplicates, sentences that must stay unseen."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from paralign.config import Config
from paralign.languages import parse_derived
from paralign.text.normalization import comparison_key

__all__ = ["Excluded", "FilterConfig", "HashSet", "comparable", "hash_texts", "sentence_hashes"]

Hashes = npt.NDArray[np.uint64]


class FilterConfig(Config):
    """Which pairs (or sentences, for plain text) are kept (PPA, Pan et al. 2021, section 3.1).

    Lengths are counted in pieces without special tokens, so they do not depend on a model's pair template:
    the encoder sees three or four positions more than ``max_pieces``.
    """

    min_pieces: int = Field(default=10, ge=1)
    """A pair is dropped if either side has fewer pieces."""
    max_pieces: int = Field(default=128, ge=1)
    """A pair is dropped if its sides together have more; plain text if the sentence has more."""
    drop_identical: bool = True
    """Drop pairs whose sides are equal: text that was not translated."""
    drop_duplicates: bool = True
    """Keep the first of equal pairs of the same two languages, whichever way round, over all files."""
    limit: int | None = Field(default=None, ge=1)
    """Keep the first so many of each language pair (or language)."""

    @model_validator(mode="after")
    def _bounds(self) -> FilterConfig:
        if self.max_pieces < self.min_pieces:
            raise ValueError(f"max_pieces {self.max_pieces} is less than min_pieces {self.min_pieces}")
        return self


def comparable(languages: Sequence[str]) -> bool:
    """Whether two sides of equal text are the same: not if one alone is in twin pieces, or in reverse."""
    treatments = {
        (language.uses_twins, language.overlap, language.reverses_pieces) if language else (False, 0, False)
        for language in map(parse_derived, languages)
    }
    return len(languages) == 2 and len(treatments) == 1


class Excluded(Protocol):
    """A set of sentence hashes (:func:`sentence_hashes`) that may be asked."""

    def contains(self, hashes: Hashes) -> npt.NDArray[np.bool_]:
        """[n] whether each hash is in the set."""
        ...


def hash_texts(texts: Iterable[str]) -> Hashes:
    """[n] 64-bit hashes (BLAKE2b); that any two of 10 million texts collide has probability 3e-6."""
    blake = hashlib.blake2b
    digests = b"".join([blake(text.encode(), digest_size=8).digest() for text in texts])
    return np.frombuffer(digests, "<u8").astype(np.uint64)


def sentence_hashes(texts: Iterable[str]) -> Hashes:
    """[n] hashes of ``comparison_key``: equal where only case, punctuation or spaces differ; 0 if empty."""
    keys = [comparison_key(text) for text in texts]
    out = hash_texts(keys)
    out[[not key for key in keys]] = 0
    return out


class HashSet:
    """A set of 64-bit hashes that grows by batches: 8 bytes a record, twice that while runs are merged.

    Sorted runs, each more than twice as long as the next; a new batch becomes a run and is merged with its
    neighbours until that holds again, so n hashes cost O(n log n) and a look-up O(log² n).
    """

    def __init__(self) -> None:
        self._runs: list[Hashes] = []

    def __len__(self) -> int:
        return sum(map(len, self._runs))

    def contains(self, hashes: Hashes) -> npt.NDArray[np.bool_]:
        """[n] whether each hash has been added before."""
        found = np.zeros(len(hashes), np.bool_)
        for run in self._runs:
            place = np.searchsorted(run, hashes)
            found |= run[np.minimum(place, len(run) - 1)] == hashes
        return found

    def add_new(self, hashes: Hashes) -> npt.NDArray[np.bool_]:
        """Add a batch; [n] True where the hash is new, which of equal hashes in the batch the first is."""
        hashes = np.asarray(hashes, np.uint64)
        first = np.zeros(len(hashes), np.bool_)
        first[np.unique(hashes, return_index=True)[1]] = True
        new = first & ~self.contains(hashes)
        run = np.sort(hashes[new])
        if len(run):
            while self._runs and len(self._runs[-1]) <= 2 * len(run):
                # Stable sorting is timsort, which merges two sorted runs in one pass.
                run = np.sort(np.concatenate([self._runs.pop(), run]), kind="stable")
            self._runs.append(run)
        return new
