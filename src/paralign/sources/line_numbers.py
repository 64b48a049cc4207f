"""Line numbers of a text: how many there are, and rows for lines that were dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from paralign.formats.item_errors import TRUNCATION_REASONS, OrderedCounts
from paralign.formats.parallel_text import count_lines, has_pair_per_line
from paralign.sources.specs import PairSpec, TextSpec, smallworld_range

__all__ = ["fill_gaps", "line_count", "lines_are_pairs"]

T = TypeVar("T")


def line_count(spec: PairSpec | TextSpec) -> int | None:
    """Return the number of lines of the file of a spec; see :func:`paralign.formats.parallel_text.count_lines`."""
    return count_lines(spec.path, spec.paths, spec.languages)


def lines_are_pairs(spec: PairSpec | TextSpec) -> bool:
    """Return whether the lines of items count the items of a file, so that a gap is an item that was dropped.

    They do not in treebanks and translation memories, whose pairs have several lines, and in the small world.
    """
    return smallworld_range(spec.path) is None and has_pair_per_line(spec.path, spec.paths)


def fill_gaps(
    spec: PairSpec | TextSpec,
    read: Callable[[Counter[str]], Iterable[tuple[int, T]]],
    empty: T,
    *,
    lenient: bool,
    dropped: Counter[str],
) -> Iterator[tuple[int, T]]:
    """Yield the rows of a text, and an empty row for each line that was dropped, so that line numbers stay the same.

    Args:
        spec: the text.
        read: reads line and content of the rows, and counts what it drops.
        empty: the content of an empty row.
        lenient: whether lines were dropped instead of raising; also those at the end are filled then.
        dropped: what the reader drops is added to it, that of a gap with the gap: a limit also limits the counts.
    """
    has_lines, last, ahead = lines_are_pairs(spec), 0, OrderedCounts()

    def gaps(end: int, reasons: list[str]) -> Iterator[tuple[int, T]]:
        numbers = range(last + 1, end) if has_lines else range(0)
        for k, number in enumerate(numbers):
            dropped.update(reasons[k : k + 1])
            yield number, empty
        dropped.update(reasons[len(numbers) :])

    for number, content in read(ahead):
        yield from gaps(number, ahead.take())
        yield number, content
        last = number
    reasons = ahead.take()
    end = line_count(spec) if lenient and has_lines else last
    if end is None:  # text that cannot be read twice: each dropped line has a reason
        end = last + sum(reason not in TRUNCATION_REASONS for reason in reasons)
    yield from gaps(end + 1, reasons)
