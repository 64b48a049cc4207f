"""Line-aligned files: two text files in which equal lines translate each other (Moses, OPUS)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import zip_longest

from paralign.errors import UserError, file_location
from paralign.formats.archives import aligned_members
from paralign.formats.item_errors import TRUNCATION_REASONS
from paralign.formats.lines import numbered_lines

__all__ = ["read_line_aligned", "read_line_aligned_archive"]


def read_line_aligned(
    first: str, second: str, languages: tuple[str, str], *, lenient: bool, dropped: Counter[str]
) -> Iterator[tuple[int, str, str]]:
    """Read two line-aligned files.

    Args:
        first, second: the files of the source and the target side.
        languages: not used.
        lenient: drop pairs of which a line cannot be read, and accept that a truncated file is shorter.
        dropped: counts them: the reasons of ``read_lines``, and ``missing counterpart`` for lines that can be read but
            whose counterpart cannot.

    Yields:
        Line, source, target.

    Raises:
        UserError: with ``file:line``; for files of different length with both counts.
    """
    # Dropped lines come as None and keep their position: they must not shift the rest.
    truncated = sum(dropped[reason] for reason in TRUNCATION_REASONS)
    left = numbered_lines(first, lenient=lenient, dropped=dropped)
    right = numbered_lines(second, lenient=lenient, dropped=dropped)
    more_left = more_right = number = 0
    for source, target in zip_longest(left, right):
        if source is None or target is None:
            more_left += target is None
            more_right += source is None
            continue
        number = source[0]
        if source[1] is not None and target[1] is not None:
            yield number, source[1], target[1]
        elif source[1] is not target[1]:
            dropped["missing counterpart"] += 1
    if not more_left and not more_right:
        return
    if lenient and sum(dropped[reason] for reason in TRUNCATION_REASONS) > truncated:
        dropped["missing counterpart"] += more_left + more_right
        return
    lengths = f"{first} has {number + more_left:,} lines, {second} has {number + more_right:,}"
    raise UserError(
        f"the two files differ in length: {lengths}",
        where=file_location(second if more_left else first, number + 1),
        hint="give two files that correspond line by line",
    )


def read_line_aligned_archive(
    path: str, languages: tuple[str, str], *, lenient: bool, dropped: Counter[str]
) -> Iterator[tuple[int, str, str]]:
    """Read the two line-aligned files in a zip archive; as :func:`read_line_aligned` otherwise."""
    return read_line_aligned(*aligned_members(path, languages), languages, lenient=lenient, dropped=dropped)
