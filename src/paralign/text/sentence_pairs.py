"""Labelled sentence pairs: natural language inference and paraphrase, in the formats they are published in."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SentencePair"]


@dataclass(frozen=True, slots=True)
class SentencePair:
    """Two sentences and what holds between them."""

    first: str
    """Premise."""
    second: str
    """Hypothesis."""
    label: str
    """``entailment``, ``neutral``, ``contradiction``; ``0``, ``1`` for paraphrase; empty in unlabelled data."""
    id: str
    """The pair's own id where the file has one, else its number in the file, from 0."""
    line: int
