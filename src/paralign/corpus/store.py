"""The token store: a cleaned, tokenized corpus in memory-mapped arrays.

A folder of raw little-endian arrays and ``meta.json``; a record is a pair (two sides) or a sentence (one).
With slot = record · sides + side:

=================  =======================  ==============================================================
pieces.bin         uint16 or uint32 [P]     piece ids of all slots, concatenated, without special tokens
offsets.bin        uint16 [P, 2]            start and end character of each piece in its slot's text
index.bin          int64 [n·sides + 1]      where each slot begins in ``pieces``
text.bin           UTF-8                    texts of all slots, concatenated
text_index.bin     int64 [n·sides + 1]      where each slot begins in ``text.bin``, in bytes
language.bin       uint8 [n, sides]         index into ``languages``
spec.bin           uint16 [n]               index into the specs from which the store was built
line.bin           int64 [n]                line number in the file
=================  =======================  ==============================================================

``digests.json`` and ``blocks.bin`` have the digests of these files (:mod:`paralign.digests`).

A sharded corpus is a folder of stores, ``shards/0001`` and so on, and a folder ``joined``, whose ``meta.json`` lists
them. ``joined/gaps.bin`` (int64) has the records that are not read, because an earlier shard contains the same text:
for each of them, in order, the number of records before it that are read. The stores of a sharded corpus also have
``hashes.bin`` (uint64) and ``hash_rows.bin`` (int64), the hash of each distinct text in order, and its record
(:class:`paralign.corpus.deduplicate.SortedHashes`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from paralign.corpus.joined_array import JoinedArray
from paralign.digests import CheckedArray, FolderDigests, check_schema
from paralign.errors import UserError
from paralign.ragged import ranges, row_starts
from paralign.text.words import piece_words, word_spans

__all__ = ["JOINED", "PLAN", "SCHEMA", "TokenStore", "share_kept"]

SCHEMA = 1
PLAN, JOINED = "plan.json", "joined"
"""In the folder of a sharded corpus: how the text is divided, and the folder that lists the shards."""
Ints = npt.NDArray[np.int64]
Array = CheckedArray | JoinedArray
_DAMAGED = "the store is damaged: build it again"
_POSITIONS = {"index": "pieces", "text_index": "text"}
"""Arrays of positions, and the arrays they are positions in."""
_FILES = ("pieces", "offsets", "index", "text", "text_index", "language", "spec", "line")


class TokenStore:
    """A token store or a sharded corpus, opened for reading; its arrays are memory-mapped, not loaded.

    A block of an array is compared with its digest when it is first read; every method raises a UserError that names
    the file if it is damaged.

    Stores are built by :func:`paralign.corpus.build.build_store` (``paralign corpus build``) and opened with
    :meth:`open`.

    Attributes:
        sides: 2 for pairs, 1 for plain text.
        languages: canonical tags.
        fingerprint: BLAKE2b hash of the arrays, the languages and the tokenizer's id: equal for equal content. That of
            a sharded corpus is another one than that of a store of the same text.
        meta: the content of ``meta.json``.
    """

    def __init__(
        self, path: Path, meta: dict[str, Any], arrays: Mapping[str, Array], gaps: CheckedArray | None = None
    ) -> None:
        self.path = path
        self.meta = meta
        self.sides: int = meta["sides"]
        self.languages: list[str] = meta["languages"]
        self.fingerprint: str = meta["fingerprint"]
        self._n: int = meta["records"]
        self._arrays, self._gap_file = arrays, gaps
        self._pieces, self._offsets, self._index, self._text, self._text_index = (arrays[n] for n in _FILES[:5])
        self._language, self._spec, self._line = (arrays[n] for n in _FILES[5:])

    @classmethod
    def open(cls, path: str | Path) -> TokenStore:
        """Open a store or a sharded corpus; reads only ``meta.json``, digests and the sizes of the files.

        Args:
            path: folder of the store.

        Raises:
            UserError: if the folder is not a store, has another version, a file is missing, truncated or damaged, or a
                shard is missing or not the one that was joined.
        """
        path = Path(path)
        joined = (path / JOINED).is_dir()
        if (path / PLAN).is_file() and not joined:
            hint = "run the same corpus build again: it builds the missing shards and joins them"
            raise UserError("the shards of this corpus are not joined", where=path, hint=hint)
        folder = path / JOINED if joined else path
        digests = FolderDigests(folder, _DAMAGED)
        meta = _read_meta(folder, digests)
        try:
            return cls._open_shards(path, meta, digests) if joined else cls._open_store(path, meta, digests)
        except (KeyError, TypeError, AttributeError):
            raise UserError("the file is damaged", where=folder / "meta.json", hint=_DAMAGED) from None

    @classmethod
    def _open_store(cls, path: Path, meta: dict[str, Any], digests: FolderDigests) -> TokenStore:
        for name, array in meta["arrays"].items():
            file = path / f"{name}.bin"
            size = file.stat().st_size if file.is_file() else None
            if size != array["bytes"]:
                what = "is missing" if size is None else f"has {size:,} bytes, not {array['bytes']:,}"
                raise UserError(what, where=file, hint=_DAMAGED)
        widths = {"offsets": 2, "language": meta["sides"]}
        arrays = {n: digests.array(f"{n}.bin", meta["arrays"][n]["dtype"], widths.get(n)) for n in meta["arrays"]}
        return cls(path, meta, arrays)

    @classmethod
    def _open_shards(cls, path: Path, meta: dict[str, Any], digests: FolderDigests) -> TokenStore:
        shards = []
        hint = f"restore the folder, or remove {path / JOINED} and run the same corpus build again"
        for entry in meta["shards"]:
            folder = path / entry["folder"]
            if not folder.is_dir():
                raise UserError("a shard of the corpus is missing", where=folder, hint=hint)
            shards.append(cls.open(folder))
            if shards[-1].fingerprint != entry["fingerprint"]:
                raise UserError("not the shard that was joined: its content differs", where=folder, hint=hint)
        shifts = {name: _starts([len(shard._arrays[of]) for shard in shards]) for name, of in _POSITIONS.items()}
        arrays = {name: JoinedArray([s.array(name) for s in shards], shifts.get(name)) for name in _FILES}
        return cls(path, meta, arrays, digests.array("gaps.bin", "<i8"))

    def array(self, name: str) -> CheckedArray:
        """Return an array of a store that is not sharded, by the name of its file."""
        array = self._arrays[name]
        assert isinstance(array, CheckedArray)
        return array

    def __len__(self) -> int:
        return self._n

    @cached_property
    def language(self) -> npt.NDArray[np.uint8]:
        """uint8 ``[n, sides]`` index into ``languages``."""
        return self._without_gaps(self._language.all())

    @cached_property
    def spec(self) -> npt.NDArray[np.uint16]:
        """uint16 ``[n]`` index into ``meta["specs"]``."""
        return self._without_gaps(self._spec.all())

    @cached_property
    def line(self) -> Ints:
        """int64 ``[n]`` line in the source file, from 1 (for the small world an index)."""
        return self._without_gaps(self._line.all())

    @cached_property
    def lengths(self) -> npt.NDArray[np.int32]:
        """int32 ``[n, sides]`` number of pieces of each side."""
        return self._without_gaps(self._differences(0, len(self._index) - 1))

    def lengths_of(self, start: int, stop: int) -> npt.NDArray[np.int32]:
        """Return ``lengths`` of the records from ``start`` to before ``stop``, int32 ``[stop - start, sides]``; unlike
        ``lengths``, they are not kept in memory."""
        first, last = self._stored_range(start, stop)
        return self._read_rows(self._differences(first * self.sides, last * self.sides), start, stop)

    def languages_of(self, start: int, stop: int) -> npt.NDArray[np.uint8]:
        """Return ``language`` of the records from ``start`` to before ``stop``, uint8 ``[stop - start, sides]``."""
        first, last = self._stored_range(start, stop)
        return self._read_rows(self._language[first:last], start, stop)

    def language_at(self, records: Ints, sides: Ints) -> Ints:
        """Return the index into ``languages`` of sides of records, ``[r]``."""
        return np.asarray(self._language[self.stored(records)][np.arange(len(records)), sides], np.int64)

    def _differences(self, start: int, stop: int) -> npt.NDArray[np.int32]:
        """Return the numbers of pieces of a range of slots, ``[records, sides]``."""
        index = self._index[start : stop + 1]
        out = np.empty(stop - start, np.int32)
        np.subtract(index[1:], index[:-1], out=out, casting="unsafe")  # without a temporary int64 array
        return out.reshape(-1, self.sides)

    def _stored_range(self, start: int, stop: int) -> tuple[int, int]:
        if start >= stop:
            return 0, 0
        first, last = self.stored(np.array([start, stop - 1])).tolist()
        return first, last + 1

    def _read_rows(self, values: npt.NDArray[Any], start: int, stop: int) -> npt.NDArray[Any]:
        """Return the rows of the records, of the rows of all that are stored from the first to the last of them."""
        if self._gaps is None or len(values) == stop - start:
            return values
        stored = self.stored(np.arange(start, stop))
        return np.asarray(values[stored - stored[0]])

    @cached_property
    def _gaps(self) -> Ints | None:
        """For each stored record that is not read, the number of records before it that are."""
        return self._gap_file.all() if self._gap_file is not None and len(self._gap_file) else None

    def _without_gaps(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the rows of the records that are read."""
        if self._gaps is None:
            return values
        return np.delete(values, self._gaps + np.arange(len(self._gaps)), 0)

    def stored(self, records: Ints) -> Ints:
        """Return the positions of records among all that are stored: larger in a sharded corpus, whose duplicates are
        stored too."""
        records = np.asarray(records, np.int64)
        return records if self._gaps is None else records + np.searchsorted(self._gaps, records, side="right")

    def _slot(self, record: int, side: int) -> int:
        if not (0 <= record < self._n and 0 <= side < self.sides):
            raise IndexError(f"no side {side} of record {record} in {self._n} records of {self.sides} sides")
        return int(self.stored(np.array(record))) * self.sides + int(side)

    def pieces(self, record: int, side: int) -> Ints:
        """Return the piece ids of one side, ``[k]``, without special tokens."""
        slot = self._slot(record, side)
        return np.asarray(self._pieces[self._index[slot] : self._index[slot + 1]], np.int64)

    def offsets(self, record: int, side: int) -> Ints:
        """Return start and end character of each piece in ``text(record, side)``, ``[k, 2]``."""
        slot = self._slot(record, side)
        return np.asarray(self._offsets[self._index[slot] : self._index[slot + 1]], np.int64)

    def text(self, record: int, side: int) -> str:
        """Return the normalized text of one side."""
        slot = self._slot(record, side)
        return str(self._text[self._text_index[slot] : self._text_index[slot + 1]].tobytes(), "utf-8")

    def gather(self, records: Ints, sides: Ints) -> tuple[Ints, Ints]:
        """Return the pieces of many sides at once.

        Args:
            records: ``[r]`` record of each row.
            sides: ``[r]`` side of each row.

        Returns:
            ids ``[sum of lengths]``, concatenated in the order of the rows, and lengths ``[r]``.
        """
        positions, lengths = self.piece_positions(records, sides)
        return self._pieces[positions].astype(np.int64), lengths

    def gather_offsets(self, records: Ints, sides: Ints) -> tuple[Ints, Ints]:
        """Like :meth:`gather`, but return character offsets, ``[sum of lengths, 2]``."""
        positions, lengths = self.piece_positions(records, sides)
        return self._offsets[positions].astype(np.int64), lengths

    def gather_words(self, records: Ints, sides: Ints) -> tuple[Ints, Ints]:
        """Like :meth:`gather`, but return the first word of its side (``word_spans``) that each piece overlaps.

        Words are numbered from 0; -1 for a piece that overlaps none, such as a space.
        """
        offsets, lengths = self.gather_offsets(records, sides)
        out, stop = np.zeros(len(offsets), np.int64), 0
        for record, side, length in zip(records.tolist(), sides.tolist(), lengths.tolist(), strict=True):
            start, stop = stop, stop + length
            out[start:stop] = piece_words(offsets[start:stop], word_spans(self.text(record, side)))
        return out, lengths

    def gather_word_positions(self, records: Ints, sides: Ints) -> tuple[Ints, Ints]:
        """Like :meth:`gather`, but return the position of each piece in its word: 0 for the first.

        A piece that overlaps no word counts as a word of its own.
        """
        words, lengths = self.gather_words(records, sides)
        new = np.append(True, words[1:] != words[:-1])[: len(words)] | (words < 0)
        new[row_starts(lengths)[lengths > 0]] = True
        return np.arange(len(words)) - np.flatnonzero(new)[np.cumsum(new) - 1], lengths

    def piece_positions(self, records: Ints, sides: Ints) -> tuple[Ints, Ints]:
        """Like :meth:`gather`, but return the position of each piece among all pieces that are stored."""
        slots = self.stored(records) * self.sides + np.asarray(sides, np.int64)
        begin = self._index[slots]
        lengths = self._index[slots + 1] - begin
        return ranges(begin, lengths), lengths

    def first_pieces(self, records: Ints) -> Ints:
        """Return the position of the first piece of each record among all pieces that are stored, ``[r]``."""
        return np.asarray(self._index[self.stored(records) * self.sides], np.int64)

    def share_kept(self) -> str:
        """Summarize what was kept: ``kept 93.2 % (18,640 of 20,000): 1,200 too short, 160 duplicate``."""
        counts: dict[str, int] = {}
        for spec in self.meta["specs"]:
            for reason, n in spec["dropped"].items():
                counts[reason] = counts.get(reason, 0) + n
        return share_kept(self._n, counts)


