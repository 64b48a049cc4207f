"""Labeled sentence pairs: natural language inference and paraphrase, in the formats they are published in."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from paralign.errors import UserError, file_location
from paralign.formats.item_errors import ItemError, no_items_error, raise_or_drop
from paralign.formats.items import SentencePair
from paralign.formats.lines import numbered_lines
from paralign.text.normalization import normalize
from paralign.text.language_tags import find_tag

__all__ = ["read_sentence_pair_file"]

_FIRST = ("sentence1", "premise")
_SECOND = ("sentence2", "hypothesis", "hypo")
_LABEL = ("gold_label", "label")
_ID = ("pairid", "id", "idx")
_INFERENCE = ("entailment", "neutral", "contradiction")
# The label of a pair its annotators did not agree on: SNLI's and MultiNLI's, and that of their exports with numbers.
_NO_MAJORITY = ("-", "-1")

Row = Mapping[str, str]
"""Known columns only, by the first of their names; what is missing is not there."""


def read_sentence_pair_file(
    path: str, language: str, *, lenient: bool = False, dropped: Counter[str] | None = None, labeled: bool = True
) -> Iterator[SentencePair]:
    """Read sentence pairs in a stream: TSV of three columns, TSV with a header, or JSON lines.

    The format is seen from the first line. Names of columns or keys: ``sentence1`` or ``premise``; ``sentence2``,
    ``hypothesis`` or ``hypo``; ``gold_label``, else ``label``; ``pairID``, ``id`` or ``idx``; ``language``. Sentences
    are brought to normal form. In a file of several languages only the pairs of ``language`` are read.

    Labels are ``entailment``, ``neutral``, ``contradiction`` (``contradictory`` is the same) or ``0``, ``1``
    (paraphrase). Under the name ``premise`` the numbers 0, 1, 2 are the three of inference, in this order. A pair
    without a majority (``-``, in exports -1) is never an error: it is dropped as ``no gold label``.

    Args:
        path: the file, plain or compressed, or ``-``.
        language: canonical tag.
        lenient: drop lines that are not well-formed instead of raising.
        dropped: counts what was dropped: the reasons of ``read_lines``, ``wrong columns``, ``not JSON``,
            ``missing sentence``, ``missing label``, ``unknown label``, ``no gold label``.
        labeled: with ``False`` no pair is refused or dropped for its label: one that is missing, unknown or
            without a majority is empty.

    Raises:
        UserError: with ``file:line``; for a file without a pair of the language, with the languages it has.
    """
    return _read(path, language, lenient, Counter() if dropped is None else dropped, labeled)


def _read(path: str, wanted: str, lenient: bool, dropped: Counter[str], labeled: bool) -> Iterator[SentencePair]:
    form: _Form | None = None
    others: set[str] = set()
    known: dict[str, str] = {}
    task: list[str] = []
    number, found = 0, False
    for at, line in numbered_lines(path, lenient=lenient, dropped=dropped):
        if line is None:
            number += 1  # the lines behind keep their numbers: translations are joined by them
            continue
        if not line:
            continue
        if form is None:
            form = _form(line, file_location(path, at), labeled)
            if form.header:
                continue
        number += 1
        try:
            row = form.row(line)
            language = row.get("language")
            if language is not None:
                if language not in known:
                    known[language] = find_tag(language) or language
                if known[language] != wanted:
                    others.add(known[language])
                    continue
            pair = _pair(row, form, number - 1, at, labeled, task)
        except ItemError as fault:
            if fault.reason == "no gold label":
                dropped[fault.reason] += 1
                continue
            fault.line = at
            raise_or_drop(fault, path, "line", lenient=lenient, dropped=dropped)
            continue
        found = True
        yield pair
    if not found and others:
        hint = f"name one of the languages it has: {', '.join(sorted(others))}"
        raise UserError(f"no sentence pair of the language {wanted!r}", where=path, hint=hint)
    if not found:
        raise no_items_error(path, "sentence pair", dropped)


class _Form:
    """How a line of the file is read.

    Args:
        columns: what each column of a TSV is, empty for JSONL; unknown columns are "".
        header: whether the first line named them.
        optional: how many columns may be missing at the end.
    """

    def __init__(self, columns: Sequence[str] = (), *, header: bool = False, optional: int = 0) -> None:
        self.columns, self.header, self.least = columns, header, len(columns) - optional

    def row(self, line: str) -> Row:
        if not self.columns:
            return _object(line)
        cells = line.split("\t")
        if not self.least <= len(cells) <= len(self.columns):
            message = f"{len(cells)} columns, not {len(self.columns)} (columns are separated by tabs)"
            raise ItemError("wrong columns", message)
        return {name: cell for name, cell in zip(self.columns, cells, strict=False) if name}


def _form(line: str, where: str, labeled: bool) -> _Form:
    if "\t" not in line:
        if line.lstrip().startswith("{"):
            return _Form()
        hint = "give TSV with the columns sentence, sentence, label, or one JSON object a line"
        raise UserError("neither TSV nor JSONL: the line has no tab and is no object", where=where, hint=hint)
    cells = [cell.strip() for cell in line.split("\t")]
    names = {cell.lower(): cell for cell in cells}
    if not any(name in names for name in _FIRST) or not any(name in names for name in _SECOND):
        if len(cells) != 3 and (labeled or len(cells) != 2):
            hint = "give sentence, sentence, label, or a header that names the columns (sentence1, sentence2, label)"
            raise UserError(f"{len(cells)} columns without a header, not 3", where=where, hint=hint)
        return _Form(("sentence1", "sentence2", "gold_label")[: len(cells)], optional=0 if labeled else len(cells) - 2)
    known = _names(names)
    if labeled and "gold_label" not in known:
        raise UserError("the header names no column 'label' or 'gold_label'", where=where, hint="add the labels")
    back = {column: name for name, column in known.items()}
    columns = [back.get(cell, "") for cell in cells]
    # SNLI's and MultiNLI's last columns, label1 to label5, are not filled in every line.
    optional = 0
    while cells[-1 - optional].lower().rstrip("12345") == "label" and not columns[-1 - optional]:
        optional += 1
    return _Form(columns, header=True, optional=optional)


def _names(given: Mapping[str, str]) -> dict[str, str]:
    """Our name of each known column → its name in the file; ``given`` maps lower case to the file's spelling."""
    found = {}
    for names in (_FIRST, _SECOND, _LABEL, _ID, ("language",)):
        name = next((name for name in names if name in given), None)
        if name is not None:
            found["premise" if name == "premise" else names[0]] = given[name]
    return found


