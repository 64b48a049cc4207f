"""Languages that are derived from others by rule."""

from __future__ import annotations

from paralign.languages.derived import SIGN, STEPS, Derived, derived, joined, spaced
from paralign.languages.syntax import Analysed, Ordering, is_projective

__all__ = ["SIGN", "STEPS", "Analysed", "Derived", "Ordering", "derived", "is_projective", "joined", "spaced"]
