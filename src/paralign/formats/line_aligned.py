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
        dropped: counts each pair once: under the reason of ``read_lines`` for a line that cannot be read (the source
            line if both cannot) or where a file is truncated, and as ``missing counterpart`` behind that.

    Yields:
        Line, source, target.

    Raises:
        UserError: with ``file:line``; for files of different length with both counts.
    """
    # Dropped lines come as None and keep their position: they must not shift the rest.
    reasons: Counter[str] = Counter()
    left = numbered_lines(first, lenient=lenient, dropped=reasons)
    right = numbered_lines(second, lenient=lenient, dropped=reasons)
    more_left = more_right = number = 0
    for source, target in zip_longest(left, right):
        if source is None or target is None:
            more_left += target is None
            more_right += source is None
            continue
        number = source[0]
        if source[1] is not None and target[1] is not None:
            yield number, source[1], target[1]
        else:
            dropped[next(iter(reasons))] += 1
            reasons.clear()
    truncated = next((reason for reason in TRUNCATION_REASONS if reason in reasons), None)
    if truncated is not None:
        dropped[truncated] += 1
        if more_left + more_right > 1:
            dropped["missing counterpart"] += more_left + more_right - 1
    elif more_left or more_right:
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
