"""Input of the benchmarks: a token store with its tokenizer, or one built from the small world."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from paralign.corpus.build import build_store
from paralign.corpus.clean import FilterConfig
from paralign.corpus.store import TokenStore
from paralign.encoder import train_tokenizer
from paralign.encoder.loading import load_tokenizer
from paralign.encoder.tokenizer import text_tokenizer, tokenizer_id
from paralign.errors import UserError
from paralign.smallworld import World
from paralign.sources.specs import parse_pairs

__all__ = ["add_arguments", "long_pairs", "open_or_make", "small_tokenizer"]

LANGUAGES = ("de", "fr", "zh")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--store`` and ``--tokenizer``, and the size of the small-world text that is used without them."""
    parser.add_argument("--store", type=Path, help="a token store of pairs (paralign corpus build)")
    parser.add_argument("--tokenizer", type=Path, help="folder of the tokenizer the store was built with")
    parser.add_argument("--pairs", type=int, default=12_000, help="pairs of the small world without --store")
    parser.add_argument("--min-pieces", type=int, default=10, help="data.min_pieces without --store")


def open_or_make(given: argparse.Namespace, folder: Path) -> tuple[TokenStore, Any]:
    """Return the store and its tokenizer; those of the small world are built in ``folder``.

    Raises:
        UserError: if only one of the two is given, or they do not belong together.
    """
    if (given.store is None) != (given.tokenizer is None):
        raise UserError("--store and --tokenizer belong together", hint="give both or neither")
    if given.store is not None:
        store, tokenizer = TokenStore.open(given.store), load_tokenizer(str(given.tokenizer))
        if store.meta["tokenizer"] != tokenizer_id(tokenizer):
            raise UserError("the store was made with another tokenizer", where=given.store)
        if store.sides != 2:
            raise UserError("a store of pairs is needed, not of plain text", where=given.store)
        return store, tokenizer
    tokenizer = small_tokenizer()
    specs = []
    for language in LANGUAGES:
        text = folder / f"en-{language}.tsv"
        rows = itertools.islice(long_pairs(language), -(-given.pairs // len(LANGUAGES)))
        text.write_text("".join(f"{a}\t{b}\n" for a, b in rows), encoding="utf-8")
        specs.append(parse_pairs(f"en-{language}={text}"))
    store = build_store(
        specs,
        text_tokenizer(tokenizer),
        folder / "store",
        filter=FilterConfig(min_pieces=given.min_pieces),
    )
    return store, tokenizer


def small_tokenizer(size: int = 4_000) -> Any:
    """Train a WordPiece tokenizer on sentences of the small world."""
    world = World(0)
    texts = [world.sentence(i, tag).text for tag in ("en", *LANGUAGES) for i in range(2_000)]
    return train_tokenizer(texts, size=size)


def long_pairs(language: str) -> Iterator[tuple[str, str]]:
    """Yield pairs of English and ``language`` without end, each of one to four sentences of the small world, so that
    lengths vary as in newspaper text."""
    world, many = World(0), 4_000
    sides = [[world.sentence(i, tag).text for i in range(many)] for tag in ("en", language)]
    for place in itertools.count():
        turn, first = divmod(place, many)
        # Other strides at every turn: no two turns put the same sentences together.
        chosen = [(first + k * (2 * turn + 1)) % many for k in range(1 + (first * 7 + turn) % 4)]
        if turn and len(chosen) == 1:
            chosen.append((first + turn) % many)
        source, target = (" ".join(side[i] for i in chosen) for side in sides)
        yield source, target
