"""Which pairs of a corpus are kept."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field, model_validator

from paralign.config import Config
from paralign.languages import parse_derived

__all__ = ["FilterConfig", "sides_are_comparable"]


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
    """Keep only the first of equal pairs of the same two languages, in either direction, over all files."""
    limit: int | None = Field(default=None, ge=1)
    """Keep at most this many pairs of each language pair (or sentences of each language); all by default."""

    @model_validator(mode="after")
    def _bounds(self) -> FilterConfig:
        if self.max_pieces < self.min_pieces:
            raise ValueError(f"max_pieces {self.max_pieces} is less than min_pieces {self.min_pieces}")
        return self


def sides_are_comparable(languages: Sequence[str]) -> bool:
    """Return whether two sides of equal text are read as the same pieces.

    They are not if only one language is written in twin pieces or in reverse.
    """
    treatments = {
        (language.uses_twins, language.overlap, language.reverses_pieces) if language else (False, 0, False)
        for language in map(parse_derived, languages)
    }
    return len(languages) == 2 and len(treatments) == 1
