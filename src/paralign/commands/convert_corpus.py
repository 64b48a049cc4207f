"""Convert parallel text to another format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import chain, islice
from pathlib import Path

from paralign.commands.arguments import one_or_several
from paralign.console import echo, echo_dropped, list_counts, progress_lines
from paralign.errors import UserError
from paralign.folders import atomic_files, check_outputs
from paralign.formats.delimited import check_tsv_text, to_tsv_lines
from paralign.formats.item_errors import ItemError, check_length, raise_or_drop
from paralign.formats.items import Pair
from paralign.formats.json_lines import to_json_lines
from paralign.formats.lines import MAX_LINE, write_lines
from paralign.formats.streams import compressed, uncompressed_name
from paralign.formats.tmx import to_tmx_lines
from paralign.sources.readers import read_pairs
from paralign.sources.specs import PairSpec, check_endings, expand_home, input_files, parse_pairs

__all__ = ["convert_corpus"]

_PROGRESS_PAIRS = 100_000

Lines = Callable[[Iterable[tuple[str, str]], tuple[str, str]], Iterator[str]]
FORMATS: dict[str, Lines] = {
    ".jsonl": to_json_lines,
    ".tmx": to_tmx_lines,
    ".tsv": to_tsv_lines,
    ".txt": to_tsv_lines,
}
"""The formats of single files: a function of the pairs and their languages that yields lines."""


_NOT_LINES = {".conllu", ".jsonl", ".tmx", ".zip"}
"""Endings of other formats than lines of text, which would be read as such."""


@one_or_several
def convert_corpus(
    pairs: str | Sequence[str],
    out: str,
    *,
    limit: int | None = None,
    lenient: bool = False,
    force: bool = False,
    quiet: bool = False,
) -> int:
    """Write pairs in another format, normalized and in their order; files are written atomically.

    Args:
        pairs: specs ``SRC-TGT=PATH`` of the same two languages; they are concatenated.
        out: ``x.tsv``, ``x.tmx``, ``x.jsonl``, each also ``.gz`` or ``.zst``; or two line-aligned files, ``x.en,x.de``.
        limit: write only this many pairs; all if ``None``.
        lenient: drop and count what cannot be read instead of raising.
        force: replace existing files.
        quiet: print nothing.

    Returns:
        The number of pairs written.

    Raises:
        UserError: for input that cannot be read, several language pairs, an unknown format, and files that exist or
            are also read; if no pair is left, and for ``x.de,x.en`` of en-de; with ``file:line`` for pairs whose line
            would be longer than 65,535 bytes, and for TSV also for texts with ``|||`` and for pairs that a reader of
            TSV would refuse.
    """
    specs = [parse_pairs(spec) for spec in pairs]
    if len({spec.languages for spec in specs}) != 1:
        raise UserError("all pairs must have the same two languages" if specs else "no pairs are given")
    files = [Path(part.strip()) for part in expand_home(out).split(",")]
    to_lines = _format_of(files)
    if to_lines is None:
        check_endings([str(file) for file in files], specs[0].languages)
    check_outputs(files, input_files(specs), force=force)
    dropped: Counter[str] = Counter()
    number = 0
    progress = progress_lines(_PROGRESS_PAIRS, "{:,} pairs", quiet=quiet)

    def pairs_of(spec: PairSpec) -> Iterator[Pair]:
        for pair in read_pairs(spec, lenient=lenient, dropped=dropped):
            try:
                _check_readable(pair, to_lines, spec.languages)
            except ItemError as error:
                raise_or_drop(error, spec.path, "pair", lenient=lenient, dropped=dropped)
            else:
                yield pair

    def texts() -> Iterator[tuple[str, str]]:
        nonlocal number
        for pair in islice(chain.from_iterable(map(pairs_of, specs)), limit):
            number += 1
            progress(number)
            yield pair.source, pair.target
        if not number:
            reasons = list_counts(dropped)
            message = f"all {dropped.total():,} pairs dropped: {reasons}" if reasons else "no pairs in the text"
            raise UserError(message, where=specs[0].path)

    if to_lines is None:
        _write_line_aligned(files, texts())
    else:
        write_lines(files[0], to_lines(texts(), specs[0].languages))
    echo_dropped(dropped, "pairs", quiet=quiet)
    echo(f"{out}  ({number:,} pairs)", quiet=quiet)
    return number


def _check_readable(pair: Pair, to_lines: Lines | None, languages: tuple[str, str]) -> None:
    """Refuse a pair that could not be read from the format.

    Raises:
        ItemError: for a line that is too long, and for TSV for ``|||``.
    """
    texts = (pair.source, pair.target)
    if to_lines is to_tsv_lines:
        check_tsv_text(*texts, pair.line, "write x.jsonl, x.tmx, or two files x.en,x.de")
    elif sum(map(len, texts)) > MAX_LINE // 8:  # a character has at most 6 bytes, as \u0001 in JSON
        lines = to_json_lines([texts], languages) if to_lines is to_json_lines else texts
        for line in lines:
            check_length(line, pair.line)


def _write_line_aligned(files: Sequence[Path], pairs: Iterable[tuple[str, str]]) -> None:
    with atomic_files(files) as outputs, ExitStack() as stack:
        sides = [
            stack.enter_context(compressed(output, file.suffix)) for output, file in zip(outputs, files, strict=True)
        ]
        for texts in pairs:
            for side, text in zip(sides, texts, strict=True):
                side.write(f"{text}\n".encode())


def _format_of(files: Sequence[Path]) -> Lines | None:
    """Return the format of a single file; ``None`` for two line-aligned files."""
    endings = [Path(uncompressed_name(file.name).lower()).suffix for file in files]
    if len(files) == 2 and all(file.name for file in files) and not {*endings} & _NOT_LINES:
        return None
    if len(files) > 1 or endings[0] not in FORMATS:
        hint = "use x.tsv, x.tmx, x.jsonl (also .gz, .zst), or two files x.en,x.de"
        raise UserError("unknown output format", where=",".join(map(str, files)), hint=hint)
    return FORMATS[endings[0]]
