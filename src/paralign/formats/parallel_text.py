"""Parallel text in files: Moses files, TSV, ``a ||| b``, JSON lines, TMX, OPUS archives, hub datasets, treebanks."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from paralign.errors import UserError, file_location
from paralign.formats.archives import is_archive, aligned_members
from paralign.formats.conllu import is_treebank
from paralign.formats.item_errors import TRUNCATION_REASONS
from paralign.formats.hub import is_hub, read_hub_pairs, read_hub_text
from paralign.formats.items import Pair
from paralign.formats.lines import numbered_lines, read_lines
from paralign.formats.json_lines import read_records
from paralign.formats.tmx import is_tmx, read_tmx
from paralign.formats.parallel_treebanks import read_parallel_treebanks
from paralign.text.normalization import normalize

__all__ = ["count_lines", "read_pair_files", "read_plain_text"]

_BAR = "|||"
_OBJECT = re.compile(r'\{\s*"')


def read_pair_files(
    path: str, paths: tuple[str, ...], languages: tuple[str, str], *, lenient: bool, dropped: Counter[str]
) -> Iterator[Pair]:
    """Read parallel text in a stream, in the order of the file, empty sides included.

    The format is detected from the path and the first line that is not blank: two line-aligned files
    (``a.en,a.de``), two such files in a zip archive of OPUS, two treebanks (``a.conllu,b.conllu``, joined by
    ``# sent_id``), a translation memory (``.tmx``), a dataset of the hub, TSV (the first two columns are read; no
    quoting), ``source ||| target``, or JSON lines (:class:`paralign.formats.json_lines.TranslationFields`).

    Args:
        path: as the user wrote it.
        paths: the files it names: two, one, or none for a dataset of the hub.
        languages: canonical tags of both sides.
        lenient: drop lines that cannot be read instead of raising.
        dropped: counts what ``lenient`` dropped: the reasons of ``read_lines``, ``missing separator`` for a
            line without the separator, ``missing twin`` where the line of the other file was dropped or cut off; those
            of ``read_parallel_treebanks``.

    Raises:
        UserError: with ``file:line``; for two files of different length with both counts.
    """
    if is_hub(path):
        return _units(read_hub_pairs(path, languages, lenient=lenient, dropped=dropped))
    if len(paths) == 2 and any(map(is_treebank, paths)):
        return _treebanks(*paths, lenient, dropped)
    if len(paths) == 2:
        return _twins(*paths, lenient, dropped)
    if is_archive(path):
        return _twins(*aligned_members(path, languages), lenient, dropped)
    if is_tmx(path):
        return _units(read_tmx(path, languages, lenient=lenient, dropped=dropped))
    return _separated(path, languages, lenient, dropped)


def read_plain_text(
    path: str, language: str, *, lenient: bool, dropped: Counter[str] | None
) -> Iterator[tuple[int, str]]:
    """Read one sentence per line, or the rows of a dataset of the hub, as ``(line number, normalized text)``.

    Args and errors as in :func:`read_pair_files`.
    """
    if is_hub(path):
        count: Counter[str] = Counter() if dropped is None else dropped
        lines = read_hub_text(path, language, lenient=lenient, dropped=count)
    else:
        lines = read_lines(path, lenient=lenient, dropped=dropped)
    return ((number, normalize(line)) for number, line in lines)


def count_lines(path: str, paths: tuple[str, ...]) -> int | None:
    """Return the number of lines of a corpus with one item per line, unreadable lines included.

    Returns:
        ``None`` for other formats and for what cannot be read twice.
    """
    whole = not paths or is_tmx(path) or is_archive(path)
    if whole or is_treebank(paths[0]) or not Path(paths[0]).is_file():
        return None
    return sum(1 for _ in numbered_lines(paths[0], lenient=True))


def _units(rows: Iterable[tuple[int, str, str]]) -> Iterator[Pair]:
    return (Pair(normalize(source), normalize(target), line) for line, source, target in rows)


def _separated(path: str, languages: tuple[str, str], lenient: bool, dropped: Counter[str]) -> Iterator[Pair]:
    separator = None
    lines = read_lines(path, lenient=lenient, dropped=dropped)
    for number, line in lines:
        if separator is None and _OBJECT.match(line) and "\t" not in line:
            rest = itertools.chain([(number, line)], lines)
            yield from _units(read_records(rest, path, languages, lenient=lenient, dropped=dropped))
            return
        if separator is None and line.strip():
            separator = "\t" if "\t" in line else _BAR if _BAR in line else None
            if separator is None:
                hint = "give TSV, 'source ||| target', JSON lines, TMX, or two files with a comma between"
                raise UserError("missing tab: the line holds one column", where=file_location(path, number), hint=hint)
        columns = line.split(separator, 2) if separator else ["", ""]
        if len(columns) >= 2:
            yield Pair(normalize(columns[0]), normalize(columns[1]), number)
        elif not line.strip():
            yield Pair("", "", number)
        elif lenient:
            dropped["missing separator"] += 1
        else:
            missing = "missing tab" if separator == "\t" else f"missing {_BAR}"
            hint = "fix the line, or drop such lines with --lenient"
            raise UserError(f"{missing}: the line holds one column", where=file_location(path, number), hint=hint)


def _treebanks(first: str, second: str, lenient: bool, dropped: Counter[str]) -> Iterator[Pair]:
    if not (is_treebank(first) and is_treebank(second)):
        other = second if is_treebank(first) else first
        raise UserError("is not .conllu, its twin is", where=other, hint="give two treebanks, or two plain files")
    for source, target, line in read_parallel_treebanks(first, second, lenient, dropped):
        yield Pair(source, target, line)


def _twins(first: str, second: str, lenient: bool, dropped: Counter[str]) -> Iterator[Pair]:
    # Dropped lines come as None and keep their place: they must not shift the rest.
    cut = sum(dropped[reason] for reason in TRUNCATION_REASONS)
    left = numbered_lines(first, lenient=lenient, dropped=dropped)
    right = numbered_lines(second, lenient=lenient, dropped=dropped)
    unpaired: list[int] = [0, 0]
    number = 0
    for a, b in itertools.zip_longest(left, right):
        if a is None or b is None:
            unpaired[b is None] += 1
            continue
        number = a[0]
        if a[1] is not None and b[1] is not None:
            yield Pair(normalize(a[1]), normalize(b[1]), number)
        elif a[1] is not b[1]:
            dropped["missing twin"] += 1
    if not any(unpaired):
        return
    if lenient and sum(dropped[reason] for reason in TRUNCATION_REASONS) > cut:
        dropped["missing twin"] += sum(unpaired)
        return
    more_right, more_left = unpaired
    message = f"{first} has {number + more_left:,} lines, {second} has {number + more_right:,}"
    raise UserError(
        f"the twins differ in length: {message}",
        where=file_location(second if more_left else first, number + 1),
        hint="give two files that correspond line by line",
    )
