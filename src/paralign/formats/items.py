"""The items that readers yield: one class for each kind of item, whatever the file format."""

from __future__ import annotations

from dataclasses import dataclass, field

from paralign.text.words import Span

__all__ = ["LabeledSentence", "MiningSet", "Pair", "Question", "SentencePair", "Tagged", "Tree"]


@dataclass(frozen=True, slots=True)
class Pair:
    """A sentence and its translation, normalized; either may be empty."""

    source: str
    target: str
    line: int
    """Line in the file, from 1; in the small world the index of the sentence."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A sentence with its dependency tree; the sequences have one entry per syntactic word.

    ``text`` is built from the words, joined by a space unless ``SpaceAfter=No`` separates them. The surface form of a
    multi-word token ("du") is replaced by its syntactic words joined by spaces ("de le"), so that every word has its
    own characters.
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
    lines: tuple[str, ...] = field(default=(), compare=False, repr=False)
    """The lines of the treebank, so that predictions can be written into them; empty for trees from elsewhere."""


@dataclass(frozen=True, slots=True)
class Tagged:
    """A sentence with one tag per word."""

    text: str
    """The words joined by spaces (in the small world, the sentence in the orthography of its language)."""
    words: tuple[str, ...]
    spans: tuple[Span, ...]
    """Characters of each word in ``text``."""
    tags: tuple[str, ...]
    """BIO tags; empty in unlabeled data."""
    line: int
    """Line of the first word (in the small world the sentence's index)."""


@dataclass(frozen=True, slots=True)
class SentencePair:
    """Two sentences and the relation between them."""

    first: str
    """Premise."""
    second: str
    """Hypothesis."""
    label: str
    """``entailment``, ``neutral``, ``contradiction``; ``0``, ``1`` for paraphrase; empty in unlabeled data."""
    id: str
    """The id of the pair in the file; if it has none, ``#`` and its number in the file, from 0."""
    line: int


@dataclass(frozen=True, slots=True)
class LabeledSentence:
    """A sentence and its label, such as a topic."""

    text: str
    label: str
    """Empty in unlabeled data."""
    id: str
    """The id of the sentence in the file; if it has none, ``#`` and its number in the file, from 0."""
    line: int


@dataclass(frozen=True, slots=True)
class Question:
    """A question, its paragraph and the spans that answer it.

    Text is kept exactly as in the file, not normalized: answers are slices of the paragraph.
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
    """Sentences of two languages and the pairs among them that are translations; most sentences have none."""

    source: list[str]
    source_ids: list[str]
    """One id per sentence of ``source``."""
    target: list[str]
    target_ids: list[str]
    gold: frozenset[tuple[str, str]]
    """Pairs of a source and a target id; empty in unlabeled data."""
