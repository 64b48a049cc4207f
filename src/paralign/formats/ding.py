"""The dictionary format of Ding: ``Haus {n}; Gebäude {n} | Häuser {pl} :: house; building | houses``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from paralign.formats.item_errors import ItemError, raise_or_drop
from paralign.text.normalization import normalize

__all__ = ["is_ding_line", "read_ding", "split_words"]

_NOTE = re.compile(r"\{[^{}]*\}|\([^()]*\)|\[[^\[\]]*\]|<[^<>]*>")
_ABBREVIATION = re.compile(r"(?<![^\s;,])/(?!\s)[^/]*(?<!\s)/(?![^\s;,])")
"""``/ib./``, a word between slashes; the slashes of ``he/she/it`` are part of the word."""


def is_ding_line(line: str) -> bool:
    """Return whether a line is in Ding's format."""
    return " :: " in line


def read_ding(
    lines: Iterable[tuple[int, str]], path: str | Path, *, lenient: bool, dropped: Counter[str]
) -> Iterator[tuple[int, str, str]]:
    """Read Ding's lines. The groups between bars correspond: every word of a group is paired with every word of the
    group in the same position on the other side. Text in brackets, and abbreviations between slashes, are not part of a
    word.

    Args:
        lines: numbered lines.
        path: named in errors.
        lenient: drop malformed lines instead of raising.
        dropped: counts them: ``wrong columns``.

    Yields:
        Line, word, translation.

    Raises:
        UserError: with ``file:line``.
    """
    for number, line in lines:
        if line.startswith("#") or not line.strip():
            continue
        sides = line.split(" :: ")
        groups = [side.split("|") for side in sides]
        if len(sides) != 2 or len(groups[0]) != len(groups[1]):
            message = f"{len(sides)} sides, not 2" if len(sides) != 2 else "the sides differ in the number of groups"
            error = ItemError("wrong columns", message, number)
            raise_or_drop(error, path, "line", lenient=lenient, dropped=dropped)
            continue
        for first, second in zip(*groups, strict=True):
            yield from ((number, a, b) for a in split_words(first, ";") for b in split_words(second, ";"))


def split_words(text: str, separators: str) -> list[str]:
    """Return the distinct normalized words between separators, without notes in brackets and abbreviations."""
    before = None
    while before != text:  # brackets within brackets
        before, text = text, _NOTE.sub(" ", text)
    words = (normalize(part) for part in re.split(f"[{separators}]", _ABBREVIATION.sub(" ", text)))
    return list(dict.fromkeys(word for word in words if word))
