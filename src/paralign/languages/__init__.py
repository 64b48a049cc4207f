"""Languages that are derived from others by rule."""

from __future__ import annotations

from paralign.languages.derived import SIGN, STEPS, Derived, derived, joined, spaced
from paralign.languages.syntax import Analyzed, Ordering, is_projective

__all__ = ["SIGN", "STEPS", "Analyzed", "Derived", "Ordering", "derived", "is_projective", "joined", "spaced"]
