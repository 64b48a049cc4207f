"""Languages derived from another by changing one property: ``en~trans+inv`` (Tang et al. 2022, section 3)."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from paralign.config import did_you_mean
from paralign.errors import UserError
from paralign.languages.word_order import DependencyTree, WordOrder

__all__ = [
    "DERIVED_SEPARATOR",
    "TRANSFORMATIONS",
    "DerivedLanguage",
    "base_language",
    "is_transformation",
    "join_words",
    "parse_derived",
    "reverse_words",
    "spaces_before",
]

DERIVED_SEPARATOR = "~"
"""Separates the base language from the transformations in a tag."""
TRANSFORMATIONS = ("trans", "inv", "perm", "syn", "tinv")
_OF_PIECES = ("trans", "tinv")
_OVERLAP = "overlap"
_INSIDE_WORDS = frozenset("'’-_.,:·\u2010\u2011")
_SENTENCE_END = frozenset(".!?。！？।؟…")


@dataclass(frozen=True, slots=True)
class DerivedLanguage:
    """A base language and the transformations applied to it.

    * ``trans``: every tokenizer piece is replaced by its twin in a doubled vocabulary. The encoder does this; the text
      does not change.
    * ``overlap25``, together with ``trans``: 25 % of the pieces, always the same ones, are not replaced.
    * ``inv``: the words of a sentence in reverse order; a final . ! ? keeps its position.
    * ``perm``: the words in a random order, which depends on the sentence only.
    * ``syn``: the dependents of nouns and verbs in the order of another language; requires trees.
    * ``tinv``: the pieces of a sentence in reverse order. The encoder does this; the text does not change.

    ``inv``, ``perm`` and ``syn`` reorder words, and labels move with their words.

    Attributes:
        base: tag of the base language.
        transformations: their names, in the order in which they are applied.
        word_order: name of the word order that ``syn`` follows; empty without ``syn``.
        overlap: percentage of the pieces that ``trans`` does not replace.
    """

    base: str
    transformations: tuple[str, ...]
    word_order: str = ""
    overlap: int = 0

    @property
    def name(self) -> str:
        """The tag: ``en~trans+inv``, ``en~trans+overlap25+inv``, ``en~syn@fr``."""
        parts = list(self.transformations)
        if self.overlap:
            parts.insert(1, f"{_OVERLAP}{self.overlap}")
        return self.base + DERIVED_SEPARATOR + "+".join(parts) + (f"@{self.word_order}" if self.word_order else "")

    @property
    def uses_twins(self) -> bool:
        """Whether pieces are replaced by their twins."""
        return "trans" in self.transformations

    def twin_mask(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Return which pieces are replaced by their twins. A smaller overlap replaces these and further pieces.

        Args:
            ids: ``[k]`` ids of pieces that are not special.

        Shapes:
            returns: ``[k]``
        """
        if not self.uses_twins or not self.overlap:
            return np.full(ids.shape, self.uses_twins)
        # A hash of the id alone (SplitMix64); its upper 32 bits are a number from 0 to 1.
        mixed = (ids.astype(np.uint64) + 1) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
        mask: npt.NDArray[np.bool_] = (mixed >> np.uint64(32)) * 100 >= np.uint64(self.overlap << 32)
        return mask

    @property
    def reorders_words(self) -> bool:
        """Whether words change their positions."""
        return any(name not in _OF_PIECES for name in self.transformations)

    @property
    def reverses_pieces(self) -> bool:
        """Whether the pieces of a sentence are reversed."""
        return "tinv" in self.transformations

    def permutation(
        self, words: Sequence[str], *, tree: DependencyTree | None = None, word_order: WordOrder | None = None
    ) -> list[int] | None:
        """Return the order in which the words of a sentence appear in this language.

        Args:
            words: the sentence.
            tree: its dependency tree; required by ``syn``.
            word_order: the preferences to follow; required by ``syn``.

        Returns:
            the positions (from 0) of the words, in their new order; ``None`` for a tree that ``syn`` cannot reorder.
        """
        order = list(range(len(words)))
        for name in self.transformations:
            if name == "inv":
                order = reverse_words([words[k] for k in order], order)
            elif name == "perm":
                random.Random(_seed(words)).shuffle(order)
            elif name == "syn":
                assert tree is not None
                assert word_order is not None
                preferred = word_order.permutation(tree)
                if preferred is None:
                    return None
                order = preferred
        return order


