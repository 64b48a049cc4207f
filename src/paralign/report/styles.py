"""Colors, dashes and markers: which system is drawn how. A system has the same color on every page."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Sequence
from dataclasses import dataclass

__all__ = ["COLORS", "Style", "assign_styles"]

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#332288", "#882255", "#999933", "#7a5c3e")
"""The palette of Okabe and Ito, which readers with the common color vision deficiencies can distinguish, then colors
of Paul Tol's palettes for pages with more than six systems."""
_KNOWN = (
    "base", "PPA", "AlignLM", "TLM", "L2 word alignment", "in-batch contrast", "contrastive word alignment",
    "PPA \N{MINUS SIGN}TLM (MoCo)", "PPA \N{MINUS SIGN}MoCo (TLM)", "ALIGN-MLM",
)  # fmt: skip
"""Methods of recipes that are often on one page: each has a color of its own, in this order."""
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
    """Assign a color and a dash to each system; controls are gray and dashed.

    The color depends on the name, not on the other systems of the page, unless two names would have the same one: then
    the later name, in alphabetical order, gets the next free color. A name of several systems, ``PPA (xlmr)``, is
    treated like the part before the parenthesis. Once all colors are used, dots are hollow.

    >>> alone, together = assign_styles(["PPA"]), assign_styles(["mine", "yours", "PPA", "AlignLM"])
    >>> alone["PPA"] == together["PPA"]
    True
    """
    styles = {}
    taken: set[int] = set()
    others = {system for system in systems if system not in controls}
    # Exact names of known methods choose their colors first.
    for system in sorted(others, key=lambda system: (system not in _KNOWN, _name(system) not in _KNOWN, system)):
        number = _preferred(system)
        while number in taken and len(taken) < len(COLORS) * 2:
            number = (number + 1) % len(COLORS) + len(COLORS) * (len(taken) >= len(COLORS))
        taken.add(number)
        dash = _DASHES[(number + number // len(COLORS)) % len(_DASHES)]
        styles[system] = Style(system, COLORS[number % len(COLORS)], dash, hollow=number >= len(COLORS))
    return {system: styles[system] if system in styles else Style(system, _CONTROL, (3.0, 3.0)) for system in systems}


def _preferred(system: str) -> int:
    """Return the number of the color that a system gets if it is free."""
    name = system if system in _KNOWN else _name(system)
    if name in _KNOWN:
        return _KNOWN.index(name) % len(COLORS)
    return hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=2).digest()[0] % len(COLORS)


def _name(system: str) -> str:
    return system.partition(" (")[0]
