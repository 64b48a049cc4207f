"""Pairs from standard input, one line at a time, as another process writes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import IO

from paralign.errors import UserError
from paralign.formats.delimited import HEAD_LINES, check_columns, check_header, is_bars_line, is_tabs_line, split_sides
from paralign.formats.item_errors import ItemError, raise_or_drop
from paralign.formats.json_lines import is_json_line
from paralign.formats.lines import MAX_LINE, decode_lines, has_one_line, old_mac_error
from paralign.formats.streams import check_plain
from paralign.text.normalization import normalize, normalize_tokens

__all__ = ["texts_of_lines"]

_READ = 1 << 18
"""Bytes that are read at a time."""
_NO_STREAM = "or name a file for --out"
"""Hint for a format that is not read line by line."""


def texts_of_lines(
    stdin: IO[bytes],
    languages: tuple[str, str],
    tokenized: bool,
    lenient: bool,
    dropped: Counter[str],
    limit: int | None,
) -> Iterator[list[str]]:
    """Yield the texts of the complete lines of standard input, source and target in turn, as soon as they can be read.

    Both are empty for a blank line and for one that was dropped.

    Args:
        stdin: standard input.
        languages: source and target, for the check of a header.
        tokenized: whether words are separated by spaces.
        lenient: drop and count lines that cannot be read instead of raising.
        dropped: number of dropped lines by reason, increased here.
        limit: maximum number of lines. None: all.

    Raises:
        UserError: for lines that cannot be read, and other formats than TSV and ``source ||| target``.
    """
    normal = normalize_tokens if tokenized else normalize
    count, rest, more = 0, b"", True
    separator = None
    while more and count != limit:
        block = stdin.read1(_READ)  # type: ignore[attr-defined]
        more = bool(block)
        data = rest + block
        if not count:
            check_plain(data, "-", f"decompress it first, as in zcat FILE | paralign words ..., {_NO_STREAM}")
        end = data.rfind(b"\n") + 1 if more else len(data)
        rest = data[end:][: MAX_LINE + 2]  # a line that is too long stays too long when it is cut
        if not end:
            continue
        if not count and not more and has_one_line(data):
            raise old_mac_error("-")
        texts: list[str] = []
        lines = decode_lines(data[:end].removesuffix(b"\n"), "-", count, lenient, dropped)
        for number, line in islice(lines, None if limit is None else limit - count):
            sides = ("", "")
            try:
                if separator is None and line is not None and (separator := _separator_of(line)):
                    check_header(line, separator, languages, number)
                    head = data[:end].decode(errors="replace").split("\n")[:HEAD_LINES]
                    rows = [row.split(separator) for row in head if separator in row]
                    if len(rows) > 1 or not more:  # one line says little
                        check_columns(rows, "-", number, separator)
                if line is not None:
                    sides = split_sides(line, separator or "\t", number)
            except ItemError as error:
                raise_or_drop(error, "-", "line", lenient=lenient, dropped=dropped)
            texts += map(normal, sides)
            count = number
        yield texts


def _separator_of(line: str) -> str | None:
    """Return what separates source and target; ``None`` for a line with neither a tab nor ``|||``.

    Raises:
        UserError: for JSON.
    """
    if is_tabs_line(line):
        return "\t"
    if is_json_line(line):
        hint = f"convert it with paralign corpus convert, {_NO_STREAM}"
        raise UserError("JSON lines are not read line by line from standard input", hint=hint)
    return "|||" if is_bars_line(line) else None
