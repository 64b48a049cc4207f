"""Parallel text from one format into another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import chain, islice
from pathlib import Path

from paralign.console import echo
from paralign.errors import UserError
from paralign.formats.json_lines import to_json_lines
from paralign.formats.lines import write_lines
from paralign.formats.streams import open_output
from paralign.formats.tmx import is_tmx, to_tmx_lines
from paralign.sources.readers import read_pairs
from paralign.sources.specs import parse_pairs

__all__ = ["convert_corpus"]

_SEVERAL = 100_000


def convert_corpus(
    pairs: Sequence[str],
    out: str,
    *,
    limit: int | None = None,
    lenient: bool = False,
    force: bool = False,
    quiet: bool = False,
) -> int:
    """Write pairs, in normal form and in their order, in another format; files come to their place when all is written.

    Args:
        pairs: ``SRC-TGT=PATH``, several of the same languages, one behind the other.
        out: ``x.tsv``, ``x.tmx``, ``x.jsonl``, each also ``.gz`` or ``.zst``; or two files, ``x.en,x.de``.
        limit: first so many.
        lenient: drop and count what cannot be read.
        force: replace files that are there.
        quiet: say nothing.

    Returns:
        how many pairs were written.

    Raises:
        UserError: for input that cannot be read, several languages, or a format that is not known.
    """
    specs = [parse_pairs(spec) for spec in pairs]
    if len({spec.languages for spec in specs}) != 1:
        raise UserError("give pairs of the same two languages" if specs else "no pairs are given")
    languages = specs[0].languages
    files = [Path(part.strip()) for part in out.split(",")]
    kind = _kind(files)
    there = next((file for file in files if file.exists()), None)
    if there is not None and not force:
        raise UserError("is there already", where=there, hint="--force to replace it")
    inside = {Path(path).resolve() for spec in specs for path in spec.paths if path != "-"}
    if any(file.resolve() in inside for file in files):
        raise UserError("is read from and written to", where=files[0], hint="another --out")
    missing = next((file.parent for file in files if not file.parent.is_dir()), None)
    if missing is not None:
        raise UserError("no such folder", where=missing, hint=f"mkdir -p {missing}")
    dropped: Counter[str] = Counter()
    number = 0

    def texts() -> Iterator[tuple[str, str]]:
        nonlocal number
        rows = chain.from_iterable(read_pairs(spec, lenient=lenient, dropped=dropped) for spec in specs)
        for pair in islice(rows, limit):
            number += 1
            if number % _SEVERAL == 0:
                echo(f"{number:,} pairs", quiet=quiet)
            yield pair.source, pair.target

    if kind == "twins":
        with ExitStack() as stack:
            sides = [stack.enter_context(open_output(file)) for file in files]
            for both in texts():
                for side, text in zip(sides, both, strict=True):
                    side.write(f"{text}\n".encode())
    elif kind == "tsv":
        write_lines(files[0], (f"{source}\t{target}" for source, target in texts()))
    else:
        write_lines(files[0], (to_tmx_lines if kind == "tmx" else to_json_lines)(texts(), languages))
    for reason, count in sorted(dropped.items()):
        echo(f"{count:,} dropped: {reason}", quiet=quiet)
    echo(f"{out}  ({number:,} pairs)", quiet=quiet)
    return number


def _kind(files: Sequence[Path]) -> str:
    if len(files) == 2:
        return "twins"
    name = files[0].name.lower().removesuffix(".gz").removesuffix(".zst")
    if len(files) == 1 and is_tmx(name):
        return "tmx"
    if len(files) == 1 and name.endswith((".jsonl", ".json")):
        return "jsonl"
    if len(files) == 1 and name.endswith((".tsv", ".txt")):
        return "tsv"
    raise UserError("not a format that is written", where=",".join(map(str, files)),
                    hint="x.tsv, x.tmx, x.jsonl (also .gz, .zst), or two files x.en,x.de")  # fmt: skip
