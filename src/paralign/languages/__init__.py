"""Languages derived from others by rule, and dictionaries of tokenizer pieces."""

from __future__ import annotations

from paralign.languages.derived_language import (
    DERIVED_SEPARATOR,
    TRANSFORMATIONS,
    DerivedLanguage,
    base_language,
    join_words,
    parse_derived,
    spaces_before,
)
from paralign.languages.word_order import DependencyTree, WordOrder, is_projective

__all__ = [
    "DERIVED_SEPARATOR",
    "TRANSFORMATIONS",
    "DependencyTree",
    "DerivedLanguage",
    "WordOrder",
    "base_language",
    "is_projective",
    "join_words",
    "parse_derived",
    "spaces_before",
]
