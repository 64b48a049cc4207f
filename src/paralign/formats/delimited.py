"""Parallel text with both sides in one line: tab-separated values, and ``source ||| target``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import dropwhile, islice

from paralign.errors import UserError, file_location
from paralign.formats.item_errors import ItemError, check_length, raise_or_drop, read_ahead
from paralign.text.language_tags import find_tag

__all__ = [
    "BARS",
    "HEAD_LINES",
    "check_columns",
    "check_header",
    "check_tsv_head",
    "check_tsv_text",
    "is_bars_line",
    "is_tabs_line",
    "read_bars",
    "read_tabs",
    "split_sides",
    "to_tsv_lines",
]

_TAB, BARS = "\t", "|||"
HEAD_LINES = 20
"""Lines at the beginning of a file from which its layout is checked."""
_LONGEST_NAME = 30
"""Characters in the name of a language."""
_NUMBER = re.compile(r"\s*[-+]?(?:\d+(?:[.,]\d+)?|[.,]\d+)(?:[eE][-+]?\d+)?\s*")
_LETTER = re.compile(r"[^\W\d_]")
_QUOTED = re.compile(r'\s*"(?:[^"]|"")*"\s*')
_COLUMN_NAMES = frozenset((
    "source", "target", "src", "tgt", "trg", "source_text", "target_text", "src_text", "tgt_text", "source_sentence",
    "target_sentence", "sentence1", "sentence2", "sentence_1", "sentence_2", "text1", "text2", "translation", "score",
    "id", "lang1", "lang2",
))  # fmt: skip


def is_tabs_line(line: str) -> bool:
    """Return whether a line has a tab."""
    return _TAB in line


def is_bars_line(line: str) -> bool:
    """Return whether a line has ``|||``."""
    return BARS in line


def read_tabs(
    lines: Iterable[tuple[int, str]], path: str, languages: tuple[str, str], *, lenient: bool, dropped: Counter[str]
) -> Iterator[tuple[int, str, str]]:
    """Read the first two columns of each line; there is no quoting. A blank line is an empty pair.

    Args:
        lines: numbered lines.
        path: named in errors.
        languages: of the sides, in this order; a first line that names them is a header.
        lenient: drop lines that are not a pair instead of raising, and read quotes around fields as text.
        dropped: counts them: ``missing separator``, ``two separators`` (a tab and ``|||``), ``header``.

    Yields:
        Line, source, target.

    Raises:
        UserError: with ``file:line``; even if lenient for a file with numbers in its first or second column, but text
            in others.
    """
    return _read(lines, path, _TAB, languages, lenient, dropped)


def read_bars(
    lines: Iterable[tuple[int, str]], path: str, languages: tuple[str, str], *, lenient: bool, dropped: Counter[str]
) -> Iterator[tuple[int, str, str]]:
    """Read the two sides of ``source ||| target``; as :func:`read_tabs` otherwise."""
    return _read(lines, path, BARS, languages, lenient, dropped)


def _read(
    lines: Iterable[tuple[int, str]],
    path: str,
    separator: str,
    languages: tuple[str, str],
    lenient: bool,
    dropped: Counter[str],
) -> Iterator[tuple[int, str, str]]:
    first = True
    head, rows = read_ahead(iter(lines), HEAD_LINES, dropped)
    _check_head(head, path, separator, lenient)
    for number, line in rows:
        try:
            if first and separator in line:
                first = False
                check_header(line, separator, languages, number)
            source, target = split_sides(line, separator, number)
        except ItemError as error:
            raise_or_drop(error, path, "line", lenient=lenient, dropped=dropped)
        else:
            yield number, source, target


def split_sides(line: str, separator: str, number: int) -> tuple[str, str]:
    """Return the first two columns; both are empty for a blank line.

    Args:
        line: the line.
        separator: a tab or ``|||``.
        number: of the line, for errors.

    Raises:
        ItemError: for a line with one column or both separators: ``missing separator``, ``two separators``.
    """
    name, other = ("tab", BARS) if separator == _TAB else (BARS, _TAB)
    columns = line.split(separator, 2)
    if other in line and any(other in column for column in columns[:2]):
        message = f"both a tab and {BARS} are used: the columns of this file are separated by {name}"
        raise ItemError("two separators", message, number)
    if len(columns) < 2 and line.strip():
        raise ItemError("missing separator", f"missing {name}: the line has one column", number)
    return columns[0], columns[1] if len(columns) > 1 else ""


def _check_head(head: Sequence[tuple[int, str]], path: str, separator: str, lenient: bool) -> None:
    """Check the layout of the first lines."""
    rows = [line.split(separator) for _, line in head if separator in line]
    number = next((number for number, line in head if separator in line), 1)
    check_columns(rows, path, number, separator)
    if not lenient:
        _check_quotes(rows, path, number)


def check_header(line: str, separator: str, languages: tuple[str, str], number: int) -> None:
    """Refuse a first line that names the columns.

    Args:
        line: the first line with two columns.
        separator: a tab or ``|||``.
        languages: of the sides.
        number: of the line, for errors.

    Raises:
        ItemError: ``header``.
    """
    names = [cell.strip().casefold() for cell in line.split(separator)[:3]]
    tags = {find_tag(name) for name in names if len(name) <= _LONGEST_NAME}
    known = len(set(names[:2])) == 2 and all(name in _COLUMN_NAMES for name in names)
    if known or set(map(find_tag, languages)) <= tags:
        message = f"the line is a header ({', '.join(map(repr, names))}), not a pair"
        raise ItemError("header", message, number, "remove it")


def check_columns(rows: Sequence[Sequence[str]], path: str, number: int, separator: str) -> None:
    """Refuse a file with numbers, such as scores or ids, in the columns from which text is read.

    Args:
        rows: columns of the first lines.
        path: the file.
        number: of the first line, for errors.
        separator: a tab or ``|||``.

    Raises:
        UserError: naming the column.
    """
    rows = rows[1:] if len(rows) > 1 and not any(map(_NUMBER.fullmatch, rows[0])) else rows  # without a header
    width = min(map(len, rows), default=0)
    numbers = [k for k in range(width) if all(_NUMBER.fullmatch(row[k]) for row in rows)]
    text = [k for k in range(width) if k not in numbers and all(_LETTER.search(row[k]) for row in rows)]
    bad = next((k for k in numbers if k < 2), None)
    if bad is None or len(text) < 2:
        return
    columns = [str(k + 1) for k in text]
    cut = f"cut -f{','.join(columns)} {path} > NEW" if separator == _TAB and len(columns) == 2 else ""
    raise UserError(
        f"column {bad + 1} holds numbers, such as scores; the text is in columns {' and '.join(columns)}",
        where=file_location(path, number),
        hint=f"give a file with the two columns of the text{f': {cut}' if cut else ''}",
    )


def _check_quotes(rows: Sequence[Sequence[str]], path: str, number: int) -> None:
    """Refuse a file with quoted fields, as CSV writers make them: quotes around every field, or ``""`` inside."""
    cells = [row[:2] for row in rows]
    quoted = [[_QUOTED.fullmatch(cell) is not None for cell in row] for row in cells]
    doubled = any(
        is_quoted and '""' in cell.strip()[1:-1] and _LETTER.search(cell)
        for row, flags in zip(cells, quoted, strict=True)
        for cell, is_quoted in zip(row, flags, strict=True)
    )
    if doubled or (len(rows) > 2 and all(map(all, quoted))):
        hint = "write the columns without quotes, or read the quotes as part of the text with --lenient"
        raise UserError("the fields are in quotes, as in CSV", where=file_location(path, number), hint=hint)


def check_tsv_text(source: str, target: str, line: int, hint: str) -> None:
    """Refuse a pair that a TSV file cannot have.

    Args:
        source, target: normalized texts, which contain no tab.
        line: of the pair in its file, for the error.
        hint: another format.

    Raises:
        ItemError: ``two separators``, for a text with ``|||``, which the reader would take for a second separator;
            ``line too long``.
    """
    for text in (source, target):
        if BARS in text:
            message = f"{text!r:.60} contains {BARS}, which a TSV file cannot have"
            raise ItemError("two separators", message, line, hint)
    check_length(f"{source}\t{target}", line, hint)


def check_tsv_head(lines: Sequence[str], languages: tuple[str, str], hint: str) -> None:
    """Refuse pairs of which a TSV file could not be read: the first names columns, or all fields are in quotes.

    Args:
        lines: the first ``HEAD_LINES`` lines of the file.
        languages: of the columns.
        hint: what to do instead.

    Raises:
        UserError: with the reason for which the reader would refuse the file.
    """
    numbered = enumerate(dropwhile(lambda line: not line.strip(), lines), 1)  # blank lines are read without a check
    try:
        for _ in read_tabs(numbered, "", languages, lenient=False, dropped=Counter()):
            pass
    except UserError as error:
        raise UserError(f"a TSV file of these pairs cannot be read: {error.message}", hint=hint) from None


def to_tsv_lines(pairs: Iterable[tuple[str, str]], languages: tuple[str, str]) -> Iterator[str]:
    """Yield the lines of a TSV file of pairs that :func:`check_tsv_text` accepts.

    Raises:
        UserError: before the first line; see :func:`check_tsv_head`.
    """
    lines = (f"{source}\t{target}" for source, target in pairs)
    head = list(islice(lines, HEAD_LINES))
    check_tsv_head(head, languages, "write x.jsonl, x.tmx, or two files x.en,x.de")
    yield from head
    yield from lines
