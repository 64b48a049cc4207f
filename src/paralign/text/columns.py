"""Sentences in columns, one word a line: the formats of named-entity recognition."""

from __future__ import annotations

from dataclasses import dataclass

from paralign.text.words import Span

__all__ = ["Tagged"]


@dataclass(frozen=True, slots=True)
class Tagged:
    """A sentence and one tag a word."""

    text: str
    """The words joined by spaces."""
    words: tuple[str, ...]
    spans: tuple[Span, ...]
    """Characters of each word in ``text``."""
    tags: tuple[str, ...]
    """BIO tags; empty in unlabelled data."""
    line: int
    """Line of the first word (in the small world the sentence's index)."""
