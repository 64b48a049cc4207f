"""Pairs as JSON lines, one object per line: exports of the Hugging Face hub, or the languages as keys."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from paralign.formats.item_errors import ItemError, check_surrogates, raise_or_drop
from paralign.text.language_tags import best_variant, find_tag

__all__ = ["is_json_line", "language_keys", "read_json_lines", "row_number_hint", "to_json_lines", "translation_texts"]

_OBJECT = re.compile(r'\{\s*"')
_ROW_NUMBERS = {"id": "ind", "no": "nob"}
"""Keys of the number of a row that are tags of languages too, and other tags of these languages."""


def is_json_line(line: str) -> bool:
    """Return whether a line begins a JSON object."""
    return _OBJECT.match(line) is not None


def translation_texts(record: Any, languages: tuple[str, str], line: int | None = None) -> tuple[str, str]:
    """Return the texts of two languages in an object; ``null`` is an empty text.

    The object is ``{"translation": {"en": ..., "de": ...}}``, or has the languages (or ``source`` and ``target``) as
    keys itself, see :func:`language_keys`.

    Args:
        record: the object.
        languages: tags; a script or region chooses among several variants, of which one with text is preferred.
        line: line or row for the error.

    Raises:
        ItemError: if a text is missing, not a string, or has half of a surrogate pair.

    >>> translation_texts({"de": "Hallo", "eng": "Hello"}, ("en", "de"))
    ('Hello', 'Hallo')
    """
    if not isinstance(record, Mapping):
        raise ItemError("not JSON", "not a JSON object", line)
    fields = record.get("translation", record)
    if not isinstance(fields, Mapping):
        raise ItemError("missing language", "'translation' is not an object with languages as keys", line)
    names = tuple(fields) if fields is not record else language_keys(fields)
    keys = [_best_key(fields, names, tag) for tag in languages]
    if None in keys and {"source", "target"} <= set(fields):
        keys = ["source", "target"]
    if None in keys:
        shown = ", ".join(map(repr, list(fields)[:8])) or "none"
        missing = f"for {languages[keys.index(None)]}"
        if keys == [None, None] and len(half := {"source", "target"} - set(fields)) == 1:
            missing = repr(half.pop())
        message = f"no key {missing} among {shown}"
        raise ItemError("missing language", message, line, row_number_hint(fields, languages))
    texts = ["" if fields[key] is None else fields[key] for key in keys]
    if not all(isinstance(text, str) for text in texts):
        raise ItemError("not JSON", "a text is not a string", line)
    for tag, text in zip(languages, texts, strict=True):
        check_surrogates(text, f"the text in {tag}", line)
    return texts[0], texts[1]


def language_keys(fields: Iterable[str]) -> tuple[str, ...]:
    """Return the keys of an object that can name languages.

    These are all but ``id`` and ``no`` next to another key of the same language, or to a key that names no language:
    then they are the number of the row.
    """
    return _language_keys(tuple(fields))


@lru_cache(maxsize=4096)
def _language_keys(fields: tuple[str, ...]) -> tuple[str, ...]:
    others = [find_tag(key) for key in fields if key.lower() not in _ROW_NUMBERS]
    return tuple(k for k in fields if k.lower() not in _ROW_NUMBERS or (all(others) and find_tag(k) not in others))


def row_number_hint(fields: Iterable[str], languages: Iterable[str]) -> str | None:
    """Return a hint if a missing language may be a key that :func:`language_keys` does not return."""
    for key in fields:
        other = _ROW_NUMBERS.get(key.lower())
        if other and any(best_variant([key], language) is not None for language in languages):
            return f"if {key!r} is a text and not the number of the row, rename it to {other!r}"
    return None


def _best_key(fields: Mapping[str, Any], names: Sequence[str], language: str) -> str | None:
    """Return the key of a language: one with a text if there are several, then the variant asked for."""
    for keys in ([name for name in names if fields[name]], names):
        place = best_variant(keys, language)
        if place is not None:
            return keys[place]
    return None


def read_json_lines(
    lines: Iterable[tuple[int, str]], path: str, languages: tuple[str, str], *, lenient: bool, dropped: Counter[str]
) -> Iterator[tuple[int, str, str]]:
    """Read one object per line (:func:`translation_texts`); a blank line is an empty pair.

    Args:
        lines: numbered lines.
        path: named in errors.
        languages: as in :func:`translation_texts`.
        lenient: drop malformed lines instead of raising.
        dropped: counts them: ``not JSON``, ``missing language``, ``lone surrogate``.

    Yields:
        Line, source, target.

    Raises:
        UserError: with ``file:line``.
    """
    for number, line in lines:
        if not line.strip():
            yield number, "", ""
            continue
        try:
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                raise ItemError("not JSON", "the line is not JSON", number) from None
            yield number, *translation_texts(record, languages, number)
        except ItemError as error:
            raise_or_drop(error, path, "line", lenient=lenient, dropped=dropped)


def to_json_lines(pairs: Iterable[tuple[str, str]], languages: tuple[str, str]) -> Iterator[str]:
    """Yield one object per line, in the hub's form of translations."""
    for texts in pairs:
        yield json.dumps({"translation": dict(zip(languages, texts, strict=True))}, ensure_ascii=False)
