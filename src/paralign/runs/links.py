"""Word links for a token store: computed from its text, or read from files for the text it was built from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from paralign.console import echo
from paralign.corpus.link_store import LinkStore, write_link_store
from paralign.corpus.store import TokenStore
from paralign.errors import UserError
from paralign.formats.conllu import is_treebank
from paralign.formats.links import Link, read_links
from paralign.languages import parse_derived
from paralign.runs.settings import LinksConfig
from paralign.sources.specs import PairSpec, parse_pairs, smallworld_range
from paralign.text.words import split_words
from paralign.words.base import AlignerOptions, WordPair, find_aligner, make_aligner
from paralign.words.word_links import WordLinks

__all__ = ["open_links"]


def open_links(
    folder: Path,
    store: TokenStore,
    config: LinksConfig,
    *,
    model: str | None = None,
    files: Sequence[str] = (),
    quiet: bool = False,
) -> LinkStore:
    """Return the word links of a run, which are computed once and stored in ``folder/links``.

    Args:
        folder: folder of the run.
        store: token store of pairs.
        config: how links are computed.
        model: the encoder, for ``similarity``.
        files: ``SRC-TGT=PATH`` in Pharaoh format, one for each corpus of the store, in their order.
        quiet: print nothing.

    Raises:
        UserError: for links that do not fit the text.
    """
    backwards = [tag for tag in store.languages if (made := parse_derived(tag)) is not None and made.reverses_pieces]
    if backwards:
        raise UserError(f"word links are not supported for {backwards[0]}, whose pieces are reversed", hint="use inv")
    place = folder / "links"
    if place.is_dir():
        kept = LinkStore.open(place, store)
        if files and kept.meta.get("files") != list(files):
            raise UserError(
                "the run already has other word links", where=place, hint="remove --links, or use another --out"
            )
        return kept
    rows: Iterable[list[Link]]
    if files:
        rows = _read(store, [parse_pairs(text) for text in files])
        facts: dict[str, Any] = {"files": list(files)}
    else:
        rows = _find(store, config, model, place, quiet)
        facts = {"method": config.method}
    written = write_link_store(store, rows, place, tokenised=config.tokenised, facts=facts)
    echo(f"{len(written):,} word links in {len(store):,} pairs", quiet=quiet)
    return written


def _find(store: TokenStore, config: LinksConfig, model: str | None, place: Path, quiet: bool) -> WordLinks:
    rows, sources, targets = [], [], []
    groups = store.language.astype(np.int64) @ (256 ** np.arange(store.sides))
    for group in np.unique(groups).tolist():
        records = np.flatnonzero(groups == group)
        source, target = (store.languages[k] for k in store.language[records[0]].tolist())
        spec = PairSpec(source, target, str(place))
        echo(f"linking the words of {spec.source}-{spec.target} ({config.method})", quiet=quiet)
        needed = model if "model" in find_aligner(config.method).accepts else None
        options = AlignerOptions(
            spec, symmetrise=config.symmetrise, tokenised=config.tokenised, model=needed, quiet=quiet
        )
        aligner = make_aligner(config.method, options)
        aligner.read(_pairs(store, records, config.tokenised))
        links = aligner.align(len(records))
        rows.append(np.repeat(records, np.diff(links.starts)))
        sources.append(links.source)
        targets.append(links.target)
    return WordLinks.from_arrays(len(store), rows, sources, targets)


def _pairs(store: TokenStore, records: np.ndarray, tokenised: bool) -> Iterator[WordPair]:
    def side(number: int) -> Iterator[str]:
        return (store.text(record, number) for record in records.tolist())

    words = (split_words(side(0), tokenised=tokenised), split_words(side(1), tokenised=tokenised))
    for first, second, source, target in zip(side(0), side(1), *words, strict=True):
        yield WordPair((first, second), (source, target))


def _read(store: TokenStore, files: Sequence[PairSpec]) -> Iterator[list[Link]]:
    """Yield the links of each record, by the line it was read from."""
    left = list(files)
    tables: list[WordLinks] = []
    begins, names = [], []
    for entry in store.meta["specs"]:
        found = next((spec for spec in left if list(spec.languages) == entry["languages"]), None)
        if found is None:
            hint = "give a --links SRC-TGT=PATH for each --pairs"
            raise UserError(f"there are no word links for {entry['spec']}", hint=hint)
        left.remove(found)
        path = str(entry["spec"]).partition("=")[2]
        if any(is_treebank(file["path"]) for file in entry["files"]):
            hint = "remove --links: the run computes links itself"
            raise UserError("links cannot be read for treebanks, whose lines are not sentences", where=path, hint=hint)
        rows = WordLinks.from_rows(links.possible for links in read_links(found.path))
        indices = smallworld_range(path)
        # Lines beyond a limit were not counted, so there may be more lines of links than counted lines.
        known = entry["kept"] + sum(entry["dropped"].values())
        wanted = len(indices) if indices is not None else known
        if len(rows) < known or (len(rows) != wanted and store.meta["filter"].get("limit") is None):
            message = f"{len(rows):,} lines of links for {wanted:,} lines of {entry['spec']}"
            raise UserError(message, where=found.path, hint="give a line of links for each line of the text")
        tables.append(rows)
        begins.append(1 if indices is None else indices.start)
        names.append(found.path)
    if left:
        raise UserError(f"word links for no --pairs: {left[0]}", hint="give one for each --pairs, in their order")
    for record in range(len(store)):
        number = int(store.spec[record])
        line = int(store.line[record]) - begins[number]
        if line >= len(tables[number]):
            raise UserError(f"no line {line + 1} of links", where=names[number], hint="give the links of the same text")
        yield tables[number][line]
