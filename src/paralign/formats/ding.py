"""Dictionaries for people, read as pairs of words: Ding's lines, and FreeDict's files for dictd."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from paralign.errors import UserError, file_location
from paralign.formats.item_errors import ItemError, raise_or_drop
from paralign.formats.lines import DamagedStream, open_input, decompressed_blocks, read_lines
from paralign.text.normalization import normalize

__all__ = ["dictd_files", "is_ding_line", "read_dictd", "read_ding"]

Pairs = Iterator[tuple[int, str, str]]
_NOTE = re.compile(r"\{[^{}]*\}|\([^()]*\)|\[[^\[\]]*\]|<[^<>]*>|/[^/]*/")
_DIGITS = {sign: k for k, sign in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")}
_SENSE = re.compile(r"\d+\. +(.*)")
_HEAD = re.compile(r"(.*?) *(?:/.*|<[^<>]*>)?")


def is_ding_line(line: str) -> bool:
    """Whether a line stands in Ding's format."""
    return " :: " in line


def read_ding(
    lines: Iterable[tuple[int, str]], path: str | Path, *, lenient: bool, dropped: Counter[str]
) -> Pairs:  # fmt: skip
    """``Haus {n}; Gebäude {n} | Häuser {pl} :: house; building | houses``: groups between bars belong together, every
    word of a group with every word of its twin; what stands in brackets is no part of a word.

    Yields:
        line, word, translation.
    """
    for number, line in lines:
        if line.startswith("#") or not line.strip():
            continue
        sides = line.split(" :: ")
        groups = [side.split("|") for side in sides]
        if len(sides) != 2 or len(groups[0]) != len(groups[1]):
            what = f"{len(sides)} sides, not 2" if len(sides) != 2 else "the sides have other numbers of groups"
            raise_or_drop(ItemError("wrong columns", what, number), path, "line", lenient=lenient, dropped=dropped)
            continue
        for first, second in zip(*groups, strict=True):
            yield from ((number, a, b) for a in _words(first, ";") for b in _words(second, ";"))


def dictd_files(path: str) -> tuple[Path, Path] | None:
    """Index and text of a dictionary for dictd, by the name of either or of both; ``None`` for other files."""
    stem = re.sub(r"\.(?:index|dict(?:\.dz)?)$", "", path)
    index = Path(stem + ".index")
    if path == "-" or (stem == path and not index.is_file()):
        return None
    text = next((Path(stem + end) for end in (".dict.dz", ".dict") if Path(stem + end).is_file()), None)
    if path.endswith(".dict") and text is not None and not index.is_file():
        return None  # a dictionary of columns by that name
    if text is None or not index.is_file():
        missing = index if text is not None else f"{stem}.dict.dz"
        raise UserError("a dictionary for dictd has two files, .index and .dict.dz", where=missing, hint="fetch both")
    return index, text


def read_dictd(index: Path, text: Path, *, lenient: bool, dropped: Counter[str]) -> Pairs:
    """FreeDict's entries: the word and its pronunciation, then numbered senses, or one line of translations; examples
    and explanations are left out.

    Yields:
        line of the index, word, translation.

    Raises:
        UserError: with ``file:line``, for an index that is none, or points beyond the text.
    """
    try:
        with open_input(str(text)) as stream:
            body = b"".join(decompressed_blocks(stream, str(text)))
    except DamagedStream as error:
        raise UserError(str(error), where=text, hint="fetch the file again") from None
    seen: set[tuple[int, int]] = set()
    for number, line in read_lines(index, lenient=lenient, dropped=dropped):
        cells = line.split("\t")
        if not line.strip() or cells[0].startswith(("00database", "00-database")):
            continue
        try:
            begin, size = (_number(cell) for cell in cells[1:3])
            if begin + size > len(body):
                raise ValueError
        except ValueError:
            fault = ItemError("wrong columns", "no word with its place in the dictionary's text", number)
            raise_or_drop(fault, index, "line", lenient=lenient, dropped=dropped)
            continue
        if (begin, size) in seen:  # the same entry under another spelling
            continue
        seen.add((begin, size))
        try:
            entry = body[begin : begin + size].decode()
        except UnicodeDecodeError:
            raise UserError("the entry is no UTF-8", where=file_location(index, number), hint="fetch both files") from None
        head, *rest = entry.split("\n")
        match = _HEAD.fullmatch(head.strip())
        word = normalize(match[1]) if match else ""
        senses = [found[1] for row in rest if (found := _SENSE.fullmatch(row))] or rest[:1]
        if word:
            yield from ((number, word, other) for sense in senses for other in _words(_unstressed(sense), ",;"))


def _words(text: str, between: str) -> list[str]:
    before = None
    while before != text:  # brackets within brackets
        before, text = text, _NOTE.sub(" ", text)
    found = (normalize(part) for part in re.split(f"[{between}]", text))
    return list(dict.fromkeys(word for word in found if word))


def _unstressed(text: str) -> str:
    """Without the marks of stress that dictionaries put on Cyrillic vowels."""
    out: list[str] = []
    for sign in unicodedata.normalize("NFD", text):
        if sign in "\u0300\u0301" and out and "\u0400" <= out[-1] <= "\u04ff":
            continue
        out.append(sign)
    return unicodedata.normalize("NFC", "".join(out))


def _number(digits: str) -> int:
    """dictd's numbers: base 64, the highest digit first."""
    if not digits:
        raise ValueError
    value = 0
    for digit in digits:
        if digit not in _DIGITS:
            raise ValueError
        value = value * 64 + _DIGITS[digit]
    return value
