"""Colors, dashes and markers: which system is drawn how, the same on the whole page."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

__all__ = ["COLORS", "Style", "assign_styles"]

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""The palette of Okabe and Ito, which readers with the common color vision deficiencies can distinguish."""
_DASHES = ((), (5.0, 2.0), (1.5, 1.5), (6.0, 1.5, 1.5, 1.5))
"""Dashes distinguish lines in grayscale prints."""
_CONTROL = "#555555"


@dataclass(frozen=True)
class Style:
    """How one system is drawn."""

    system: str
    color: str
    dash: tuple[float, ...]
    hollow: bool = False
    """For dots and bars: draw only the outline, once all colors are used."""

    @property
    def dasharray(self) -> str:
        """The dash as SVG's ``stroke-dasharray``."""
        return " ".join(f"{2 * length:g}" for length in self.dash) or "none"

    @property
    def linestyle(self) -> object:
        """The dash as matplotlib's ``linestyle``."""
        return (0, self.dash) if self.dash else "solid"


def assign_styles(systems: Sequence[str], controls: Container[str] = ()) -> dict[str, Style]:
    """Assign a color and a dash to each system; controls are gray and dashed."""
    styles = {}
    treated = [system for system in systems if system not in controls]
    for number, system in enumerate(treated):
        dash = _DASHES[(number + number // len(COLORS)) % len(_DASHES)]
        styles[system] = Style(system, COLORS[number % len(COLORS)], dash, hollow=number // len(COLORS) % 2 == 1)
    for system in systems:
        if system in controls:
            styles[system] = Style(system, _CONTROL, (3.0, 3.0))
    return styles
