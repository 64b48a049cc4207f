"""Sentences with one label each: topic classification, in TSV."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from paralign.errors import UserError, file_location
from paralign.formats.item_errors import ItemError, no_items_error, raise_or_drop
from paralign.formats.items import LabeledSentence
from paralign.formats.lines import numbered_lines
from paralign.text.normalization import normalize

__all__ = ["read_labeled_sentence_file"]

_COLUMNS: Mapping[str, Sequence[str]] = {
    "text": ("text", "sentence"),
    "label": ("category", "label", "topic"),
    "id": ("index_id", "id", "idx"),
}
"""What a column contains, and its possible names."""


def read_labeled_sentence_file(
    path: str, *, lenient: bool, dropped: Counter[str], labeled: bool
) -> Iterator[LabeledSentence]:
    """Read labeled sentences in a stream: TSV with a header, or two columns without one, sentence and label.

    The format is detected from the first line: a header names the columns ``text`` or ``sentence``; ``category``,
    ``label`` or ``topic``; and optionally ``index_id``, ``id`` or ``idx``, in any order. Others are ignored. Sentences
    are normalized. Quotes are ordinary characters.

    Args:
        path: the file, plain or compressed, or ``-``.
        lenient: drop malformed lines instead of raising.
        dropped: counts what was dropped: the reasons of ``read_lines``, ``wrong columns``, ``missing sentence``,
            ``missing label``.
        labeled: whether labels are required; with ``False`` they may be empty, and without a header their column may be
            missing.

    Raises:
        UserError: with ``file:line``; for a file without a sentence.
    """
    columns: Sequence[str] | None = None
    index, empty = -1, True
    for number, line in numbered_lines(path, lenient=lenient, dropped=dropped):
        if line is None:
            index += 1  # the following sentences keep their numbers, by which translations are joined
            continue
        if not line:
            continue
        cells = line.split("\t")
        if columns is None:
            header = _header(cells, file_location(path, number), labeled)
            columns = header or ("text", "label")
            if header:
                continue
        index += 1
        try:
            missing = len(columns) - len(cells)
            if missing and (labeled or columns[len(cells) :] != ("label",)):
                message = f"{len(cells)} columns, not {len(columns)} (columns are separated by tabs)"
                raise ItemError("wrong columns", message)
            sentence = _sentence(dict(zip(columns, cells, strict=False)), index, number, labeled)
        except ItemError as error:
            error.line = number
            raise_or_drop(error, path, "line", lenient=lenient, dropped=dropped)
            continue
        empty = False
        yield sentence
    if empty:
        raise no_items_error(path, "sentence", dropped)


def _header(cells: Sequence[str], where: str, labeled: bool) -> Sequence[str]:
    """Return what each column contains, "" for unknown ones; empty if the line is not a header."""
    names = [cell.strip().lower() for cell in cells]
    columns = tuple(next((kind for kind, known in _COLUMNS.items() if name in known), "") for name in names)
    if "text" not in columns or (len(cells) > 1 and {"label", "id"}.isdisjoint(columns)):
        return ()
    repeated = [kind for kind in _COLUMNS if columns.count(kind) > 1]
    if repeated:
        raise UserError(f"the header has several columns for the {repeated[0]}", where=where, hint="rename one")
    if labeled and "label" not in columns:
        raise UserError("the header has no column 'category' or 'label'", where=where, hint="add the labels")
    return columns


def _sentence(row: Mapping[str, str], index: int, line: int, labeled: bool) -> LabeledSentence:
    text, label = normalize(row["text"]), row.get("label", "").strip()
    if not text:
        raise ItemError("missing sentence", "the sentence is empty")
    if labeled and not label:
        raise ItemError("missing label", "the label is missing")
    return LabeledSentence(text, label, row.get("id", "").strip() or f"#{index}", line)
