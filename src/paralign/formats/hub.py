"""Datasets of the Hugging Face hub, and local folders in its formats, row by row (extra ``hub``)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

from paralign.errors import UserError
from paralign.formats.item_errors import ItemError, check_surrogates, raise_or_drop
from paralign.formats.json_lines import language_keys, row_number_hint, translation_texts
from paralign.formats.lines import MAX_LINE
from paralign.text.language_tags import best_variant

__all__ = ["is_hub", "read_hub_pairs", "read_hub_text"]

_SPEC = re.compile(r"hub:(?P<name>[^#@]+)(?:#(?P<config>[^#@]+))?(?:@(?P<split>[^#@]+))?")
_SAVED = ("dataset_info.json", "dataset_dict.json")
"""Files that ``save_to_disk`` writes."""


def is_hub(path: str) -> bool:
    """Return whether a path names a dataset: ``hub:NAME#CONFIG@SPLIT``."""
    return path.startswith("hub:")


def read_hub_pairs(
    path: str, languages: tuple[str, str], *, lenient: bool, dropped: Counter[str]
) -> Iterator[tuple[int, str, str]]:
    """Read pairs from the column ``translation``, or from columns named by the languages (or ``source`` and
    ``target``); see :func:`paralign.formats.json_lines.translation_texts`.

    Args:
        path: ``hub:NAME``, with the name of a dataset on the hub or a folder of Parquet, JSON, CSV or Arrow files;
            ``#CONFIG`` if it has several configurations (often one per language pair), ``@SPLIT`` for another split
            than ``train``.
        languages: as in ``translation_texts``.
        lenient: drop rows without both texts instead of raising.
        dropped: counts them: ``missing language``, ``not JSON``, ``lone surrogate``.

    Yields:
        Row from 1, source, target.

    Raises:
        UserError: if ``datasets`` is not installed, the dataset does not exist or cannot be read, or a column is
            missing.
    """
    for number, row in _rows(path):
        try:
            source, target = translation_texts(row, languages, number)
            _check_length(number, source, target)
            yield number, source, target
        except ItemError as error:
            raise_or_drop(error, path, "row", lenient=lenient, dropped=dropped)


def read_hub_text(path: str, language: str, *, lenient: bool, dropped: Counter[str]) -> Iterator[tuple[int, str]]:
    """Read plain text from the column ``text`` or ``sentence``, or from one named by the language (also within
    ``translation``).

    Args and errors as in :func:`read_hub_pairs`.

    Yields:
        Row from 1, text.
    """
    for number, row in _rows(path):
        try:
            text = _text(row, language, number)
            _check_length(number, text)
            yield number, text
        except ItemError as error:
            raise_or_drop(error, path, "row", lenient=lenient, dropped=dropped)


def _check_length(number: int, *texts: str) -> None:
    if any(len(text.encode()) > MAX_LINE for text in texts):
        raise ItemError("line too long", f"the text is longer than {MAX_LINE:,} bytes", number)


def _text(row: Mapping[str, Any], language: str, number: int) -> str:
    translation = row.get("translation", row)
    columns = translation if isinstance(translation, Mapping) else row
    keys = tuple(columns) if columns is not row else language_keys(row)
    place = best_variant(keys, language)
    key = next((key for key in keys if key in ("text", "sentence")), None if place is None else keys[place])
    if key is not None:
        value = columns[key]
        if value is not None and not isinstance(value, str):
            raise ItemError("not JSON", f"the column {key!r} is not text", number)
        check_surrogates(value or "", f"the column {key!r}", number)
        return value or ""
    names = ", ".join(map(repr, list(columns)[:8])) or "none"
    message = f"no column 'text' or {language!r} among {names}"
    raise ItemError("missing language", message, number, row_number_hint(columns, [language]))


def _rows(path: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    match = _SPEC.fullmatch(path)
    if match is None:
        raise UserError(f"cannot read the dataset in {path!r}", hint="write hub:NAME#CONFIG@SPLIT")
    name, config, split = match["name"].strip(), match["config"], match["split"] or "train"
    try:
        import datasets
    except ImportError:
        raise UserError("datasets is not installed", where=path, hint="pip install 'paralign[hub]'") from None
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity_error()
    try:
        rows = iter(_open_dataset(datasets, name, config, split))
    except UserError:
        raise
    except Exception as error:  # datasets raises the errors of its many back ends
        raise UserError(f"cannot open the dataset: {_first_line(error)}", where=path) from None
    for number in count(1):
        try:
            row = next(rows, None)
        except Exception as error:
            raise UserError(f"cannot read the dataset: {_first_line(error)}", where=f"{path}, row {number}") from None
        if row is None:
            if number == 1:
                raise UserError("the dataset is empty", where=path)
            return
        yield number, row


def _open_dataset(datasets: Any, name: str, config: str | None, split: str) -> Any:
    folder = Path(name).expanduser()
    if (name.startswith((".", "/", "~")) or name.count("/") > 1) and not folder.exists():
        raise UserError(
            "no such folder", where=name, hint="write hub:NAME with a dataset on the hub or a folder of its files"
        )
    if any((folder / file).is_file() for file in _SAVED):
        saved = datasets.load_from_disk(str(folder))
        if not isinstance(saved, datasets.DatasetDict):
            return saved
        if split not in saved:
            raise UserError(f"no split {split!r}", where=name, hint=f"the dataset has: {', '.join(map(repr, saved))}")
        return saved[split]
    # Streaming: nothing is copied into a cache, and memory does not grow with the dataset.
    return datasets.load_dataset(str(folder) if folder.exists() else name, config, split=split, streaming=True)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:300] or type(error).__name__
