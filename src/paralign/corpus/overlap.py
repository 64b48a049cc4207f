"""Train–test overlap: test sentences that occur in training text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from paralign.corpus.deduplicate import hash_texts
from paralign.corpus.exclusion import BATCH, Source, iter_sentences, no_sentences_error
from paralign.ragged import batched
from paralign.text.normalization import comparison_key

__all__ = ["Overlap", "OverlapSearch", "OverlappingSentence"]

Hashes = npt.NDArray[np.uint64]
_EXAMPLES = 20


@dataclass(frozen=True)
class OverlappingSentence:
    """A sentence of training text that is also in a test file."""

    text: str
    where: str
    """``file:line`` of the training text."""
    exact: bool
    """Whether it is identical, not only equal up to case, punctuation and spaces."""


@dataclass
class Overlap:
    """The overlap of a test file with training text; each distinct sentence is counted once."""

    source: str
    sentences: int
    """Distinct sentences of the test file, up to case, punctuation and spaces."""
    exact: int = 0
    """Identical sentences."""
    normalized: int = 0
    """Sentences that are equal up to case, punctuation and spaces (``comparison_key``), identical ones included."""
    long: int = 0
    """Those of ``normalized`` that are not short: short sentences often occur by chance."""
    examples: list[OverlappingSentence] = field(default_factory=list)
    """The first of the sentences that are not short."""


class OverlapSearch:
    """Search training text for the sentences of test files; needs 17 bytes per test sentence.

    Args:
        tests: files or specs, see :func:`paralign.corpus.exclusion.excluded_sentences`.
        short: a sentence with fewer letters and digits is short.
        lenient: skip what cannot be read in test files.

    Raises:
        UserError: for a file that cannot be read or has no sentence.
    """

    def __init__(self, tests: Sequence[Source], *, short: int, lenient: bool = False) -> None:
        self._sources = [str(test) for test in tests]
        hashed = [_hash_test(test, short, lenient) for test in tests]
        self._plain, self._exact = _union([plain for plain, _, _ in hashed]), _union([exact for _, exact, _ in hashed])
        self._rows = [(np.searchsorted(self._plain, p), np.searchsorted(self._exact, e)) for p, e, _ in hashed]
        self._long = np.zeros(len(self._plain), np.bool_)
        for (_, _, long), (plain, _) in zip(hashed, self._rows, strict=True):
            self._long[plain] = long
        self._hits = [np.zeros(len(hashes), np.bool_) for hashes in (self._plain, self._exact)]
        self._first: dict[int, OverlappingSentence] = {}

    def search(self, texts: Sequence[str], keys: Sequence[str], where: Sequence[str]) -> None:
        """Search a batch of training text.

        Args:
            texts: normalized sentences.
            keys: the ``comparison_key`` of each.
            where: ``file:line`` of each.
        """
        if not len(self._plain):
            return
        positions = _positions(hash_texts(keys), self._plain)
        rows = [row for row in np.flatnonzero(positions >= 0).tolist() if keys[row]]
        if not rows:
            return
        exact = _positions(hash_texts([texts[row] for row in rows]), self._exact)
        self._hits[0][positions[rows]] = True
        self._hits[1][exact[exact >= 0]] = True
        for row, identical in zip(rows, (exact >= 0).tolist(), strict=True):
            self._first.setdefault(int(positions[row]), OverlappingSentence(texts[row], where[row], identical))

    def results(self) -> list[Overlap]:
        """Return the overlap of each test file, in their order."""
        out = []
        for source, (plain, exact) in zip(self._sources, self._rows, strict=True):
            hits = plain[self._hits[0][plain]]
            long = hits[self._long[hits]]
            examples = [self._first[position] for position in long.tolist()]
            examples.sort(key=lambda example: (not example.exact, -len(example.text)))
            out.append(
                Overlap(source, len(plain), int(self._hits[1][exact].sum()), len(hits), len(long), examples[:_EXAMPLES])
            )
        return out


def _hash_test(test: Source, short: int, lenient: bool) -> tuple[Hashes, Hashes, npt.NDArray[np.bool_]]:
    """Return the sorted hashes of the keys and of the texts of a file, and which keys are long."""
    plain, exact, long = [], [], []
    for batch in batched(iter_sentences(test, lenient=lenient), BATCH):
        keys = [comparison_key(text) for text in batch]
        rows = [row for row, key in enumerate(keys) if key]
        plain.append(hash_texts(keys[row] for row in rows))
        exact.append(hash_texts(batch[row] for row in rows))
        long.append(np.array([len(keys[row]) >= short for row in rows], np.bool_))
    if not sum(map(len, plain)):
        raise no_sentences_error(test)
    unique, first = np.unique(np.concatenate(plain), return_index=True)
    return unique, np.unique(np.concatenate(exact)), np.concatenate(long)[first]


def _union(parts: Sequence[Hashes]) -> Hashes:
    return np.unique(np.concatenate([*parts, np.empty(0, np.uint64)]))


def _positions(hashes: Hashes, ordered: Hashes) -> npt.NDArray[np.int64]:
    """Return the position of each hash in a sorted array, -1 if it is not in it, ``[n]``."""
    positions = np.minimum(np.searchsorted(ordered, hashes), len(ordered) - 1)
    return np.where(ordered[positions] == hashes, positions, -1)
