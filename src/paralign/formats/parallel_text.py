"""Parallel text in files of any format: the table of formats, and the reader that picks one of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from paralign.errors import UserError, file_location
from paralign.formats.archives import aligned_members, is_archive
from paralign.formats.conllu import is_treebank
from paralign.formats.delimited import is_bars_line, is_tabs_line, read_bars, read_tabs
from paralign.formats.hub import is_hub, read_hub_pairs, read_hub_text
from paralign.formats.item_errors import TRUNCATION_REASONS
from paralign.formats.items import Pair
from paralign.formats.json_lines import is_json_line, read_json_lines
from paralign.formats.line_aligned import read_line_aligned, read_line_aligned_archive
from paralign.formats.lines import numbered_lines, read_lines
from paralign.formats.parallel_treebanks import are_treebanks, read_parallel_treebanks
from paralign.formats.tmx import is_tmx, read_tmx
from paralign.text.normalization import normalize, normalize_tokens

__all__ = [
    "LINE_FORMATS",
    "PARALLEL_FORMATS",
    "ParallelFormat",
    "count_lines",
    "has_pair_per_line",
    "read_pair_files",
    "read_plain_text",
]

Row = tuple[int, str, str]
"""Line, source text, target text."""


@dataclass(frozen=True)
class ParallelFormat:
    """A format of parallel text, recognized by the names of its files.

    Attributes:
        files: how many files the user names: 1, or 2 with a comma between.
        detect: called with the file names; returns whether they are of this format.
        read: called with the file names, the two languages, ``lenient`` and ``dropped``; yields line, source, target.
        pair_per_line: whether each line of the first file, or each row of a dataset, is one pair, so that line numbers
            count pairs.
    """

    files: int
    detect: Callable[..., bool]
    read: Callable[..., Iterator[Row]]
    pair_per_line: bool = False


def _read_by_first_line(
    path: str, languages: tuple[str, str], *, lenient: bool, dropped: Counter[str]
) -> Iterator[Row]:
    """Read a text file whose format the first line that is not blank shows; blank lines before it are empty pairs."""
    lines = read_lines(path, lenient=lenient, dropped=dropped)
    for number, line in lines:
        if line.strip():
            break
        yield number, "", ""
    else:
        return
    read = next((read for detect, read in LINE_FORMATS if detect(line)), None)
    if read is None:
        hint = "give TSV, 'source ||| target', JSON lines, TMX, or two files with a comma between"
        if ".csv" in path.lower():
            hint = "columns are separated by tabs, not commas: save the file as TSV"
        raise UserError("missing tab: the line has one column", where=file_location(path, number), hint=hint)
    yield from read(chain([(number, line)], lines), path, languages, lenient=lenient, dropped=dropped)


# The first format that matches is used.
PARALLEL_FORMATS = (
    ParallelFormat(1, is_hub, read_hub_pairs, pair_per_line=True),
    ParallelFormat(2, are_treebanks, read_parallel_treebanks),
    ParallelFormat(2, lambda source, target: True, read_line_aligned, pair_per_line=True),
    ParallelFormat(1, is_archive, read_line_aligned_archive, pair_per_line=True),
    ParallelFormat(1, is_tmx, read_tmx),
    ParallelFormat(1, lambda path: True, _read_by_first_line, pair_per_line=True),
)
LINE_FORMATS: tuple[tuple[Callable[[str], bool], Callable[..., Iterator[Row]]], ...] = (
    (is_tabs_line, read_tabs),
    (is_json_line, read_json_lines),
    (is_bars_line, read_bars),
)
"""Formats of text files: ``detect(line)`` for the first line that is not blank, and ``read(numbered lines, path,
languages, lenient=, dropped=)``."""


def read_pair_files(
    path: str,
    paths: tuple[str, ...],
    languages: tuple[str, str],
    *,
    lenient: bool,
    dropped: Counter[str],
    tokenized: bool = False,
) -> Iterator[Pair]:
    """Read parallel text in a stream, in the order of the file, empty sides included; texts are normalized.

    The format is detected from the path and the first line that is not blank: two line-aligned files
    (``a.en,a.de``), two such files in a zip archive of OPUS, two treebanks (``a.conllu,b.conllu``, joined by
    ``# sent_id``), a translation memory (``.tmx``), a dataset of the hub, TSV (the first two columns are read; no
    quoting), ``source ||| target``, or JSON lines (:func:`paralign.formats.json_lines.translation_texts`).

    Args:
        path: as the user wrote it.
        paths: the files it names: two, one, or none for a dataset of the hub.
        languages: tags of both sides; a script or region chooses among several variants in a file.
        lenient: drop lines that cannot be read instead of raising.
        dropped: counts what ``lenient`` dropped: the reasons of ``read_lines``, ``missing separator`` for a
            line without the separator, ``missing counterpart`` for lines behind the end of a truncated file, and those
            of :func:`paralign.formats.parallel_treebanks.read_parallel_treebanks`.
        tokenized: whether words are separated by spaces.

    Raises:
        UserError: with ``file:line``; for two files of different length with both counts.
    """
    files = paths or (path,)
    return _pairs(_format_of(files).read(*files, languages, lenient=lenient, dropped=dropped), tokenized)


def read_plain_text(
    path: str, language: str, *, lenient: bool, dropped: Counter[str], tokenized: bool
) -> Iterator[tuple[int, str]]:
    """Read one sentence per line, or the rows of a dataset of the hub, as ``(line number, normalized text)``.

    Args and errors as in :func:`read_pair_files`.
    """
    if is_hub(path):
        lines = read_hub_text(path, language, lenient=lenient, dropped=dropped)
    elif is_tmx(path):
        hint = "write SRC-TGT=PATH, or convert it to two files with corpus convert"
        raise UserError("is a translation memory, not plain text", where=path, hint=hint)
    else:
        lines = read_lines(path, lenient=lenient, dropped=dropped)
    normal = normalize_tokens if tokenized else normalize
    return ((number, normal(line)) for number, line in lines)


def has_pair_per_line(path: str, paths: tuple[str, ...]) -> bool:
    """Return whether line numbers count the pairs of these files; arguments as in :func:`read_pair_files`."""
    files = paths or (path,)
    return not is_treebank(files[0]) and _format_of(files).pair_per_line


def count_lines(path: str, paths: tuple[str, ...], languages: tuple[str, ...]) -> int | None:
    """Return the number of lines of a corpus with one item per line, unreadable lines included.

    Args:
        path, paths, languages: as in :func:`read_pair_files`.

    Returns:
        ``None`` for other formats and for what cannot be read twice.
    """
    files = paths or (path,)
    if not has_pair_per_line(path, paths) or not all(Path(file).is_file() for file in files):
        return None
    if is_archive(files[0]) and len(languages) == 2:
        files = aligned_members(files[0], (languages[0], languages[1]))
    dropped: Counter[str] = Counter()
    lines = sum(1 for _ in numbered_lines(files[0], lenient=True, dropped=dropped))
    others = files[1:] if dropped.keys() & TRUNCATION_REASONS else ()  # the first file is truncated
    return max([lines, *(sum(1 for _ in numbered_lines(file, lenient=True)) for file in others)])


def _format_of(files: tuple[str, ...]) -> ParallelFormat:
    return next(form for form in PARALLEL_FORMATS if form.files == len(files) and form.detect(*files))


def _pairs(rows: Iterable[Row], tokenized: bool) -> Iterator[Pair]:
    normal = normalize_tokens if tokenized else normalize
    return (Pair(normal(source), normal(target), line) for line, source, target in rows)
