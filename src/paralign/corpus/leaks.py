"""Test sentences that stand in training text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from paralign.corpus.clean import hash_texts
from paralign.corpus.exclusion import Source, batched, no_sentences_error, iter_sentences
from paralign.text.normalization import comparison_key

__all__ = ["Overlap", "OverlappingSentence", "OverlapSearch"]

Hashes = npt.NDArray[np.uint64]
_SHOWN = 20


@dataclass(frozen=True)
class OverlappingSentence:
    """A sentence of training text that a test file has."""

    text: str
    where: str
    """``file:line`` of the training text."""
    exact: bool
    """In the very same spelling, not only but for case, punctuation and spaces."""


@dataclass
class Overlap:
    """What of a test file stands in training text; different sentences are counted, each once."""

    source: str
    sentences: int
    """Those that differ by more than case, punctuation and spaces."""
    exact: int = 0
    normalised: int = 0
    """Equal but for case, punctuation and spaces (``comparison_key``), those among them that are equal throughout."""
    long: int = 0
    """Those of ``normalised`` that are not short: a short one is likely to be said twice."""
    examples: list[OverlappingSentence] = field(default_factory=list)
    """The first of those that are not short."""


class OverlapSearch:
    """Looks for the sentences of test files in training text; 17 bytes a test sentence are kept.

    Args:
        tests: files or specs, see :func:`paralign.corpus.exclusion.excluded_sentences`.
        short: letters and digits below which a sentence is short.
        lenient: pass over what cannot be read in test files.

    Raises:
        UserError: for a file that cannot be read or has no sentence.
    """

    def __init__(self, tests: Sequence[Source], *, short: int, lenient: bool = False) -> None:
        self._sources = [str(test) for test in tests]
        found = [_hashed(test, short, lenient) for test in tests]
        self._plain, self._exact = _union([plain for plain, _, _ in found]), _union([exact for _, exact, _ in found])
        self._own = [(np.searchsorted(self._plain, p), np.searchsorted(self._exact, e)) for p, e, _ in found]
        self._long = np.zeros(len(self._plain), np.bool_)
        for (_, _, long), (plain, _) in zip(found, self._own, strict=True):
            self._long[plain] = long
        self._hit = [np.zeros(len(every), np.bool_) for every in (self._plain, self._exact)]
        self._first: dict[int, OverlappingSentence] = {}

    def look(self, texts: Sequence[str], keys: Sequence[str], where: Sequence[str]) -> None:
        """Take in training text.

        Args:
            texts: sentences in normal form.
            keys: their ``comparison_key``.
            where: ``file:line`` of each.
        """
        if not len(self._plain):
            return
        places = _places(hash_texts(keys), self._plain)
        rows = [row for row in np.flatnonzero(places >= 0).tolist() if keys[row]]
        if not rows:
            return
        exact = _places(hash_texts([texts[row] for row in rows]), self._exact)
        self._hit[0][places[rows]] = True
        self._hit[1][exact[exact >= 0]] = True
        for row, same in zip(rows, (exact >= 0).tolist(), strict=True):
            self._first.setdefault(int(places[row]), OverlappingSentence(texts[row], where[row], same))

    def found(self) -> list[Overlap]:
        """What was found of each test file, in their order."""
        out = []
        for source, (plain, exact) in zip(self._sources, self._own, strict=True):
            hits = plain[self._hit[0][plain]]
            long = hits[self._long[hits]]
            shown = [self._first[place] for place in long.tolist()]
            shown.sort(key=lambda one: (not one.exact, -len(one.text)))
            out.append(Overlap(source, len(plain), int(self._hit[1][exact].sum()), len(hits), len(long), shown[:_SHOWN]))
        return out


def _hashed(test: Source, short: int, lenient: bool) -> tuple[Hashes, Hashes, npt.NDArray[np.bool_]]:
    """Sorted hashes of a file's keys and of its texts, and which keys are long."""
    plain, exact, long = [], [], []
    for batch in batched(iter_sentences(test, lenient=lenient)):
        keys = [comparison_key(text) for text in batch]
        said = [row for row, key in enumerate(keys) if key]
        plain.append(hash_texts(keys[row] for row in said))
        exact.append(hash_texts(batch[row] for row in said))
        long.append(np.array([len(keys[row]) >= short for row in said], np.bool_))
    if not sum(map(len, plain)):
        raise no_sentences_error(test)
    every, first = np.unique(np.concatenate(plain), return_index=True)
    return every, np.unique(np.concatenate(exact)), np.concatenate(long)[first]


def _union(parts: Sequence[Hashes]) -> Hashes:
    return np.unique(np.concatenate([*parts, np.empty(0, np.uint64)]))


def _places(hashes: Hashes, every: Hashes) -> npt.NDArray[np.int64]:
    """[n] where each hash stands in the sorted ``every``; -1 where it does not."""
    places = np.minimum(np.searchsorted(every, hashes), len(every) - 1)
    return np.where(every[places] == hashes, places, -1)
