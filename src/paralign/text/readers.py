"""Readers of parallel and plain text: every format gives the same pairs."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from paralign.errors import UserError, located
from paralign.text.generated import smallworld_pairs, smallworld_text
from paralign.text.lines import read_lines
from paralign.text.normalise import normalise
from paralign.text.specs import PairSpec, TextSpec, smallworld_range

__all__ = ["Pair", "read_pairs", "read_text"]

_BAR = "|||"
_CUT = ("truncated gzip", "damaged gzip", "foreign bytes after the gzip data")


@dataclass(frozen=True, slots=True)
class Pair:
    """A sentence and its translation, in normal form (:func:`normalise`); a side may be empty."""

    source: str
    target: str
    line: int
    """Line in the file, from 1; in the small world the sentence's index."""
    links: tuple[tuple[int, int], ...] | None = None
    """Gold links (source word, target word), from 0, over the small world's own words; files have none."""


def read_pairs(
    spec: PairSpec, *, lenient: bool = False, dropped: Counter[str] | None = None
) -> Iterator[Pair]:
    """Read parallel text in a stream, in the order of the file, empty sides included.

    The format is seen from the path and the first line that is not blank: Moses twins (``a.en,a.de``), TSV
    (two or more columns, of which the first two are read; no quoting), ``source ||| target``, or the small
    world.

    Args:
        spec: languages and path.
        lenient: drop lines that cannot be read instead of raising.
        dropped: counts what ``lenient`` dropped: the reasons of ``read_lines``, ``missing separator`` for a
            line without the separator, ``missing twin`` where the twin line was dropped or cut off.

    Raises:
        UserError: with ``file:line``; for twins of different length with both counts.
    """
    count: Counter[str] = Counter() if dropped is None else dropped
    indices = smallworld_range(spec.path)
    if indices is not None:
        return smallworld_pairs(spec, indices)
    if len(spec.paths) == 2:
        return _twins(*spec.paths, lenient, count)
    return _separated(spec.path, lenient, count)


def read_text(
    spec: TextSpec, *, lenient: bool = False, dropped: Counter[str] | None = None
) -> Iterator[tuple[int, str]]:
    """Read plain text, one sentence a line, as ``(line number, normalised text)``, blank lines included.

    Args and errors as in :func:`read_pairs`.
    """
    indices = smallworld_range(spec.path)
    if indices is not None:
        return smallworld_text(spec.language, indices)
    lines = read_lines(spec.path, lenient=lenient, dropped=dropped)
    return ((number, normalise(line)) for number, line in lines)


def _separated(path: str, lenient: bool, dropped: Counter[str]) -> Iterator[Pair]:
    separator = None
    for number, line in read_lines(path, lenient=lenient, dropped=dropped):
        if separator is None and line.strip():
            separator = "\t" if "\t" in line else _BAR if _BAR in line else None
            if separator is None:
                mend = "give TSV, 'source ||| target', or two files with a comma between"
                raise UserError(
                    "missing tab: the line holds one column", where=located(path, number), mend=mend
                )
        columns = line.split(separator, 2) if separator else ["", ""]
        if len(columns) >= 2:
            yield Pair(normalise(columns[0]), normalise(columns[1]), number)
        elif not line.strip():
            yield Pair("", "", number)
        elif lenient:
            dropped["missing separator"] += 1
        else:
            missing = "missing tab" if separator == "\t" else f"missing {_BAR}"
            mend = "mend the line, or drop such lines with --lenient"
            raise UserError(f"{missing}: the line holds one column", where=located(path, number), mend=mend)


def _twins(first: str, second: str, lenient: bool, dropped: Counter[str]) -> Iterator[Pair]:
    # Joined by line number, not by position: a line that was dropped on one side must not shift the rest.
    cut = Counter({reason: dropped[reason] for reason in _CUT})
    left = read_lines(first, lenient=lenient, dropped=dropped)
    right = read_lines(second, lenient=lenient, dropped=dropped)
    a, b = next(left, None), next(right, None)
    last_a = last_b = 0
    while a is not None and b is not None:
        if a[0] == b[0]:
            yield Pair(normalise(a[1]), normalise(b[1]), a[0])
            last_a, last_b = a[0], b[0]
            a, b = next(left, None), next(right, None)
        elif a[0] < b[0]:
            dropped["missing twin"] += 1
            last_a, a = a[0], next(left, None)
        else:
            dropped["missing twin"] += 1
            last_b, b = b[0], next(right, None)
    rest = 0
    for number, _ in itertools.chain([a] if a else [], left):
        rest, last_a = rest + 1, number
    for number, _ in itertools.chain([b] if b else [], right):
        rest, last_b = rest + 1, number
    if not rest:
        return
    if lenient and any(dropped[reason] > cut[reason] for reason in _CUT):
        dropped["missing twin"] += rest
        return
    where = located(second, last_b + 1) if last_b < last_a else located(first, last_a + 1)
    message = f"the twins differ in length: {first} has {last_a:,} lines, {second} has {last_b:,}"
    raise UserError(message, where=where, mend="give two files that correspond line by line")
