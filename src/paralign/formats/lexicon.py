"""Bilingual lexicons: the MUSE dictionaries' format, TSV, Ding, FreeDict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from paralign.formats.ding import dictd_files, is_ding_line, read_dictd, read_ding
from paralign.formats.item_errors import ItemError, no_items_error, raise_or_drop
from paralign.formats.lines import read_lines
from paralign.text.normalization import normalize

__all__ = ["read_lexicon"]


def read_lexicon(
    path: str | Path, *, lenient: bool = False, dropped: Counter[str] | None = None
) -> list[tuple[str, str]]:
    """Read a lexicon.

    One pair a line: the word, a tab or spaces, its translation (Conneau et al. 2018); a word with several translations
    has several lines, entries of more than one word need the tab, and a third column may hold a count (as in the
    dictionaries of ``analyze embeddings``). Or Ding's ``Haus {n} :: house``, or a dictionary for dictd (FreeDict):
    ``NAME.index`` and ``NAME.dict.dz``, either of which may be named. Both sides are brought to normal form; case is
    left as it is. Blank lines are skipped.

    Args:
        path: the file, or ``-``.
        lenient: drop lines that are not well-formed instead of raising.
        dropped: counts what was dropped: the reasons of ``read_lines``, ``wrong columns``, ``empty side``, and always
            ``duplicate``, a pair that came before.

    Returns:
        the pairs in the order of the file, each once.

    Raises:
        UserError: with ``file:line``.
    """
    count: Counter[str] = Counter() if dropped is None else dropped
    pairs: dict[tuple[str, str], None] = {}
    for pair in _read(path, lenient, count):
        if pair in pairs:
            count["duplicate"] += 1
        pairs[pair] = None
    if not pairs:
        raise no_items_error(path, "pair of words", count)
    return list(pairs)


def _read(path: str | Path, lenient: bool, dropped: Counter[str]) -> Iterator[tuple[str, str]]:
    files = dictd_files(str(path))
    if files is not None:
        yield from ((a, b) for _, a, b in read_dictd(*files, lenient=lenient, dropped=dropped))
        return
    lines = iter(read_lines(path, lenient=lenient, dropped=dropped))
    begin = []
    for row in lines:
        begin.append(row)
        if row[1].strip() and not row[1].startswith("#"):
            break
    if begin and is_ding_line(begin[-1][1]):
        rows = read_ding(chain(begin, lines), path, lenient=lenient, dropped=dropped)
        yield from ((a, b) for _, a, b in rows)
        return
    yield from _columns(chain(begin, lines), path, lenient, dropped)


def _columns(
    lines: Iterable[tuple[int, str]], path: str | Path, lenient: bool, dropped: Counter[str]
) -> Iterator[tuple[str, str]]:
    for number, line in lines:
        if not line.strip():
            continue
        try:
            yield _pair(line, number)
        except ItemError as fault:
            raise_or_drop(fault, path, "line", lenient=lenient, dropped=dropped)


def _pair(line: str, number: int) -> tuple[str, str]:
    tabs = "\t" in line
    cells = line.split("\t") if tabs else line.split()
    if tabs and len(cells) == 3 and cells[2].strip().isdecimal():  # how often they are linked
        cells = cells[:2]
    if len(cells) != 2:
        hint = None if tabs else "put a tab between entries of more than one word"
        message = f"{len(cells)} {'columns' if tabs else 'words without a tab'}, not 2"
        raise ItemError("wrong columns", message, number, hint)
    first, second = map(normalize, cells)
    if not first or not second:
        raise ItemError("empty side", f"the {'second' if first else 'first'} side is empty", number)
    return first, second