def _object(line: str) -> Row:
    try:
        item: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ItemError("not JSON", f"is not JSON: {error}") from None
    if not isinstance(item, dict):
        raise ItemError("not JSON", "is not a JSON object")
    row = {}
    for name, key in _names({key.lower(): key for key in item}).items():
        value = item[key]
        if isinstance(value, bool | float | list | dict):
            raise ItemError("not JSON", f"{key!r} is neither text nor a whole number: {value!r:.40}")
        if value is not None:
            row[name] = str(value)
    return row


def _pair(row: Row, form: _Form, number: int, line: int, labeled: bool, task: list[str]) -> SentencePair:
    first = normalize(row.get("premise", row.get("sentence1", "")))
    second = normalize(row.get("sentence2", ""))
    if not first or not second:
        raise ItemError("missing sentence", f"the {'second' if first else 'first'} sentence is missing or empty")
    if not (first + second).isascii():
        _check_encodable(first + second)
    try:
        label = _label(row, task)
    except ItemError:
        if labeled:
            raise
        label = ""
    return SentencePair(first, second, label, row.get("pairid", "").strip() or f"#{number}", line)


def _check_encodable(text: str) -> None:
    # JSON can spell half a surrogate pair, which no tokenizer takes.
    if any("\ud800" <= sign <= "\udfff" for sign in text):
        raise ItemError("not JSON", "half a surrogate pair (\\ud800 to \\udfff) in a sentence")


def _label(row: Row, task: list[str]) -> str:
    text = row.get("gold_label", "").strip()
    if text in _NO_MAJORITY:
        raise ItemError("no gold label", "the annotators did not agree")
    if not text or text == "hidden":
        raise ItemError("missing label", "the label is missing")
    label = {"contradictory": "contradiction"}.get(text.lower(), text.lower())
    if label in ("0", "1", "2") and "premise" in row:
        label = _INFERENCE[int(label)]
    if label not in _INFERENCE and label not in ("0", "1"):
        hint = "known: entailment, neutral, contradiction; 0 and 1; 0, 1, 2 under the names premise and hypothesis"
        raise ItemError("unknown label", f"unknown label {text!r}", hint=hint)
    # The first label says which task the file is of.
    if not task:
        task.extend(_INFERENCE if label in _INFERENCE else ("0", "1"))
    if label not in task:
        raise ItemError("unknown label", f"the label {text!r} in a file whose labels are {', '.join(task)}")
    return label
