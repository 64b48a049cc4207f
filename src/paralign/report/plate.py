"""What every picture of the page is made of: its key, panels and tables, the command behind it, its numbers."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Grid", "Number", "Panel", "Plate", "Sign", "Square"]

Number = tuple[str, str, str, float, float | None, float | None]
"""For CSV: panel, series, where on the axis, value, and the ends of its interval."""


@dataclass(frozen=True)
class Sign:
    """A line of the key."""

    label: str
    color: str
    dasharray: str | None = None
    """For SVG's ``stroke-dasharray``; ``None``: a dot."""
    hollow: bool = False
    """Of a dot: its outline alone."""


@dataclass(frozen=True)
class Panel:
    """One picture."""

    name: str
    svg: str
    """Markup without ids that another panel has."""
    said: str
    """What is to be seen, in words: for those who cannot see it."""


@dataclass(frozen=True)
class Square:
    """One cell of a shaded table."""

    text: str
    tone: str = ""
    """``better``, ``worse``, ``much-worse`` or a step of grey ``g0`` to ``g9``; never told by color alone."""
    said: str = ""
    """Shown when one hovers."""


@dataclass(frozen=True)
class Grid:
    """A shaded table."""

    columns: list[str]
    rows: list[tuple[str, list[Square]]]
    caption: str = ""
    kind: str = "shaded"
    """``shaded``; ``links``: small squares without text, words on both sides; ``lines``: sentences."""


@dataclass(frozen=True)
class Plate:
    """What is shown of one thing, under its own heading."""

    section: str
    title: str
    key: list[Sign] = field(default_factory=list)
    panels: list[Panel] = field(default_factory=list)
    grids: list[Grid] = field(default_factory=list)
    wide: bool = False
    """Fewer panels beside each other."""
    caption: str = ""
    command: str = ""
    """What a person types to make it again; empty where it is not known."""
    numbers: list[Number] = field(default_factory=list)
    finding: str = ""
    """A sentence for the head of the page."""
    run: str = ""
    """Whose it is: told in the title where two have the same."""
