"""Words as spans of characters, and how a tokenizer's pieces fall on them.

Word links, dictionaries and the A matrix of AlignLM all speak of these words, never of a tokenizer's own word
ids (a SentencePiece tokenizer gives a whole Chinese sentence one id).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import regex

__all__ = ["Span", "join_words", "piece_word_ranges", "piece_words", "split_words", "word_pieces", "word_spans"]

Span = tuple[int, int]
Ints = npt.NDArray[np.int64]

_KNOWN = 1_000_000
_SPACE = regex.compile(r"\S+")
_CJK = r"\p{Han}\p{Hiragana}\p{Katakana}\u30fc\uff70\uff9e\uff9f"
_RUN = rf"[[\p{{L}}\p{{N}}\p{{M}}]--[{_CJK}]][[\p{{L}}\p{{N}}\p{{M}}\u200c\u200d]--[{_CJK}]]*"
_ELISION = r"(?i:(?:[cdjlmnst]|qu|jusqu|lorsqu|puisqu|quoiqu)['’])(?=\p{L})"
_INSIDE = r"(?:['’\-\u2010\u2011_·](?=[\p{L}\p{N}])|(?<=\p{N})[.,:](?=\p{N}))"
# One Han or Kana character; an elided article or pronoun; a run; any other sign with its marks.
_WORD = regex.compile(rf"[{_CJK}]\p{{M}}*|{_ELISION}|{_RUN}(?:{_INSIDE}{_RUN})*|(?=\S)\X", regex.VERSION1)


def word_spans(text: str, *, tokenised: bool = False) -> list[Span]:
    """The words of a text as ``(start, end)`` in characters, in order, covering everything but white space.

    Args:
        text: in normal form.
        tokenised: the text has been tokenised before: split at white space only. Otherwise, by one rule for
            all languages:

            * a run of letters, combining marks, digits and ZWJ/ZWNJ is a word (Thai, Khmer and the like stay
              as runs);
            * an apostrophe, hyphen, underscore or middle dot between two of them stays inside (don't, E-Mail,
              snake_case), as do ``. , :`` between digits (3.14, 12:30);
            * French elisions at the start of a run (c d j l m n s t qu jusqu lorsqu puisqu quoiqu) are cut
              behind the apostrophe (l' | homme, qu' | il): the article is a word of its own in the
              translation;
            * every Han or Kana character is a word;
            * every other sign is a word, together with its combining marks (an emoji sequence is one).
    """
    return [match.span() for match in (_SPACE if tokenised else _WORD).finditer(text)]


def split_words(texts: Iterable[str], *, tokenised: bool = False) -> Iterator[list[str]]:
    """The words of many texts, as :func:`word_spans` finds them.

    What stands between spaces is looked at once: no word goes beyond.
    """
    known: dict[str, list[str]] = {}
    for text in texts:
        if tokenised:
            yield text.split()
            continue
        words: list[str] = []
        for run in text.split():
            found = known.get(run)
            if found is None:
                found = [run[start:end] for start, end in word_spans(run)]
                if len(known) < _KNOWN:
                    known[run] = found
            words += found
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


def piece_words(offsets: npt.NDArray[np.integer], spans: Sequence[Span]) -> Ints:
    """The first word each piece overlaps.

    Args:
        offsets: [k, 2] start and end characters of the pieces; a leading space may belong to a piece.
        spans: words in order, without overlap.

    Returns:
        [k] index into ``spans``; -1 for a piece that overlaps none (white space only, or empty as special
        tokens are).
    """
    pieces = np.asarray(offsets, np.int64).reshape(-1, 2)
    if not len(spans):
        return np.full(len(pieces), -1, np.int64)
    words = np.asarray(spans, np.int64)
    start, end = pieces[:, 0], pieces[:, 1]
    # The first word that ends behind the piece's start.
    found = np.searchsorted(words[:, 1], start, side="right")
    near = np.minimum(found, len(words) - 1)
    overlaps = (found < len(words)) & (words[near, 0] < end) & (start < end)
    return np.where(overlaps, near, -1)


def piece_word_ranges(offsets: npt.NDArray[np.integer], spans: Sequence[Span]) -> Ints:
    """The first and last word each piece overlaps: several where a SentencePiece piece covers several Han characters.

    Args as in :func:`piece_words`.

    Returns:
        [k, 2] indices into ``spans``; -1, -1 for a piece that overlaps none.
    """
    first = piece_words(offsets, spans)
    ends = np.asarray(offsets, np.int64).reshape(-1, 2)[:, 1]
    starts = np.asarray(spans, np.int64).reshape(-1, 2)[:, 0]
    last = np.searchsorted(starts, ends) - 1
    return np.stack([first, np.where(first < 0, -1, last)], 1)


def word_pieces(offsets: npt.NDArray[np.integer], spans: Sequence[Span]) -> Ints:
    """The first piece of each word: the place where a tagger reads and labels it.

    Args:
        offsets: [k, 2] as in :func:`piece_words`, in any order; empty ones (special tokens) may stand anywhere.
        spans: words in order.

    Returns:
        [w] index into ``offsets`` of the first piece that overlaps the word. A word without any takes the
        nearest following piece, or the last one where none follows (the tail of a text cut to a length).
        Several words may share a piece. -1 everywhere if there is no piece that is not empty.
    """
    pieces = np.asarray(offsets, np.int64).reshape(-1, 2)
    words = np.asarray(spans, np.int64).reshape(-1, 2)
    real = np.flatnonzero(pieces[:, 0] < pieces[:, 1])
    if not len(real):
        return np.full(len(words), -1, np.int64)
    real = real[np.argsort(pieces[real, 0], kind="stable")]  # pieces may stand in reverse
    found = np.searchsorted(pieces[real, 1], words[:, 0], side="right")
    return real[np.minimum(found, len(real) - 1)]