def _read_meta(path: Path, digests: FolderDigests) -> dict[str, Any]:
    digests.check("meta.json")
    try:
        meta: dict[str, Any] = json.loads((path / "meta.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError("no token store here", where=path, hint="build one with paralign corpus build") from None
    except (ValueError, RecursionError):
        raise UserError("not valid JSON", where=path / "meta.json", hint="build the store again") from None
    check_schema(meta, SCHEMA, path, "build the store again")
    return meta


def _starts(sizes: list[int]) -> list[int]:
    return [sum(sizes[:k]) for k in range(len(sizes))]


def share_kept(kept: int, dropped: dict[str, int]) -> str:
    """Summarize numbers of records, the most frequent reason first.

    >>> share_kept(93, {"duplicate": 1, "too short": 6})
    'kept 93.0 % (93 of 100): 6 too short, 1 duplicate'
    """
    total = kept + sum(dropped.values())
    share = f"{kept / total:.1%}".replace("%", " %") if total else "nothing"
    reasons = sorted(((n, reason) for reason, n in dropped.items() if n), key=lambda item: (-item[0], item[1]))
    tail = ", ".join(f"{n:,} {reason}" for n, reason in reasons)
    return f"kept {share} ({kept:,} of {total:,})" + (f": {tail}" if tail else "")
