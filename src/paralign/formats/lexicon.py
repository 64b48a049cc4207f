"""Bilingual lexicons: the format of the MUSE dictionaries, TSV, Ding, FreeDict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from paralign.formats.dictd import dictd_files, read_dictd
from paralign.formats.ding import is_ding_line, read_ding
from paralign.formats.item_errors import ItemError, no_items_error, raise_or_drop
from paralign.formats.lines import read_lines
from paralign.text.normalization import normalize

__all__ = ["read_lexicon"]


def read_lexicon(
    path: str | Path, *, lenient: bool = False, dropped: Counter[str] | None = None
) -> list[tuple[str, str]]:
    """Read a lexicon.

    One pair per line: the word, a tab or spaces, its translation (Conneau et al. 2018). A word with several
    translations has several lines, entries of more than one word need the tab, and a third column may contain a count
    (as in the dictionaries of ``analyze embeddings``). Or Ding's ``Haus {n} :: house``, or a dictionary for dictd
    (FreeDict): ``NAME.index`` and ``NAME.dict.dz``, named by either file. Both sides are normalized, and case is kept.
    Blank lines are skipped.

    Args:
        path: the file, or ``-``.
        lenient: drop malformed lines instead of raising.
        dropped: counts what was dropped: the reasons of ``read_lines``, ``wrong columns``, ``empty side``, and always
            ``duplicate``, for a pair that occurs again.

    Returns:
        The pairs in the order of the file, each once.

    Raises:
        UserError: with ``file:line``.
    """
    count: Counter[str] = Counter() if dropped is None else dropped
    pairs: dict[tuple[str, str], None] = {}
    for _, first, second in _read_entries(path, lenient, count):
        if (first, second) in pairs:
            count["duplicate"] += 1
        pairs[first, second] = None
    if not pairs:
        raise no_items_error(path, "pair of words", count)
    return list(pairs)


def _read_entries(path: str | Path, lenient: bool, dropped: Counter[str]) -> Iterator[tuple[int, str, str]]:
    files = dictd_files(str(path))
    if files is not None:
        return read_dictd(*files, lenient=lenient, dropped=dropped)
    lines = iter(read_lines(path, lenient=lenient, dropped=dropped))
    head: list[tuple[int, str]] = []
    for row in lines:
        head.append(row)
        if row[1].strip() and not row[1].startswith("#"):
            break
    read = read_ding if head and is_ding_line(head[-1][1]) else _read_columns
    return read(chain(head, lines), path, lenient=lenient, dropped=dropped)


def _read_columns(
    lines: Iterable[tuple[int, str]], path: str | Path, *, lenient: bool, dropped: Counter[str]
) -> Iterator[tuple[int, str, str]]:
    for number, line in lines:
        if not line.strip():
            continue
        try:
            yield number, *_split_columns(line, number)
        except ItemError as error:
            raise_or_drop(error, path, "line", lenient=lenient, dropped=dropped)


def _split_columns(line: str, number: int) -> tuple[str, str]:
    tabs = "\t" in line
    # Not split(): a no-break space is part of a word.
    cells = line.split("\t") if tabs else [cell for cell in line.split(" ") if cell]
    if tabs and len(cells) == 3 and cells[2].strip().isdecimal():  # the number of links
        cells = cells[:2]
    if len(cells) != 2:
        hint = None if tabs else "put a tab between entries of more than one word"
        message = f"{len(cells)} {'columns' if tabs else 'words without a tab'}, not 2"
        raise ItemError("wrong columns", message, number, hint)
    first, second = map(normalize, cells)
    if not first or not second:
        raise ItemError("empty side", f"the {'second' if first else 'first'} side is empty", number)
    return first, second
