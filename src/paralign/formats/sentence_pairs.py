"""Labeled sentence pairs: natural language inference and paraphrase identification, in TSV and JSON lines."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from paralign.errors import UserError, file_location
from paralign.formats.item_errors import ItemError, check_surrogates, no_items_error, raise_or_drop
from paralign.formats.items import SentencePair
from paralign.formats.lines import numbered_lines
from paralign.text.language_tags import find_tag
from paralign.text.normalization import normalize

__all__ = ["read_sentence_pair_file"]

_FIRST = ("sentence1", "premise")
_SECOND = ("sentence2", "hypothesis", "hypo")
_LABEL = ("gold_label", "label")
_ID = ("pairid", "id", "idx")
_INFERENCE = ("entailment", "neutral", "contradiction")
# The label of a pair without agreement of the annotators, in SNLI, MultiNLI and their exports with numbers.
_NO_MAJORITY = ("-", "-1")

_NUMBERED = re.compile("([a-z]+)_?([12])|([a-z]+)_([ab])")
"""Names of columns with a number or letter: ``question1``, ``text_b``."""

Row = Mapping[str, str]
"""Values of the recognized columns; missing columns are absent."""


def read_sentence_pair_file(
    path: str, language: str, *, lenient: bool, dropped: Counter[str], labeled: bool
) -> Iterator[SentencePair]:
    """Read sentence pairs in a stream: TSV with three columns, TSV with a header, or JSON lines.

    The format is detected from the first line. Names of columns or keys: ``sentence1`` or ``premise``; ``sentence2``,
    ``hypothesis`` or ``hypo``; ``gold_label``, otherwise ``label``; ``pairID``, ``id`` or ``idx``; ``language``.
    Sentences are normalized. From a file of several languages only the pairs of ``language`` are read.

    Labels are ``entailment``, ``neutral``, ``contradiction`` (or ``contradictory``), or ``0`` and ``1`` (paraphrase).
    In a file with a column ``premise``, the numbers 0, 1, 2 are the three labels of inference, in this order. A pair
    without a majority label (``-``, in exports -1) is never an error: it is dropped as ``no gold label``.

    Args:
        path: the file, plain or compressed, or ``-``.
        language: canonical tag.
        lenient: drop malformed lines instead of raising.
        dropped: counts what was dropped: the reasons of ``read_lines``, ``wrong columns``, ``not JSON``,
            ``lone surrogate``, ``missing sentence``, ``missing label``, ``unknown label``, ``no gold label``.
        labeled: whether labels are required; with ``False``, a label that is missing, unknown or without a majority is
            empty.

    Raises:
        UserError: with ``file:line``; for a file without a pair of the language, with the languages it has.
    """
    layout: _Layout | None = None
    other_languages: set[str] = set()
    labels: list[str] = []
    index, empty = -1, True
    for number, line in numbered_lines(path, lenient=lenient, dropped=dropped):
        if line is None:
            index += 1  # the following pairs keep their numbers, by which translations are joined
            continue
        if not line:
            continue
        if layout is None:
            layout = _detect_layout(line, file_location(path, number), labeled)
            if layout.header:
                continue
        index += 1
        try:
            row = layout.row(line)
            name = row.get("language")
            if name is not None and (find_tag(name) or name) != language:
                other_languages.add(find_tag(name) or name)
                continue
            pair = _pair(row, index, number, labeled, labels)
        except ItemError as error:
            if error.reason == "no gold label":
                dropped[error.reason] += 1
                continue
            error.line = number
            raise_or_drop(error, path, "line", lenient=lenient, dropped=dropped)
            continue
        empty = False
        yield pair
    if empty and other_languages:
        hint = f"the file has: {', '.join(sorted(other_languages))}"
        raise UserError(f"no sentence pair of the language {language!r}", where=path, hint=hint)
    if empty:
        raise no_items_error(path, "sentence pair", dropped)


class _Layout:
    """How the lines of a file are split.

    Args:
        columns: the name of each column of a TSV file, "" for unknown columns; no columns for JSON lines.
        header: whether the first line contains the names.
        optional: how many columns may be missing at the end.
    """

    def __init__(self, columns: Sequence[str] = (), *, header: bool = False, optional: int = 0) -> None:
        self.columns, self.header, self.required = columns, header, len(columns) - optional

    def row(self, line: str) -> Row:
        if not self.columns:
            return _parse_object(line)
        cells = line.split("\t")
        if not self.required <= len(cells) <= len(self.columns):
            message = f"{len(cells)} columns, not {len(self.columns)} (columns are separated by tabs)"
            raise ItemError("wrong columns", message)
        return {name: cell for name, cell in zip(self.columns, cells, strict=False) if name}


def _detect_layout(line: str, where: str, labeled: bool) -> _Layout:
    if "\t" not in line:
        if line.lstrip().startswith("{"):
            return _Layout()
        hint = "give TSV with the columns sentence, sentence, label, or one JSON object per line"
        raise UserError("neither TSV nor JSON lines: the line has no tab and is not an object", where=where, hint=hint)
    cells = [cell.strip() for cell in line.split("\t")]
    names = {cell.lower(): cell for cell in cells}
    if not any(name in names for name in _FIRST) or not any(name in names for name in _SECOND):
        if len(cells) != 3 and (labeled or len(cells) != 2):
            hint = "give sentence, sentence, label, or a header that names the columns (sentence1, sentence2, label)"
            raise UserError(f"{len(cells)} columns without a header, not 3", where=where, hint=hint)
        if _names_columns(list(names)):
            hint = (
                "name the columns sentence1, sentence2 and label, or premise, hypothesis and label; or remove the line"
            )
            shown = ", ".join(map(repr, cells))
            raise UserError(f"the line is a header with unknown names of columns: {shown}", where=where, hint=hint)
        columns = ("sentence1", "sentence2", "gold_label")[: len(cells)]
        return _Layout(columns, optional=0 if labeled else len(cells) - 2)
    recognized = _recognized_names(names)
    if labeled and "gold_label" not in recognized:
        raise UserError("the header has no column 'label' or 'gold_label'", where=where, hint="add the labels")
    names_of_columns = {column: name for name, column in recognized.items()}
    header = [names_of_columns.get(cell, "") for cell in cells]
    # The last columns of SNLI and MultiNLI, label1 to label5, are missing in some lines.
    optional = 0
    while cells[-1 - optional].lower().rstrip("12345") == "label" and not header[-1 - optional]:
        optional += 1
    return _Layout(header, header=True, optional=optional)


def _names_columns(names: Sequence[str]) -> bool:
    """Return whether the first line of a file without known names of both sentences is a header all the same.

    It is one if it has the name of a sentence or of the label, or two names such as ``text_a`` and ``text_b``.
    """
    found = filter(None, map(_NUMBERED.fullmatch, names))
    numbered = {(match[1] or match[3], match[2] or match[4]) for match in found}
    twins = any((stem, {"1": "2", "a": "b"}.get(end)) in numbered for stem, end in numbered)
    return twins or not {*_FIRST, *_SECOND}.isdisjoint(names[:2]) or names[-1] in _LABEL


def _recognized_names(spellings: Mapping[str, str]) -> dict[str, str]:
    """Return the canonical name of each recognized column and its name in the file.

    ``spellings`` maps lower-case names to the spelling in the file.
    """
    recognized = {}
    for names in (_FIRST, _SECOND, _LABEL, _ID, ("language",)):
        name = next((name for name in names if name in spellings), None)
        if name is not None:
            recognized["premise" if name == "premise" else names[0]] = spellings[name]
    return recognized


def _parse_object(line: str) -> Row:
    try:
        item: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ItemError("not JSON", f"not JSON: {error}") from None
    if not isinstance(item, dict):
        raise ItemError("not JSON", "not a JSON object")
    row = {}
    recognized = _recognized_names({key.lower(): key for key in item})
    for number, keys in (("first", _FIRST), ("second", _SECOND)):
        if recognized.keys().isdisjoint(keys):
            shown = ", ".join(map(repr, list(item)[:8])) or "none"
            message = f"the {number} sentence is missing: no key {' or '.join(map(repr, keys))} among {shown}"
            raise ItemError("missing sentence", message)
    for name, key in recognized.items():
        value = item[key]
        if isinstance(value, bool | float | list | dict):
            raise ItemError("not JSON", f"{key!r} is neither text nor an integer: {value!r:.40}")
        if value is not None:
            row[name] = str(value)
            check_surrogates(row[name], repr(key))
    return row


def _pair(row: Row, index: int, line: int, labeled: bool, labels: list[str]) -> SentencePair:
    first = normalize(row.get("premise", row.get("sentence1", "")))
    second = normalize(row.get("sentence2", ""))
    if not first or not second:
        raise ItemError("missing sentence", f"the {'second' if first else 'first'} sentence is empty")
    try:
        label = _label(row, labels)
    except ItemError:
        if labeled:
            raise
        label = ""
    return SentencePair(first, second, label, row.get("pairid", "").strip() or f"#{index}", line)


def _label(row: Row, labels: list[str]) -> str:
    text = row.get("gold_label", "").strip()
    if text in _NO_MAJORITY:
        raise ItemError("no gold label", "the annotators did not agree")
    if not text or text == "hidden":
        raise ItemError("missing label", "the label is missing")
    label = {"contradictory": "contradiction"}.get(text.lower(), text.lower())
    if label in ("0", "1", "2") and "premise" in row:
        label = _INFERENCE[int(label)]
    if label not in _INFERENCE and label not in ("0", "1"):
        hint = "use entailment, neutral, contradiction; 0 and 1; or 0, 1, 2 in a file with a column premise"
        raise ItemError("unknown label", f"unknown label {text!r}", hint=hint)
    # The first label determines the labels of the file.
    if not labels:
        labels.extend(_INFERENCE if label in _INFERENCE else ("0", "1"))
    if label not in labels:
        raise ItemError("unknown label", f"the label {text!r} in a file whose labels are {', '.join(labels)}")
    return label
