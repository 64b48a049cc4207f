"""Questions about a paragraph, in SQuAD v1.1's JSON: SQuAD, XQuAD, MLQA, TyDiQA-GoldP."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Question"]


@dataclass(frozen=True, slots=True)
class Question:
    """A question, its paragraph and the spans that answer it.

    Text is kept character for character as in the file (no normal form): answers are slices of the paragraph.
    """

    id: str
    question: str
    context: str
    answers: tuple[str, ...]
    """Texts; empty in unlabelled data."""
    starts: tuple[int, ...]
    """Where each answer begins in ``context``, in characters."""
