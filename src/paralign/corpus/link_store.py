"""Word links of a token store, and the pieces of linked words in a batch.

Links are between words, so that one file can be used with every tokenizer; the pieces of the words are found here. The
links are stored in a folder of raw little-endian arrays and ``meta.json``, like the token store (P is its number of
pieces, n its number of records):

=================  ==================  ================================================================
words.bin          uint16 [P, 2]       first and last word of each piece in its side, 65,535 for none (in
                                       a sharded corpus also for pieces of duplicates)
index.bin          int64 [n + 1]       where the links of each record begin
links.bin          uint16 [L, 2]       word of the first side, word of the second
=================  ==================  ================================================================

``digests.json`` and ``blocks.bin`` have the digests of these files (:mod:`paralign.digests`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from paralign.corpus.store import TokenStore
from paralign.digests import FolderDigests, check_schema, file_digest, write_digests
from paralign.errors import UserError
from paralign.folders import atomic_folder
from paralign.ragged import batched, ranges, row_ids, row_starts
from paralign.text.words import piece_word_ranges, word_spans

__all__ = ["LinkStore", "LinkedWords", "locate_linked_pieces", "write_link_store"]

Ints = npt.NDArray[np.int64]
SCHEMA = 1
_NONE = 65_535
_BLOCK = 1_000
"""Records whose words are found at once."""


@dataclass(frozen=True)
class LinkedWords:
    """The pieces of the linked words of a batch.

    Attributes:
        rows: ``[l]`` position in the batch of the record of each link.
        first: ``[sum of first_sizes]`` positions in a view of the pieces of each link's first word, link by link.
        first_sizes: ``[l]`` number of pieces of the first word, at least 1.
        second, second_sizes: the same for the second word, in its view.
    """

    rows: Ints
    first: Ints
    first_sizes: Ints
    second: Ints
    second_sizes: Ints

    def pieces(self) -> tuple[Ints, Ints]:
        """Return every piece of a first word with every piece of the second: the ones of the matrix A of AlignLM.

        Returns:
            Positions in the two views, ``[x]`` and ``[x]``.
        """
        times = np.repeat(self.second_sizes, self.first_sizes)
        first = np.repeat(self.first, times)
        begin = np.repeat(row_starts(self.second_sizes), self.first_sizes)
        return first, self.second[ranges(begin, times)]


class LinkStore:
    """The links of a token store, opened for reading; its arrays are memory-mapped, and checked when they are read."""

    def __init__(self, path: Path, meta: dict[str, Any], digests: FolderDigests) -> None:
        self.path, self.meta = path, meta
        self.fingerprint: str = meta["store"]
        self._words = digests.array("words.bin", "<u2", 2)
        self._index = digests.array("index.bin", "<i8")
        self._links = digests.array("links.bin", "<u2", 2)

    @classmethod
    def open(cls, path: str | Path, store: TokenStore) -> LinkStore:
        """Open links.

        Args:
            path: folder of the links.
            store: the token store they belong to.

        Raises:
            UserError: if there are none, they are damaged, or they belong to another store.
        """
        path = Path(path)
        digests = FolderDigests(path, "remove the folder")
        digests.check("meta.json")
        try:
            meta = json.loads((path / "meta.json").read_text(encoding="utf-8"))
            check_schema(meta, SCHEMA, path, "remove the folder")
            links = cls(path, meta, digests)
        except UserError:
            raise
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise UserError("no word links here, or they are damaged", where=path, hint="remove the folder") from None
        if links.fingerprint != store.fingerprint:
            raise UserError("the word links belong to other text", where=path, hint="remove the folder")
        return links

    @property
    def digest(self) -> str:
        """Hash of the links: equal for equal links of equal text."""
        return file_digest(self.path / "blocks.bin")  # the digests of all arrays

    def __len__(self) -> int:
        return len(self._links)

    def words(self, positions: Ints) -> Ints:
        """Return the first and last word of pieces, ``[k, 2]``; -1 for none.

        Args:
            positions: ``[k]`` of the pieces in the store.
        """
        words = np.asarray(self._words[positions], np.int64)
        return np.where(words == _NONE, -1, words)

    def links(self, records: Ints) -> tuple[Ints, Ints]:
        """Return the links of records, ``[l, 2]``, record by record, and the number of links of each."""
        begin = self._index[records]
        counts = self._index[records + 1] - begin
        return np.asarray(self._links[ranges(begin, counts)], np.int64), counts


def write_link_store(
    store: TokenStore,
    links: Iterable[Sequence[tuple[int, int]]],
    out: Path,
    *,
    tokenized: bool = False,
    facts: dict[str, Any] | None = None,
    where: Callable[[int], str] | None = None,
) -> LinkStore:
    """Write the links of every record of a store of pairs, atomically.

    Args:
        store: the pairs.
        links: the links of each record; words are numbered from 0.
        out: the folder to create.
        tokenized: whether words are separated by spaces; otherwise they are those of ``word_spans``.
        facts: further entries of ``meta.json``.
        where: returns ``file:line`` of the links of a record, for messages. None: the line of the text is named.

    Raises:
        UserError: for links beyond their sentence, or another number of records.
    """
    index, count, position = np.zeros(len(store) + 1, np.int64), 0, 0
    with atomic_folder(out) as part:
        with (part / "words.bin").open("wb") as words, (part / "links.bin").open("wb") as pairs:
            for block in batched(links, _BLOCK):
                records = range(count, count + len(block))
                count += len(block)
                if count > len(store):
                    break
                owner, sizes, lengths = _words_of_pieces(store, records, tokenized)
                begins = store.first_pieces(np.arange(records.start, records.stop))
                # Between records are the pieces of duplicates that are stored.
                stored = np.full((begins[-1] + lengths[-1] - position, 2), _NONE, "<u2")
                stored[ranges(begins - position, lengths)] = np.where(owner < 0, _NONE, owner)
                words.write(stored.tobytes())
                position += len(stored)
                numbers = np.array([len(of_record) for of_record in block], np.int64)
                flat = np.array([link for of_record in block for link in of_record], np.int64).reshape(-1, 2)
                row = row_ids(numbers)
                wrong = np.flatnonzero(((flat >= sizes[row]) | (flat < 0)).any(1))
                if len(wrong):
                    record, (i, j), (m, n) = records[row[wrong[0]]], flat[wrong[0]], sizes[row[wrong[0]]]
                    place = f"line {int(store.line[record])}" if where is None else where(record)
                    message = f"the link {i}-{j} is out of range: the sentences have {m} and {n} words"
                    raise UserError(message, where=place, hint="use links of this text, with words numbered from 0")
                pairs.write(flat.astype("<u2").tobytes())
                index[records.start + 1 : count + 1] = index[records.start] + np.cumsum(numbers)
        if count != len(store):
            hint = "compute the links of this text"
            raise UserError(f"links of {count:,} pairs for a store of {len(store):,}", hint=hint)
        (part / "index.bin").write_bytes(index.astype("<i8").tobytes())
        meta = {"schema": SCHEMA, "store": store.fingerprint, "tokenized": tokenized, **(facts or {})}
        (part / "meta.json").write_text(json.dumps(meta, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        write_digests(part, ["words.bin", "index.bin", "links.bin"])
    return LinkStore.open(out, store)


def _words_of_pieces(store: TokenStore, records: Sequence[int], tokenized: bool) -> tuple[Ints, Ints, Ints]:
    """Find the words that the pieces of records overlap, in one search over all their sentences.

    Returns:
        first and last word of each piece, -1 for none, ``[pieces, 2]``; number of words of both sides,
        ``[records, 2]``; number of pieces of each record.
    """
    sides = [(record, side) for record in records for side in (0, 1)]
    texts = [store.text(*where) for where in sides]
    offsets, lengths = store.gather_offsets(np.repeat(records, 2), np.tile([0, 1], len(records)))
    spans = [word_spans(text, tokenized=tokenized) for text in texts]
    sizes = np.array([len(of_side) for of_side in spans], np.int64)
    # Sentences one after the other, with a character between them.
    begins = row_starts(np.array([len(text) + 1 for text in texts], np.int64))
    all_spans = np.array([span for of_side in spans for span in of_side], np.int64).reshape(-1, 2)
    all_offsets = offsets + np.repeat(begins, lengths)[:, None]
    owner = piece_word_ranges(all_offsets, all_spans + np.repeat(begins, sizes)[:, None])
    owner = np.where(owner < 0, -1, owner - np.repeat(row_starts(sizes), lengths)[:, None])
    return owner, sizes.reshape(-1, 2), lengths.reshape(-1, 2).sum(1)


def locate_linked_pieces(
    links: tuple[Ints, Ints],
    words: tuple[Ints, Ints],
    lengths: tuple[Ints, Ints],
    begins: tuple[Ints, Ints],
) -> LinkedWords:
    """Find the pieces of linked words; links of words without a piece are left out.

    Args:
        links: ``[l, 2]`` links of the records of a batch, record by record, and the number of links of each record.
        words: for both sides, ``[p, 2]`` first and last word of each piece, record by record; -1 for none.
        lengths: for both sides, ``[b]`` number of pieces of each record.
        begins: for both sides, ``[b]`` where the pieces of each record begin in its view.
    """
    pairs, counts = links
    rows = row_ids(counts)
    word_ranges = [_word_ranges(rows, pairs[:, side], words[side], lengths[side]) for side in (0, 1)]
    complete = np.flatnonzero((word_ranges[0][1] > 0) & (word_ranges[1][1] > 0))
    rows = rows[complete]
    out = []
    for side, (start, size) in enumerate(word_ranges):
        start, size = start[complete], size[complete]
        # From positions among the pieces of the side to positions in the view.
        shift = begins[side] - row_starts(lengths[side])
        out += [ranges(start + shift[rows], size), size]
    return LinkedWords(rows, out[0], out[1], out[2], out[3])


def _word_ranges(rows: Ints, wanted: Ints, words: Ints, lengths: Ints) -> tuple[Ints, Ints]:
    """Return position of the first piece and number of pieces of each wanted word; its pieces are adjacent."""
    row = row_ids(lengths)
    real = np.flatnonzero(words[:, 0] >= 0)
    first_word, last_word = (row[real] * (_NONE + 1) + words[real, k] for k in (0, 1))
    keys = rows * (_NONE + 1) + wanted
    begin, end = np.searchsorted(last_word, keys), np.searchsorted(first_word, keys, side="right")
    first = real[np.minimum(begin, max(0, len(real) - 1))] if len(real) else np.zeros(len(keys), np.int64)
    last = real[np.maximum(end - 1, 0)] if len(real) else first
    return first, np.where(end > begin, last - first + 1, 0)
