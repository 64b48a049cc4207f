"""Pairs as JSON, an object a line: exports of the Hugging Face hub and plain keys."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from paralign.formats.item_errors import ItemError, raise_or_drop
from paralign.text.language_tags import find_tag

__all__ = ["TranslationFields", "read_records", "to_json_lines"]


class TranslationFields:
    """Finds the texts of two languages in an object: ``{"translation": {"en": ..., "de": ...}}``, or the languages (or
    ``source`` and ``target``) as keys of the object itself.

    Args:
        languages: canonical tags.
    """

    def __init__(self, languages: tuple[str, str]) -> None:
        self.languages = languages

    def texts(self, record: Any, line: int | None = None) -> tuple[str, str]:
        """Both texts; ``None`` is an empty one.

        Raises:
            Fault: if they are not there, or are no texts.
        """
        if not isinstance(record, Mapping):
            raise ItemError("not JSON", "no JSON object", line)
        inner = record.get("translation", record)
        if not isinstance(inner, Mapping):
            raise ItemError("missing language", "'translation' is no object of languages", line)
        known = {find_tag(key): value for key, value in reversed(list(inner.items()))}
        if not set(self.languages) <= set(known) and {"source", "target"} <= set(inner):
            known = dict(zip(self.languages, (inner["source"], inner["target"]), strict=True))
        missing = next((tag for tag in self.languages if tag not in known), None)
        if missing is not None:
            keys = ", ".join(map(repr, list(inner)[:8]))
            raise ItemError("missing language", f"no key for {missing} among {keys or 'none'}", line)
        found = ["" if known[tag] is None else known[tag] for tag in self.languages]
        if not all(isinstance(text, str) for text in found):
            raise ItemError("not JSON", "a text is not a string", line)
        return found[0], found[1]


def read_records(
    lines: Iterable[tuple[int, str]], path: str, languages: tuple[str, str], *, lenient: bool, dropped: Counter[str]
) -> Iterator[tuple[int, str, str]]:
    """Line, and both texts. Blank lines are skipped; reasons: ``not JSON``, ``missing language``."""
    columns = TranslationFields(languages)
    for number, line in lines:
        if not line.strip():
            continue
        try:
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                raise ItemError("not JSON", "the line is not JSON", number) from None
            yield number, *columns.texts(record, number)
        except ItemError as fault:
            raise_or_drop(fault, path, "line", lenient=lenient, dropped=dropped)


def to_json_lines(pairs: Iterable[tuple[str, str]], languages: tuple[str, str]) -> Iterator[str]:
    """One object a line, as the hub writes translations."""
    for texts in pairs:
        yield json.dumps({"translation": dict(zip(languages, texts, strict=True))}, ensure_ascii=False)
