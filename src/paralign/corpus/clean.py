"""Which pairs of a corpus are kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pydantic import Field, model_validator

from paralign.config import Config
from paralign.languages import parse_derived

__all__ = ["FilterConfig", "nothing_left", "sides_are_comparable"]


class FilterConfig(Config):
    """Which pairs (or sentences, for plain text) are kept (PPA, Pan et al. 2021, section 3.1).

    Lengths are numbers of tokenizer pieces without special tokens, so they do not depend on a model's pair template:
    the encoder sees three or four positions more than ``max_pieces``.
    """

    min_pieces: int = Field(default=10, ge=1)
    """A pair is dropped if either side has fewer pieces."""
    max_pieces: int = Field(default=128, ge=1)
    """A pair is dropped if both sides together have more pieces; plain text if the sentence has more."""
    drop_identical: bool = True
    """Drop pairs with equal sides: text that was not translated."""
    drop_duplicates: bool = True
    """Keep only the first of equal pairs of the same two languages, in either direction, or of equal sentences of plain
    text, over all files."""
    limit: int | None = Field(default=None, ge=1)
    """Keep at most this many pairs of each language pair (or sentences of each language); all by default. A tokenizer
    is trained on all text."""

    @model_validator(mode="after")
    def _bounds(self) -> FilterConfig:
        if self.max_pieces < self.min_pieces:
            raise ValueError(f"max_pieces {self.max_pieces} is less than min_pieces {self.min_pieces}")
        return self


def nothing_left(
    dropped: Counter[str], sides: int, config: FilterConfig, longest: int | None = None
) -> tuple[str, str | None]:
    """Return the error message for text of which no record is kept, and a hint.

    Args:
        dropped: number of dropped records by reason.
        sides: 2 for pairs, 1 for plain text.
        config: which records are kept.
        longest: largest number of pieces that the encoder takes. None: unknown.

    >>> nothing_left(Counter({"too short": 7, "identical": 2}), 2, FilterConfig(min_pieces=3))
    ('all 9 pairs dropped: 7 too short (< 3 pieces), 2 identical', 'lower data.min_pieces')
    """
    what = "pairs" if sides == 2 else "sentences"
    if not dropped:
        return f"no {what} in the text", None
    limits = {"too short": f" (< {config.min_pieces} pieces)", "too long": f" (> {config.max_pieces} pieces)"}
    by_count = sorted(dropped, key=lambda reason: (-dropped[reason], reason))
    counts = ", ".join(f"{dropped[reason]:,} {reason}{limits.get(reason, '')}" for reason in by_count)
    hints = {"too short": "lower data.min_pieces", "too long": "raise data.max_pieces"}
    if config.max_pieces == longest:
        hints["too long"] = "the encoder takes no more, so shorten them, or use one with more positions"
    return f"all {dropped.total():,} {what} dropped: {counts}", hints.get(by_count[0])


def sides_are_comparable(languages: Sequence[str]) -> bool:
    """Return whether two sides of equal text are read as the same pieces.

    They are not if only one language is written in twin pieces or in reverse.
    """
    treatments = {
        (language.uses_twins, language.overlap, language.reverses_pieces) if language else (False, 0, False)
        for language in map(parse_derived, languages)
    }
    return len(languages) == 2 and len(treatments) == 1
