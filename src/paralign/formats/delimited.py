"""Parallel text with both sides in one line: tab-separated values, and ``source ||| target``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from paralign.formats.item_errors import ItemError, raise_or_drop

__all__ = ["is_bars_line", "is_tabs_line", "read_bars", "read_tabs", "to_tsv_lines"]

_BARS = "|||"


def is_tabs_line(line: str) -> bool:
    """Return whether a line has a tab."""
    return "\t" in line


def is_bars_line(line: str) -> bool:
    """Return whether a line has ``|||``."""
    return _BARS in line


def read_tabs(
    lines: Iterable[tuple[int, str]], path: str, languages: tuple[str, str], *, lenient: bool, dropped: Counter[str]
) -> Iterator[tuple[int, str, str]]:
    """Read the first two columns of each line; there is no quoting. A blank line is an empty pair.

    Args:
        lines: numbered lines.
        path: named in errors.
        languages: not used; the sides are in this order.
        lenient: drop lines without the separator instead of raising.
        dropped: counts them: ``missing separator``.

    Yields:
        Line, source, target.

    Raises:
        UserError: with ``file:line``.
    """
    return _read(lines, path, "\t", "tab", lenient, dropped)


def read_bars(
    lines: Iterable[tuple[int, str]], path: str, languages: tuple[str, str], *, lenient: bool, dropped: Counter[str]
) -> Iterator[tuple[int, str, str]]:
    """Read the two sides of ``source ||| target``; as :func:`read_tabs` otherwise."""
    return _read(lines, path, _BARS, _BARS, lenient, dropped)


def _read(
    lines: Iterable[tuple[int, str]], path: str, separator: str, name: str, lenient: bool, dropped: Counter[str]
) -> Iterator[tuple[int, str, str]]:
    for number, line in lines:
        columns = line.split(separator, 2)
        if len(columns) >= 2:
            yield number, columns[0], columns[1]
        elif not line.strip():
            yield number, "", ""
        else:
            error = ItemError("missing separator", f"missing {name}: the line has one column", number)
            raise_or_drop(error, path, "line", lenient=lenient, dropped=dropped)


def to_tsv_lines(pairs: Iterable[tuple[str, str]], languages: tuple[str, str]) -> Iterator[str]:
    """Yield the lines of a TSV file; normalized text contains no tab."""
    return (f"{source}\t{target}" for source, target in pairs)
