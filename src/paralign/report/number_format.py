"""Numbers, lists of names and poolings as text."""

from __future__ import annotations

import math
from collections.abc import Sequence

from paralign.results import CHOSEN

__all__ = [
    "format_count",
    "format_difference",
    "format_duration",
    "format_range",
    "format_score",
    "join_names",
    "more_are",
    "pooling_name",
    "shorten_list",
]

_POOLINGS = {
    "cls": "[CLS]", "mean": "mean pooling", "last": "last piece", "static": "static vectors", CHOSEN: "best layer",
}  # fmt: skip


def pooling_name(pool: str) -> str:
    """``cls`` as ``[CLS]``; a name that is not in the table stays as it is."""
    return _POOLINGS.get(pool, pool)


def format_score(value: float | None, scale: bool = True) -> str:
    """``0.8734`` as ``87.3``; a dash for unknown values.

    Args:
        value: a score.
        scale: multiply by 100 and round to one decimal; otherwise keep the value and round to two.
    """
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{value * 100:.1f}" if scale else f"{value:.2f}"
    return text.replace("-", "−") if float(text) else text.lstrip("-")


def format_difference(value: float | None, scale: bool = True) -> str:
    """A score with its sign: ``+1.2``, ``−0.3``, ``0.0``."""
    text = format_score(value, scale)
    return text if text[0] in "−–" or not float(text) else f"+{text}"


def format_count(value: float | None, digits: int = 0) -> str:
    """A count with thousands separators: ``12,345``."""
    return "–" if value is None or not math.isfinite(value) else f"{value:,.{digits}f}"


def format_range(sizes: Sequence[int]) -> str:
    """The only count, or the first and the last of sorted ones: ``100 to 2,000``."""
    return f"{sizes[0]:,}" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,}"


def format_duration(seconds: float | None) -> str:
    """Seconds as ``12 s``, ``3 min 05 s`` or ``2 h 07 min``."""
    if seconds is None or not math.isfinite(seconds):
        return "–"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def more_are(count: int, what: str) -> str:
    """``1 more table is``, ``3 more tables are``."""
    return f"{count} more {what} is" if count == 1 else f"{count} more {what}s are"


def join_names(names: Sequence[str]) -> str:
    """``de, fr and zh``."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def shorten_list(names: Sequence[str], limit: int = 6, what: str = "others") -> str:
    """``a, b, c`` for up to ``limit`` names, otherwise the first of them and ``and 27 others``."""
    if len(names) <= limit + 1:  # "and 1 other" would save nothing
        return ", ".join(names)
    return f"{', '.join(names[:limit])} and {len(names) - limit} {what}"
