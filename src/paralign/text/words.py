"""Words as spans of characters, and the tokenizer pieces of each word.

Word links, dictionaries and the matrix A of AlignLM refer to these words, never to the word ids of a tokenizer (a
SentencePiece tokenizer assigns one id to a whole Chinese sentence).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import regex

from paralign.text.segmentation import RUNS, segment

__all__ = ["Span", "join_words", "piece_word_ranges", "piece_words", "split_words", "word_pieces", "word_spans"]

Span = tuple[int, int]
Ints = npt.NDArray[np.int64]

_CACHE_SIZE = 1_000_000
_TOKEN = regex.compile("[^ ]+")
_CJK = r"\p{Han}\p{Hiragana}\p{Katakana}\u30fc\uff70\uff9e\uff9f"
# Tibetan separates syllables (by U+0F0B), not words.
_TIBETAN = r"[\p{Script=Tibetan}&&[\p{L}\p{M}]]+[\u0f0b\u0f0c]?"
_UNSPACED = r"[\p{Script=Tibetan}\p{Line_Break=SA}]&&[\p{L}\p{M}]"
_LETTER = rf"[[\p{{L}}\p{{N}}\p{{M}}]--[{_CJK}]--[{_UNSPACED}]]"
_RUN = rf"{_LETTER}[{_LETTER}[\p{{M}}--[{_CJK}]]\u200c\u200d]*"
_ELISION = r"(?i:(?:[cdjlmnst]|qu|jusqu|lorsqu|puisqu|quoiqu)['’])(?=\p{L})"
_INSIDE = r"(?:['’\-\u2010\u2011_·](?=[\p{L}\p{N}])|(?<=\p{N})[.,:](?=\p{N}))"
# One Han or Kana character; an elided article or pronoun; a run; letters without spaces between words; a Tibetan
# syllable; any other character with its marks. A sign that belongs to the next character (U+06DD) takes no space.
_OTHER = r"\p{Grapheme_Cluster_Break=Prepend}+(?=\s)|(?=\S)\X"
_WORD = regex.compile(
    rf"[{_CJK}]\p{{M}}*|{_ELISION}|{_RUN}(?:{_INSIDE}{_RUN})*|{RUNS}|{_TIBETAN}|{_OTHER}", regex.VERSION1
)
_DIVISIBLE = regex.compile(r"[\p{Line_Break=SA}&&[\p{L}\p{M}]]", regex.VERSION1)


def word_spans(text: str, *, tokenized: bool = False) -> list[Span]:
    """Return the words of a text as ``(start, end)`` in characters, in order; they cover everything but white space.

    Args:
        text: normalized text.
        tokenized: whether the text is already tokenized; then it is split at spaces (U+0020) only, and normalized by
            :func:`paralign.text.normalization.normalize_tokens`. Otherwise, the same rules apply to all languages:

            * A run of letters, combining marks, digits and ZWJ/ZWNJ is a word.
            * An apostrophe, hyphen, underscore or middle dot between two of them is part of the word (don't, E-Mail,
              snake_case), and so are ``. , :`` between digits (3.14, 12:30).
            * French elisions at the start of a run (c d j l m n s t qu jusqu lorsqu puisqu quoiqu) are split after the
              apostrophe (l' | homme, qu' | il), since the article is a separate word in the translation.
            * Every Han or Kana character is a word, and so is every Tibetan syllable with its mark (U+0F0B).
            * Runs of Thai, Lao, Khmer, Burmese and similar letters are divided by
              :func:`paralign.text.segmentation.segment`.
            * Every other character is a word, together with its combining marks (an emoji sequence is one word).

    >>> word_spans("It's 3.14!")
    [(0, 4), (5, 9), (9, 10)]
    """
    spans = [match.span() for match in (_TOKEN if tokenized else _WORD).finditer(text)]
    if tokenized or text.isascii() or not _DIVISIBLE.search(text):
        return spans
    return [part for span in spans for part in _divided(text, *span)]


def _divided(text: str, start: int, end: int) -> Iterator[Span]:
    """Yield the words of a match of ``_WORD``."""
    if not _DIVISIBLE.match(text, start):
        yield start, end
        return
    begin = start
    for stop in segment(text[start:end]):
        yield begin, start + stop
        begin = start + stop


def split_words(texts: Iterable[str], *, tokenized: bool = False) -> Iterator[list[str]]:
    """Yield the words of each text, split like :func:`word_spans`.

    Words never contain spaces, so the result for each run of characters between spaces is cached.

    Args:
        texts: normalized texts.
        tokenized: as for :func:`word_spans`.
    """
    cache: dict[str, list[str]] = {}
    for text in texts:
        if tokenized:
            yield [token for token in text.split(" ") if token]
            continue
        words: list[str] = []
        for run in text.split():
            parts = cache.get(run)
            if parts is None:
                parts = [run[start:end] for start, end in word_spans(run)]
                if len(cache) < _CACHE_SIZE:
                    cache[run] = parts
            words += parts
        yield words


def join_words(words: Iterable[str], joined: Iterable[bool]) -> tuple[str, tuple[Span, ...]]:
    """Join words to a text, with a space after each word that is not joined to the next.

    Args:
        words: the words.
        joined: for each word, whether the next follows without a space.

    Returns:
        The text, and the span of each word in it.

    >>> join_words(["Ja", "!"], [True, False])
    ('Ja!', ((0, 2), (2, 3)))
    """
    text, spans, space = "", [], ""
    for word, no_space in zip(words, joined, strict=True):
        text += space + word
        spans.append((len(text) - len(word), len(text)))
        space = "" if no_space else " "
    return text, tuple(spans)


def piece_words(offsets: npt.NDArray[np.integer], spans: Sequence[Span] | Ints) -> Ints:
    """Return the first word that each piece overlaps.

    Args:
        offsets: ``[k, 2]`` start and end character of each piece; a leading space may belong to a piece.
        spans: words in order, without overlap.

    Returns:
        ``[k]`` index into ``spans``; -1 for a piece that overlaps no word (white space only, or empty like special
        tokens).
    """
    pieces = np.asarray(offsets, np.int64).reshape(-1, 2)
    if not len(spans):
        return np.full(len(pieces), -1, np.int64)
    words = np.asarray(spans, np.int64)
    start, end = pieces[:, 0], pieces[:, 1]
    # The first word that ends after the start of the piece.
    candidate = np.searchsorted(words[:, 1], start, side="right")
    word = np.minimum(candidate, len(words) - 1)
    overlaps = (candidate < len(words)) & (words[word, 0] < end) & (start < end)
    return np.where(overlaps, word, -1)


def piece_word_ranges(offsets: npt.NDArray[np.integer], spans: Sequence[Span] | Ints) -> Ints:
    """Return the first and last word that each piece overlaps; they differ if a piece covers several Han characters.

    Args as in :func:`piece_words`.

    Returns:
        ``[k, 2]`` indices into ``spans``; -1, -1 for a piece that overlaps no word.
    """
    first = piece_words(offsets, spans)
    ends = np.asarray(offsets, np.int64).reshape(-1, 2)[:, 1]
    starts = np.asarray(spans, np.int64).reshape(-1, 2)[:, 0]
    last = np.searchsorted(starts, ends) - 1
    return np.stack([first, np.where(first < 0, -1, last)], 1)


def word_pieces(offsets: npt.NDArray[np.integer], spans: Sequence[Span] | Ints) -> Ints:
    """Return the first piece of each word, whose state represents the word in tagging.

    Args:
        offsets: ``[k, 2]`` as in :func:`piece_words`, in any order; empty pieces (special tokens) may be anywhere.
        spans: words in order.

    Returns:
        ``[w]`` index into ``offsets`` of the first piece that overlaps the word. A word without a piece gets the next
        piece, or the last one if none follows (at the end of a truncated text). Several words may share a piece. -1 for
        all words if every piece is empty.
    """
    pieces = np.asarray(offsets, np.int64).reshape(-1, 2)
    words = np.asarray(spans, np.int64).reshape(-1, 2)
    real = np.flatnonzero(pieces[:, 0] < pieces[:, 1])
    if not len(real):
        return np.full(len(words), -1, np.int64)
    real = real[np.argsort(pieces[real, 0], kind="stable")]  # pieces may be in reverse order
    first = np.searchsorted(pieces[real, 1], words[:, 0], side="right")
    return real[np.minimum(first, len(real) - 1)]
