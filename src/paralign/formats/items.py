"""What readers yield: one class for each kind of item, whatever the file format."""

from __future__ import annotations

from dataclasses import dataclass

from paralign.text.words import Span

__all__ = ["MiningSet", "Pair", "Question", "SentencePair", "Tagged", "Tree"]


@dataclass(frozen=True, slots=True)
class Pair:
    """A sentence and its translation, in normal form (:func:`normalize`); a side may be empty."""

    source: str
    target: str
    line: int
    """Line in the file, from 1; in the small world the sentence's index."""
    links: tuple[tuple[int, int], ...] | None = None
    """Gold links (source word, target word), from 0, over the small world's own words; files have none."""


@dataclass(frozen=True, slots=True)
class Tree:
    """One analyzed sentence; the sequences have one entry a syntactic word.

    ``text`` is built from the words: joined by a space unless ``SpaceAfter=No`` stands between them. A
    multi-word token's surface form ("du") is replaced by its syntactic words joined by spaces ("de le"), so
    that every word has characters of its own.
    """

    sent_id: str
    text: str
    words: tuple[str, ...]
    spans: tuple[Span, ...]
    """Characters of each word in ``text``."""
    upos: tuple[str, ...]
    xpos: tuple[str, ...]
    heads: tuple[int, ...]
    """1-based index of each word's head, 0 for the root."""
    deprels: tuple[str, ...]
    lemmas: tuple[str, ...]
    line: int
    """Line of the first word (in the small world the sentence's index)."""


@dataclass(frozen=True, slots=True)
class Tagged:
    """A sentence and one tag a word."""

    text: str
    """The words joined by spaces (in the small world, the sentence as its language writes it)."""
    words: tuple[str, ...]
    spans: tuple[Span, ...]
    """Characters of each word in ``text``."""
    tags: tuple[str, ...]
    """BIO tags; empty in unlabeled data."""
    line: int
    """Line of the first word (in the small world the sentence's index)."""


@dataclass(frozen=True, slots=True)
class SentencePair:
    """Two sentences and what holds between them."""

    first: str
    """Premise."""
    second: str
    """Hypothesis."""
    label: str
    """``entailment``, ``neutral``, ``contradiction``; ``0``, ``1`` for paraphrase; empty in unlabeled data."""
    id: str
    """The pair's own id where the file has one, else ``#`` and its number in the file, from 0."""
    line: int


@dataclass(frozen=True, slots=True)
class Question:
    """A question, its paragraph and the spans that answer it.

    Text is kept character for character as in the file (no normal form): answers are slices of the paragraph.
    """

    id: str
    question: str
    context: str
    answers: tuple[str, ...]
    """Texts; empty in unlabeled data."""
    starts: tuple[int, ...]
    """Where each answer begins in ``context``, in characters."""


@dataclass(frozen=True, slots=True)
class MiningSet:
    """Sentences of two languages and which of them translate each other; most have no translation."""

    source: list[str]
    source_ids: list[str]
    """Of equal length with ``source``."""
    target: list[str]
    target_ids: list[str]
    gold: frozenset[tuple[str, str]]
    """Pairs of a source and a target id; empty in unlabeled data."""