def parse_derived(tag: str) -> DerivedLanguage | None:
    """Parse a language tag; return ``None`` if the language is not derived. The base tag is not normalized.

    >>> parse_derived("en~inv+trans").name
    'en~trans+inv'
    >>> parse_derived("en") is None
    True

    Raises:
        UserError: for unknown or repeated transformations, or combinations that are not possible.
    """
    base, separator, rest = tag.partition(DERIVED_SEPARATOR)
    if not separator:
        return None
    rest, _, word_order = rest.partition("@")
    names = tuple(name.strip().lower() for name in rest.split("+"))
    overlaps = [name for name in names if name.startswith(_OVERLAP)]
    names = tuple(name for name in names if name not in overlaps)
    for name in names:
        if name not in TRANSFORMATIONS:
            example = f"write {base}{DERIVED_SEPARATOR}trans+inv; known: {', '.join(TRANSFORMATIONS)}"
            hint = did_you_mean(name, TRANSFORMATIONS) if name else example
            raise UserError(f"unknown transformation {name!r} in {tag!r}", hint=hint)
    if len(set(names)) < len(names) or len(overlaps) > 1:
        raise UserError(f"a transformation occurs twice in {tag!r}", hint="write each once")
    if word_order and "syn" not in names:
        plain = f"{base}{DERIVED_SEPARATOR}{rest}"
        raise UserError(f"{plain} does not use a word order", hint=f"write {plain}")
    if "syn" in [name for name in names if name not in _OF_PIECES][1:]:
        raise UserError(
            f"syn follows another word order in {tag!r}", hint="write syn first: it needs the original tree"
        )
    # Pieces and words are independent, so the order of these transformations has no effect: one name for each set.
    names = tuple(sorted(names, key=lambda name: (name != "trans", name == "tinv")))
    return DerivedLanguage(base, names, word_order.strip(), _parse_overlap(overlaps[0], names, tag) if overlaps else 0)


def base_language(tag: str) -> str:
    """Return the tag of the language that a language is derived from; the tag itself if it is not derived."""
    derived = parse_derived(tag)
    return tag if derived is None else derived.base


def is_transformation(name: str) -> bool:
    """Return whether this is the name of a transformation (``inv``, ``overlap25``)."""
    return name in TRANSFORMATIONS or re.fullmatch(rf"{_OVERLAP}\d+", name) is not None


def _parse_overlap(name: str, others: Sequence[str], tag: str) -> int:
    share = name.removeprefix(_OVERLAP)
    if not (share.isascii() and share.isdigit() and 0 < int(share) < 100):
        raise UserError(f"{name!r} in {tag!r} is not a percentage of pieces", hint="write overlap25 for 25 %, 1 to 99")
    if "trans" not in others:
        raise UserError(f"{name} without trans in {tag!r}", hint="without trans all pieces are shared")
    return int(share)


def spaces_before(text: str, spans: Sequence[tuple[int, int]]) -> list[bool]:
    """Return whether each word of a text has a space before it. For the first word, its script decides.

    Args:
        text: the sentence.
        spans: start and end of each word, in characters.
    """
    return [start > spans[k - 1][1] if k else not _unspaced(text[start]) for k, (start, _) in enumerate(spans)]


def join_words(words: Sequence[str], spaces: Sequence[bool]) -> tuple[str, list[tuple[int, int]]]:
    """Join reordered words to a text.

    Each word keeps its space, or its lack of one; a space is added where two words would read as one.

    >>> join_words(["world", ",", "Hello", "!"], [True, False, True, False])
    ('world, Hello!', [(0, 5), (5, 6), (7, 12), (12, 13)])

    Args:
        words: the words, in their new order.
        spaces: whether each had a space before it at its old position.

    Returns:
        the text, and start and end of each word in it, in characters.
    """
    parts: list[str] = []
    spans: list[tuple[int, int]] = []
    start = 0
    for k, (word, space) in enumerate(zip(words, spaces, strict=True)):
        if k and (space or _would_merge(words[k - 1], word)):
            parts.append(" ")
            start += 1
        parts.append(word)
        spans.append((start, start + len(word)))
        start += len(word)
    return "".join(parts), spans


@lru_cache(1 << 16)
def _would_merge(before: str, after: str) -> bool:
    """Return whether two words without a space would read as one, or as part of one (the a of ``a ' a``)."""
    return _is_letter(after[:1]) and (_is_letter(before[-1:]) or before[-1:] in _INSIDE_WORDS)


def _is_letter(character: str) -> bool:
    """Return whether this is a letter or digit of a script that is written with spaces."""
    return character.isalnum() and not _unspaced(character)


def _unspaced(character: str) -> bool:
    """Return whether the script is written without spaces (Han, Kana)."""
    return "\u2e80" <= character <= "\u9fff" or "\U00020000" <= character <= "\U0003ffff"


def reverse_words(words: Sequence[str], positions: list[int]) -> list[int]:
    """Reverse the words of a sentence, except sentence-final punctuation.

    Punctuation at the beginning stays too where it would become final. Reversing twice gives the original.

    Args:
        words: the sentence.
        positions: the positions to reverse, one for each word.
    """
    start, end = 0, len(words)
    if words and words[-1] in _SENTENCE_END:
        end -= 1
    else:
        while start < end and words[start] in _SENTENCE_END:
            start += 1
    return positions[:start] + positions[start:end][::-1] + positions[end:]


def _seed(words: Sequence[str]) -> int:
    digest = hashlib.blake2b(digest_size=8)
    for word in words:
        digest.update(word.encode("utf-8", "surrogatepass") + b"\0")
    return int.from_bytes(digest.digest(), "little")
