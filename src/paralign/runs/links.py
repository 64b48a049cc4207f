"""Word links for a token store: computed from its text, or read from files that belong to the text."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import tee
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from paralign.console import echo, echo_dropped, progress_lines
from paralign.corpus.link_store import LinkStore, write_link_store
from paralign.corpus.shard_plan import source_file
from paralign.corpus.store import TokenStore
from paralign.errors import UserError, file_location
from paralign.formats.links import Link, read_links
from paralign.formats.parallel_text import has_pair_per_line
from paralign.languages import parse_derived
from paralign.ragged import batched, ranges
from paralign.runs.settings import LinksConfig
from paralign.sources.line_numbers import line_count
from paralign.sources.specs import PairSpec, parse_pairs, smallworld_range
from paralign.text.tokenized import TokenCheck
from paralign.text.words import split_words, word_spans
from paralign.words.base import AlignerOptions, WordPair, find_aligner, make_aligner
from paralign.words.word_links import WordLinks

__all__ = ["open_links"]

_PROGRESS_PAIRS = 100_000
_TEMPORARY = ".aligner-"
"""Prefix of the folder of an aligner while it is used."""
_SAMPLE = 2_000
"""Pairs of a source that are read to find out whether it is tokenized."""


def open_links(
    folder: Path,
    store: TokenStore,
    config: LinksConfig,
    *,
    model: str | None = None,
    files: Sequence[str] = (),
    lenient: bool = False,
    quiet: bool = False,
) -> LinkStore:
    """Return the word links of a run, which are computed once and stored in ``folder/links``.

    Args:
        folder: folder of the run.
        store: token store of pairs.
        config: how links are computed.
        model: the encoder, for ``similarity``.
        files: files in Pharaoh format as ``SRC-TGT=PATH``, one for each source of the store, in the same order.
        lenient: drop and count malformed links in ``files``; a line that cannot be read has no links.
        quiet: print nothing.

    Raises:
        UserError: for links that do not fit the text.
    """
    for tag in store.languages:
        language = parse_derived(tag)
        if language is not None and language.reverses_pieces:
            raise UserError(
                f"word links are not supported for {tag}, whose pieces are reversed", hint="use the transformation inv"
            )
    path = folder / "links"
    if path.is_dir():
        return LinkStore.open(path, store)
    rows: Iterable[list[Link]]
    where: Callable[[int], str] | None = None
    if files:
        if config.tokenized and not store.meta.get("tokenized", True):
            message = "links.tokenized is set, but the token store was built without --tokenized"
            raise UserError(message, where=store.path, hint="build it again with --tokenized")
        rows, where = _read(store, [parse_pairs(text) for text in files], lenient, quiet)
        facts: dict[str, Any] = {"files": list(files)}
        if not config.tokenized:
            for line in _tokenized_sources(store):
                echo(f"WARNING {line}", quiet=quiet)
    else:
        rows = _align(store, config, model, path, quiet)
        facts = {"method": config.method}
    links = write_link_store(store, rows, path, tokenized=config.tokenized, facts=facts, where=where)
    echo(f"{len(links):,} word links in {len(store):,} pairs", quiet=quiet)
    return links


def _align(store: TokenStore, config: LinksConfig, model: str | None, path: Path, quiet: bool) -> WordLinks:
    """Align the words of all pairs, with one aligner for each pair of languages."""
    for stale in path.parent.glob(f"{_TEMPORARY}*"):  # of a run that was killed; the folder is locked
        shutil.rmtree(stale, ignore_errors=True)
    parts: list[tuple[np.ndarray, WordLinks]] = []
    groups = store.language.astype(np.int64) @ (256 ** np.arange(store.sides))
    for group in np.unique(groups).tolist():
        records = np.flatnonzero(groups == group)
        source, target = (store.languages[k] for k in store.language[records[0]].tolist())
        spec = PairSpec(source, target, str(path))
        echo(f"aligning the words of {spec.source}-{spec.target} ({config.method})", quiet=quiet)
        encoder = model if "model" in find_aligner(config.method).requires else None
        options = AlignerOptions(
            spec, symmetrize=config.symmetrize, tokenized=config.tokenized, model=encoder, quiet=quiet
        )
        parts += _align_group(store, records, config, options)
    counts = np.zeros(len(store), np.int64)
    for records, links in parts:
        counts[records] = np.diff(links.starts)
    starts = np.concatenate([[0], counts.cumsum()])
    sources, targets = (np.empty(starts[-1], np.int32) for _ in range(2))
    for records, links in parts:
        at = ranges(starts[records], counts[records])
        sources[at], targets[at] = links.source, links.target
    return WordLinks(starts, sources, targets)


def _align_group(
    store: TokenStore, records: np.ndarray, config: LinksConfig, options: AlignerOptions
) -> Iterator[tuple[np.ndarray, WordLinks]]:
    """Yield records of one pair of languages and their links: all at once, or block by block if there are more than
    ``links.learn_from``."""
    if len(records) <= config.learn_from or not _can_stream(config.method):
        aligner = make_aligner(config.method, options)
        aligner.read(_pairs(store, records, config.tokenized))
        yield records, aligner.align(len(records))
        return
    from paralign.words.compiled import cpu_threads
    from paralign.words.word_aligner import BLOCK_PAIRS, WordAligner, map_in_order

    # In the folder of the run: temporary folders are often in memory.
    with TemporaryDirectory(prefix=_TEMPORARY, dir=Path(options.spec.path).parent) as folder:
        saved = Path(folder) / "aligner"
        aligner = make_aligner(config.method, replace(options, save=saved))
        chosen = np.linspace(0, len(records) - 1, config.learn_from).astype(np.int64)
        aligner.read(_pairs(store, records[chosen], config.tokenized))
        aligner.align(0)
        trained = WordAligner.load(saved, aligner.symmetrization)
        del aligner
    progress = progress_lines(_PROGRESS_PAIRS, "{:,} pairs aligned", quiet=options.quiet)
    words = (pair.words for pair in _pairs(store, records, config.tokenized))
    done = 0
    for links in map_in_order(trained.links, batched(words, BLOCK_PAIRS), cpu_threads()):
        block = records[done : done + len(links)]
        yield block, links
        done += len(block)
        progress(done)


def _can_stream(method: str) -> bool:
    from paralign.words.statistical import StatisticalAligner  # compiles its loops

    aligner = find_aligner(method)
    return issubclass(aligner, StatisticalAligner) and "save" in aligner.accepts


def _pairs(store: TokenStore, records: np.ndarray, tokenized: bool) -> Iterator[WordPair]:
    def side(number: int) -> Iterator[tuple[str, list[str]]]:
        texts, again = tee(store.text(record, number) for record in records.tolist())
        return zip(texts, split_words(again, tokenized=tokenized), strict=True)

    for (first, source), (second, target) in zip(side(0), side(1), strict=True):
        yield WordPair((first, second), (source, target))


def _read(
    store: TokenStore, files: Sequence[PairSpec], lenient: bool, quiet: bool
) -> tuple[Iterator[list[Link]], Callable[[int], str]]:
    """Return the links of each record, which are on the line that the record was read from, and where that line is."""
    unused = list(files)
    tables: list[WordLinks] = []
    first_lines, names = [], []
    for entry in store.meta["specs"]:
        spec = next((spec for spec in unused if list(spec.languages) == entry["languages"]), None)
        if spec is None:
            hint = "give a --links SRC-TGT=PATH for each --pairs"
            raise UserError(f"there are no word links for {entry['spec']}", hint=hint)
        unused.remove(spec)
        path = str(entry["spec"]).partition("=")[2]
        names_of_files = tuple(file["path"] for file in entry["files"])
        if names_of_files and not has_pair_per_line(path, names_of_files):
            hint = "remove --links, so that the run computes them, or convert the text with corpus convert"
            message = "links cannot be read for treebanks and translation memories, whose lines are not pairs"
            raise UserError(message, where=path, hint=hint)
        dropped: Counter[str] = Counter()
        links = read_links(spec.path, lenient=lenient, dropped=dropped)
        rows = WordLinks.from_rows(pair.possible for pair in links)
        echo_dropped(dropped, f"{spec}: links", quiet=quiet)
        indices = smallworld_range(path)
        # Otherwise unknown, or more than the run reads: then each record is only checked to have a line.
        limited = store.meta["filter"].get("limit") is not None
        expected = len(indices) if indices is not None else _line_count(entry)
        if expected is not None and not limited and len(rows) != expected:
            message = f"{len(rows):,} lines of links for {expected:,} lines of {entry['spec']}"
            raise UserError(message, where=spec.path, hint="give a line of links for each line of the text")
        tables.append(rows)
        first_lines.append(1 if indices is None else indices.start)
        names.append(spec.path)
    if unused:
        hint = "give --links for each of --pairs, in the same order"
        raise UserError(f"there are no --pairs for the word links {unused[0]}", hint=hint)

    def place(record: int) -> tuple[int, int]:
        number = int(store.spec[record])
        return number, int(store.line[record]) - first_lines[number]

    def where(record: int) -> str:
        number, line = place(record)
        return file_location(names[number], line + 1)

    def rows_of_records() -> Iterator[list[Link]]:
        for record in range(len(store)):
            number, line = place(record)
            if line >= len(tables[number]):
                message = f"no line {line + 1} of links"
                raise UserError(message, where=names[number], hint="give the links of the same text")
            yield tables[number][line]

    return rows_of_records(), where


def _tokenized_sources(store: TokenStore) -> Iterator[str]:
    """Yield a warning for each source of a store that is tokenized text, from a sample of its pairs."""
    for number, entry in enumerate(store.meta["specs"]):
        records = np.flatnonzero(store.spec == number)
        check = TokenCheck()
        for record in records[:: len(records) // _SAMPLE + 1].tolist():
            texts = [store.text(record, side) for side in (0, 1)]
            check.add(texts, [len(word_spans(text)) for text in texts])
        message = check.message("--set links.tokenized=true", total=len(records))
        if message:
            yield f"{entry['spec']}: {message}"


def _line_count(source: Mapping[str, Any]) -> int | None:
    """Return the number of lines of a text of a store; None if the file is gone or has changed."""
    try:
        same = all(source_file(file["path"]) == file for file in source["files"])
    except OSError:
        return None
    return line_count(parse_pairs(source["spec"])) if same else None
