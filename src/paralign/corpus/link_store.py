"""Word links beside a token store, and what they are of a batch: pieces that belong to linked words.

Links are between words, so that one file serves every tokenizer; they are spread to pieces only here. A folder of raw
little-endian arrays and ``meta.json``, as the store's (P its pieces, n its records):

=================  ==================  ================================================================
words.bin          uint16 [P, 2]       first and last word of its side each piece belongs to, 65,535 for none
index.bin          int64 [n + 1]       where the links of each record begin
links.bin          uint16 [L, 2]       word of the first side, word of the second
=================  ==================  ================================================================
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from paralign.corpus.store import TokenStore
from paralign.errors import UserError
from paralign.folders import atomic_folder
from paralign.ragged import ranges, row_ids, row_starts
from paralign.text.words import piece_word_ranges, word_spans

__all__ = ["LinkStore", "LinkedWords", "linked_pieces", "write_link_store"]

Ints = npt.NDArray[np.int64]
SCHEMA = 1
_NONE = 65_535


@dataclass(frozen=True)
class LinkedWords:
    """The linked words of a batch whose pieces all stand in its views.

    Attributes:
        rows: [l] record of each link, its place in the batch.
        first: [sum of ``first_sizes``] places in a view of the pieces of each link's first word, link by link.
        first_sizes: [l] pieces of the first word, at least 1.
        second, second_sizes: of the other word, in its view.
    """

    rows: Ints
    first: Ints
    first_sizes: Ints
    second: Ints
    second_sizes: Ints

    def pieces(self) -> tuple[Ints, Ints]:
        """([x], [x]) every piece of a first word with every piece of the second: the ones of the matrix A."""
        times = np.repeat(self.second_sizes, self.first_sizes)
        first = np.repeat(self.first, times)
        begin = np.repeat(row_starts(self.second_sizes), self.first_sizes)
        return first, self.second[ranges(begin, times)]


class LinkStore:
    """The links of a token store, opened for reading; arrays are mapped."""

    def __init__(self, path: Path, meta: dict[str, Any]) -> None:
        self.path, self.meta = path, meta
        self.fingerprint: str = meta["store"]
        self._words = self._map("words", "<u2").reshape(-1, 2)
        self._index = self._map("index", "<i8")
        self._links = self._map("links", "<u2").reshape(-1, 2)

    @classmethod
    def open(cls, path: str | Path, store: TokenStore) -> LinkStore:
        """Open links that were made before.

        Raises:
            UserError: if there are none, or they belong to another store.
        """
        path = Path(path)
        try:
            meta = json.loads((path / "meta.json").read_text(encoding="utf-8"))
            links = cls(path, meta)
        except (OSError, ValueError, KeyError):
            raise UserError("no word links here, or damaged ones", where=path, hint="remove the folder") from None
        if meta.get("schema") != SCHEMA or links.fingerprint != store.fingerprint:
            raise UserError("the word links belong to other text", where=path, hint="remove the folder")
        return links

    def _map(self, name: str, dtype: str) -> npt.NDArray[Any]:
        file = self.path / f"{name}.bin"
        return np.asarray(np.memmap(file, np.dtype(dtype), "r")) if file.stat().st_size else np.empty(0, dtype)

    def __len__(self) -> int:
        return len(self._links)

    def words(self, places: Ints) -> Ints:
        """[k, 2] first and last word of pieces, by their places in the store; -1 for none."""
        found = self._words[places].astype(np.int64)
        return np.where(found == _NONE, -1, found)

    def links(self, records: Ints) -> tuple[Ints, Ints]:
        """[l, 2] links of records one after the other, and how many each has."""
        begin = self._index[records]
        counts = self._index[records + 1] - begin
        return self._links[ranges(begin, counts)].astype(np.int64), counts


def write_link_store(
    store: TokenStore,
    links: Iterable[Sequence[tuple[int, int]]],
    out: Path,
    *,
    tokenised: bool = False,
    facts: dict[str, Any] | None = None,
) -> LinkStore:
    """Write the links of every record of a store of pairs; the folder is there whole or not at all.

    Args:
        store: the pairs.
        links: of each record, words from 0.
        out: the folder to make.
        tokenised: words are what stands between spaces.
        facts: kept with them.

    Raises:
        UserError: for links that end beyond their sentence, or another number of records.
    """
    index, count = np.zeros(len(store) + 1, np.int64), 0
    with atomic_folder(out) as part:
        with (part / "words.bin").open("wb") as words, (part / "links.bin").open("wb") as pairs:
            for count, some in enumerate(links, 1):
                if count > len(store):
                    break
                sizes = []
                for side in (0, 1):
                    spans = word_spans(store.text(count - 1, side), tokenised=tokenised)
                    owner = piece_word_ranges(store.offsets(count - 1, side), spans)
                    sizes.append(len(spans))
                    words.write(np.where(owner < 0, _NONE, owner).astype("<u2").tobytes())
                array = np.array(some, np.int64).reshape(-1, 2)
                if len(array) and ((array >= sizes) | (array < 0)).any():
                    i, j = array[((array >= sizes) | (array < 0)).any(1)][0].tolist()
                    line = int(store.line[count - 1])
                    message = f"line {line}: a link {i}-{j} between sentences of {sizes[0]} and {sizes[1]} words"
                    raise UserError(message, hint="give links of this text, words counted from 0")
                pairs.write(array.astype("<u2").tobytes())
                index[count] = index[count - 1] + len(array)
        if count != len(store):
            raise UserError(f"links of {count:,} pairs for a store of {len(store):,}")
        (part / "index.bin").write_bytes(index.astype("<i8").tobytes())
        meta = {"schema": SCHEMA, "store": store.fingerprint, "tokenised": tokenised, **(facts or {})}
        (part / "meta.json").write_text(json.dumps(meta, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return LinkStore.open(out, store)


def linked_pieces(
    links: tuple[Ints, Ints],
    words: tuple[Ints, Ints],
    lengths: tuple[Ints, Ints],
    begins: tuple[Ints, Ints],
) -> LinkedWords:
    """Where the pieces of linked words stand.

    Args:
        links: [l, 2] links of a batch's records one after the other, and how many each record has.
        words: of both sides, [p, 2] first and last word of each piece, records one after the other; -1 for none.
        lengths: of both sides, [b] pieces of each record.
        begins: of both sides, [b] where a record's pieces begin in its view.
    """
    pairs, counts = links
    rows = row_ids(counts)
    found = [_stretches(rows, pairs[:, side], words[side], lengths[side]) for side in (0, 1)]
    whole = np.flatnonzero((found[0][1] > 0) & (found[1][1] > 0))
    rows = rows[whole]
    out = []
    for side, (start, size) in enumerate(found):
        start, size = start[whole], size[whole]
        # Places among the side's pieces, from there into the view.
        shift = begins[side] - row_starts(lengths[side])
        out += [ranges(start + shift[rows], size), size]
    return LinkedWords(rows, out[0], out[1], out[2], out[3])


def _stretches(rows: Ints, wanted: Ints, words: Ints, lengths: Ints) -> tuple[Ints, Ints]:
    """First place and number of the pieces of each wanted word; the pieces of a word stand together."""
    row = row_ids(lengths)
    real = np.flatnonzero(words[:, 0] >= 0)
    first_word, last_word = (row[real] * (_NONE + 1) + words[real, k] for k in (0, 1))
    asked = rows * (_NONE + 1) + wanted
    begin, end = np.searchsorted(last_word, asked), np.searchsorted(first_word, asked, side="right")
    first = real[np.minimum(begin, max(0, len(real) - 1))] if len(real) else np.zeros(len(asked), np.int64)
    last = real[np.maximum(end - 1, 0)] if len(real) else first
    return first, np.where(end > begin, last - first + 1, 0)
