"""Dictionaries in the format of dictd, as FreeDict distributes them: an index and a text."""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from paralign.errors import UserError, file_location
from paralign.formats.ding import split_words
from paralign.formats.item_errors import ItemError, raise_or_drop
from paralign.formats.lines import read_lines
from paralign.formats.streams import DamagedStream, decompressed_blocks, open_input
from paralign.text.normalization import normalize

__all__ = ["dictd_files", "read_dictd"]

_DIGITS = {digit: k for k, digit in enumerate(string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/")}
_SENSE = re.compile(r"\d+\. +(.*)")
_SENSE_END = re.compile(r"\s*(?:(?<!\d)\d{1,2}\.|::)\s*$")
"""The number of the next sense, or a separator, that the conversion of some dictionaries left at the end of a sense."""
_HEADWORD = re.compile(r"(.*?) *(?:/.*|<[^<>]*>)?")


def dictd_files(path: str) -> tuple[Path, Path] | None:
    """Return index and text of a dictionary, from the name of either or the name that both share.

    Returns:
        ``None`` if the path is not such a dictionary.

    Raises:
        UserError: if one of the two files is missing.
    """
    stem = re.sub(r"\.(?:index|dict(?:\.dz)?)$", "", path)
    index = Path(stem + ".index")
    if path == "-" or (stem == path and not index.is_file()):
        return None
    text = next((Path(stem + end) for end in (".dict.dz", ".dict") if Path(stem + end).is_file()), None)
    if path.endswith(".dict") and text is not None and not index.is_file():
        return None  # a dictionary in columns with that name
    if text is None or not index.is_file():
        missing = index if text is not None else f"{stem}.dict.dz"
        message = "a dictionary for dictd has two files, .index and .dict.dz"
        raise UserError(message, where=missing, hint="download both")
    return index, text


def read_dictd(index: Path, text: Path, *, lenient: bool, dropped: Counter[str]) -> Iterator[tuple[int, str, str]]:
    """Read FreeDict's entries: the word and its pronunciation, then numbered senses, or one line of translations.
    Examples and explanations are left out.

    Args:
        index, text: the two files; the text is held in memory.
        lenient: drop malformed lines of the index instead of raising.
        dropped: counts them: ``wrong columns``.

    Yields:
        Line of the index, word, translation.

    Raises:
        UserError: with ``file:line``, for a malformed index, or one that points beyond the text.
    """
    try:
        with open_input(str(text)) as stream:
            body = b"".join(decompressed_blocks(stream, str(text)))
    except DamagedStream as error:
        raise UserError(str(error), where=text, hint="download the file again") from None
    entries: set[tuple[int, int]] = set()
    for number, line in read_lines(index, lenient=lenient, dropped=dropped):
        cells = line.split("\t")
        if not line.strip() or cells[0].startswith(("00database", "00-database")):
            continue
        try:
            begin, size = (_parse_number(cell) for cell in cells[1:3])
            if begin + size > len(body):
                raise ValueError
        except ValueError:
            message = "not a word with its position in the text of the dictionary"
            raise_or_drop(ItemError("wrong columns", message, number), index, "line", lenient=lenient, dropped=dropped)
            continue
        if (begin, size) in entries:  # the same entry under another spelling
            continue
        entries.add((begin, size))
        try:
            entry = body[begin : begin + size].decode()
        except UnicodeDecodeError:
            where = file_location(index, number)
            raise UserError("the entry is not UTF-8", where=where, hint="download both files again") from None
        head, *rest = entry.split("\n")
        match = _HEADWORD.fullmatch(head.strip())
        word = normalize(match[1]) if match else ""
        senses = [sense[1] for row in rest if (sense := _SENSE.fullmatch(row))] or rest[:1]
        if word:
            yield from (
                (number, word, other)
                for sense in senses
                for other in split_words(_without_stress(_SENSE_END.sub("", sense)), ",;")
            )


def _without_stress(text: str) -> str:
    """Return a text without the stress marks that dictionaries put on Cyrillic vowels."""
    out: list[str] = []
    for character in unicodedata.normalize("NFD", text):
        if character in "\u0300\u0301" and out and "\u0400" <= out[-1] <= "\u04ff":
            continue
        out.append(character)
    return unicodedata.normalize("NFC", "".join(out))


def _parse_number(digits: str) -> int:
    """Return the value of one of dictd's numbers: base 64, the highest digit first."""
    if not digits:
        raise ValueError
    value = 0
    for digit in digits:
        if digit not in _DIGITS:
            raise ValueError
        value = value * 64 + _DIGITS[digit]
    return value
