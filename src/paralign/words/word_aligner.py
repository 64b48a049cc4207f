"""A trained statistical aligner for sentence pairs one at a time, or for any number of them in constant memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TypeVar

from paralign.text.normalization import normalize
from paralign.text.words import word_spans
from paralign.words.bitext import Bitext
from paralign.words.compiled import cpu_threads
from paralign.words.decoding import POSTERIOR, decode
from paralign.words.saved_aligner import SavedAligner, TablePosteriors
from paralign.words.symmetrization import check_symmetrization
from paralign.words.word_links import WordLinks

__all__ = ["BLOCK_PAIRS", "WordAligner", "blocks_of", "map_in_order"]

Sentence = str | Sequence[str]
"""A text, or a list of words."""
T = TypeVar("T")
R = TypeVar("R")
BLOCK_PAIRS = 2000
"""Sentence pairs that are aligned at once."""


class WordAligner:
    """A trained ``hmm`` or ``ibm`` aligner. The links of a pair depend on that pair alone.

    Args:
        saved: the parameters.
        symmetrize: how the links of both directions are combined: ``posterior`` or one of
            ``paralign.words.symmetrization.SYMMETRIZATIONS``. Default ``None``: ``posterior``.

    Attributes:
        languages: the tags of the source and the target language.

    Raises:
        UserError: for an unknown ``symmetrize``.
    """

    def __init__(self, saved: SavedAligner, symmetrize: str | None = None) -> None:
        self.symmetrization = symmetrize or POSTERIOR
        check_symmetrization(self.symmetrization, (POSTERIOR,))
        self._saved = saved
        self._lowercase, self._threshold = bool(saved.facts["lowercase"]), float(saved.facts["threshold"])
        self.languages: tuple[str, str] = tuple(saved.facts["languages"])
        self.align(["a"], ["a"])  # loads the compiled loops and builds the dictionaries of words

    @classmethod
    def load(cls, folder: str | Path, symmetrize: str | None = None) -> WordAligner:
        """Read an aligner that ``paralign words --save`` wrote.

        Args:
            folder: the folder.
            symmetrize: how the links of both directions are combined, as for the class.

        Raises:
            UserError: if the folder is missing, damaged or of another version, or ``symmetrize`` is unknown.
        """
        return cls(SavedAligner.load(folder), symmetrize)

    def align(self, source: Sentence, target: Sentence) -> list[tuple[int, int]]:
        """Return the links of one sentence pair, sorted, as (source word, target word) from 0.

        Args:
            source: the words of the source sentence, or its text, which is split by
                :func:`paralign.text.words.word_spans`.
            target: the target sentence, likewise.
        """
        return self.links([(_words(source), _words(target))])[0]

    def align_many(self, pairs: Iterable[tuple[Sentence, Sentence]]) -> Iterator[list[tuple[int, int]]]:
        """Yield the links of each sentence pair, in order; pairs are read in blocks of 2,000 and aligned in threads.

        Args:
            pairs: source and target sentences as for :meth:`align`.
        """
        words = ((_words(source), _words(target)) for source, target in pairs)
        for links in map_in_order(self.links, blocks_of(words, BLOCK_PAIRS), cpu_threads()):
            yield from links

    def links(self, pairs: Sequence[tuple[Sequence[str], Sequence[str]]], *, probabilities: bool = False) -> WordLinks:
        """Return the links of sentence pairs that are split into words. Threads may share an aligner.

        Args:
            pairs: the words of both sides.
            probabilities: also return the probability of each link.
        """
        bitext = Bitext.from_pairs(pairs, lowercase=self._lowercase)
        posteriors = TablePosteriors(self._saved, bitext)
        method, threshold = self.symmetrization, self._threshold
        return decode(posteriors, bitext, method, pairs=len(pairs), threshold=threshold, probabilities=probabilities)


def blocks_of(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield consecutive lists of ``size`` items; the last may be shorter."""
    rest = iter(items)
    while block := list(islice(rest, size)):
        yield block


def map_in_order(function: Callable[[T], R], items: Iterable[T], threads: int) -> Iterator[R]:
    """Yield the results of a function in the order of the items, which are read just before they are needed.

    Args:
        function: called in one of the threads.
        items: read in the thread of the caller.
        threads: number of calls at a time.
    """
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _words(sentence: Sentence) -> Sequence[str]:
    if not isinstance(sentence, str):
        return sentence
    text = normalize(sentence)
    return [text[start:end] for start, end in word_spans(text)]
