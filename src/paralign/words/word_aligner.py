"""A trained statistical aligner for sentence pairs one at a time, or for any number of them in constant memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from paralign.errors import UserError
from paralign.ragged import batched
from paralign.text.normalization import normalize
from paralign.text.words import word_spans
from paralign.words.bitext import Bitext
from paralign.words.compiled import cpu_threads
from paralign.words.decoding import POSTERIOR, decode
from paralign.words.saved_aligner import SavedAligner, TablePosteriors
from paralign.words.symmetrization import check_symmetrization
from paralign.words.word_links import WordLinks

__all__ = ["BLOCK_PAIRS", "WordAligner", "map_in_order"]

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

        Raises:
            UserError: for a sentence that is neither.
        """
        return self.links([(_words(source), _words(target))])[0]

    def align_many(self, pairs: Iterable[tuple[Sentence, Sentence]]) -> Iterator[list[tuple[int, int]]]:
        """Yield the links of each sentence pair, in order; pairs are read in blocks of 2,000 and aligned in threads.

        Args:
            pairs: source and target sentences as for :meth:`align`.

        Raises:
            UserError: for an item that is not two sentences, with its number from 0.
        """
        words = (_pair(number, pair) for number, pair in enumerate(pairs))
        for links in map_in_order(self.links, batched(words, BLOCK_PAIRS), cpu_threads()):
            yield from links

    def links(self, pairs: Sequence[tuple[Sequence[str], Sequence[str]]], *, probabilities: bool = False) -> WordLinks:
        """Return the links of sentence pairs that are split into words. Threads may share an aligner.

        Args:
            pairs: the words of both sides.
            probabilities: also return the probability of each link. Default: links only.

        Returns:
            The links of all pairs.

        Raises:
            UserError: for a side that is a text.
        """
        for number, pair in enumerate(pairs):
            if any(isinstance(side, str) for side in pair):
                hint = "give lists of words, or texts to align_many"
                raise UserError("a sentence is a text, not a list of words", where=f"pair {number}", hint=hint)
        bitext = Bitext.from_pairs(pairs, lowercase=self._lowercase)
        posteriors = TablePosteriors(self._saved, bitext)
        method, threshold = self.symmetrization, self._threshold
        return decode(posteriors, bitext, method, pairs=len(pairs), threshold=threshold, probabilities=probabilities)


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


def _pair(number: int, pair: tuple[Sentence, Sentence]) -> tuple[list[str], list[str]]:
    sides = tuple(pair) if isinstance(pair, Iterable) and not isinstance(pair, str) else ()
    if len(sides) != 2:
        raise UserError("not a source and a target sentence", where=f"pair {number}", hint="give (source, target)")
    return _words(sides[0], f"pair {number}"), _words(sides[1], f"pair {number}")


def _words(sentence: Sentence, where: str | None = None) -> list[str]:
    if isinstance(sentence, str):
        text = normalize(sentence)
        return [text[start:end] for start, end in word_spans(text)]
    words = list(sentence) if isinstance(sentence, Iterable) else [sentence]
    if not all(isinstance(word, str) for word in words):
        message = f"neither a text nor a list of words: {repr(sentence)[:50]}"
        raise UserError(message, where=where, hint="give a string, or a list of strings")
    return words
