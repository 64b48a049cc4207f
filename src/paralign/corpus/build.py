"""Build a token store in one pass over the text, in memory that does not grow with it (except 8 bytes per record)."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from paralign.corpus.clean import FilterConfig, nothing_left, sides_are_comparable
from paralign.corpus.deduplicate import Hashes, HashSet, SortedHashes, hash_texts, sentence_hashes
from paralign.corpus.shard_plan import ItemRange, Shard, text_sources
from paralign.corpus.store import SCHEMA, TokenStore
from paralign.digests import write_digests
from paralign.errors import UserError
from paralign.folders import atomic_folder
from paralign.formats.item_errors import OrderedCounts
from paralign.sources.readers import read_rows
from paralign.sources.specs import PairSpec, TextSpec

__all__ = ["Tokenize", "build_store"]

T = TypeVar("T")
Tokenize = Callable[[list[str], str], list[tuple[npt.NDArray[Any], npt.NDArray[Any]]]]
"""Called with texts and their language; returns for each text its piece ids ``[k]`` and character offsets ``[k, 2]``,
without special tokens."""

_MANY_UNKNOWN = 0.2
_BATCH_LINES = 2_000
_BATCH_CHARACTERS = 2_000_000
_DTYPES = {
    "offsets": "<u2", "index": "<i8", "text": "|u1", "text_index": "<i8", "language": "|u1", "spec": "<u2",
    "line": "<i8",
}  # fmt: skip


@dataclass(slots=True)
class _Rows:
    """A batch of lines: texts [rows][sides], their line numbers, and why rows were dropped."""

    texts: list[tuple[str, ...]]
    lines: list[int]
    unreadable: list[tuple[int, str]] = field(default_factory=list)
    """For each line that the reader dropped, the row before which it was, and the reason."""
    reasons: list[str | None] = field(init=False)
    """Why each row was dropped; ``None`` for rows that are kept so far."""
    distinct: tuple[list[int], Hashes] = field(init=False)
    """The rows that are not duplicates, and their hashes."""

    def __post_init__(self) -> None:
        self.reasons = [None] * len(self.texts)

    def kept(self) -> list[int]:
        return [row for row, reason in enumerate(self.reasons) if reason is None]

    def drop(self, rows: Sequence[int], bad: npt.ArrayLike, reason: str) -> None:
        for row, is_bad in zip(rows, np.asarray(bad, np.bool_).tolist(), strict=True):
            if is_bad:
                self.reasons[row] = reason


@dataclass(frozen=True, slots=True)
class _Pieces:
    """The pieces of a batch."""

    ids: list[npt.NDArray[Any]]
    """``[k]`` ids of each side of each row, row by row."""
    offsets: list[npt.NDArray[Any]]
    """``[k, 2]`` character offsets of each side."""
    lengths: npt.NDArray[np.int64]
    """``[rows, sides]`` numbers of pieces."""


def build_store(
    specs: Sequence[PairSpec | TextSpec],
    tokenize: Tokenize,
    out: Path,
    *,
    filter: FilterConfig,
    tokenizer_id: str,
    vocabulary: int | None = None,
    unknown: int | None = None,
    longest: int | None = None,
    lenient: bool = False,
    tokenized: bool = False,
    exclude: HashSet | None = None,
    shard: Shard | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> TokenStore:
    """Read, clean, filter and tokenize text into a store at ``out``.

    The store is written atomically (:func:`paralign.folders.atomic_folder`). Dropped lines are counted for each spec
    under the first reason that applies: those of the readers if ``lenient``, then ``empty``, ``identical``,
    ``duplicate``, ``excluded``, ``too long``, ``too short``. Lines after the limit of a spec are neither read nor
    counted.

    Args:
        specs: either pairs or plain text, not both.
        tokenize: called with several thousand texts of a language at a time, and its tag.
        out: the folder to create.
        filter: which records are kept.
        tokenizer_id: identifies the tokenizer (a hash); part of the fingerprint.
        vocabulary: number of pieces. Ids are stored in 16 bits if it is less than 65,536, otherwise, or if it is
            ``None``, in 32 bits.
        unknown: id of the unknown piece, to say so if no record is left because the tokenizer does not know the text.
        longest: number of pieces of the longest record that the encoder takes, for the same message. None: any.
        lenient: drop lines that cannot be read instead of raising.
        tokenized: whether the words of pairs are separated by spaces; the store keeps them
            (:func:`paralign.text.normalization.normalize_tokens`).
        exclude: hashes of sentences (:func:`paralign.corpus.deduplicate.sentence_hashes`) that no side may equal;
            nothing is excluded if ``None``.
        shard: the part of the text to read; the store may be empty then, and has the hashes of its texts
            (:class:`paralign.corpus.deduplicate.SortedHashes`). Default ``None``: all of it.
        progress: called after each batch with the numbers of lines read and records kept so far.

    Returns:
        The store, opened for reading.

    Raises:
        UserError: for text that cannot be read, if ``out`` exists, the disk is full, or no record is left.
    """
    if not specs:
        raise UserError("no text is given", hint="use --pairs or --text")
    out = Path(out)
    with atomic_folder(out) as part, ExitStack() as stack:
        build = _Build(part, stack, specs, filter, vocabulary, unknown, longest, exclude, shard, tokenized)
        read = 0
        for number, spec in enumerate(specs):
            dropped: Counter[str] = Counter()
            items = (0, None) if shard is None else shard.ranges[number]
            for rows in _batches(spec, lenient, tokenized, dropped, items):
                read += len(rows.texts)
                more = build.add(rows, number, spec, tokenize, dropped)
                if progress is not None:
                    progress(read, build.kept)
                if not more:
                    break
            build.dropped.append(dropped)
        build.finish(tokenizer_id)
    return TokenStore.open(out)


def _batches(
    spec: PairSpec | TextSpec, lenient: bool, tokenized: bool, dropped: Counter[str], items: ItemRange
) -> Iterator[_Rows]:
    if items is None:
        return
    ordered, whole = OrderedCounts(), items == (0, None)
    rows = read_rows(spec, lenient=lenient, dropped=ordered, tokenized=tokenized)
    if not whole:
        rows = _slice(rows, *items, ordered, dropped)
    texts: list[tuple[str, ...]] = []
    lines: list[int] = []
    unreadable: list[tuple[int, str]] = []
    size = 0
    for line, sides in rows:
        reasons = ordered.take()
        if whole:
            unreadable += ((len(texts), reason) for reason in reasons)
        texts.append(sides)
        lines.append(line)
        size += sum(map(len, sides))
        if len(texts) >= _BATCH_LINES or size >= _BATCH_CHARACTERS:
            yield _Rows(texts, lines, unreadable)
            texts, lines, unreadable, size = [], [], [], 0
    if texts:
        yield _Rows(texts, lines, unreadable)
    if whole:
        dropped.update(ordered.take())


def _slice(
    rows: Iterator[T], start: int, stop: int | None, unreadable: Counter[str], dropped: Counter[str]
) -> Iterator[T]:
    """Yield the rows from ``start`` to before ``stop``.

    Args:
        unreadable: where the reader counts what it drops, also as it reads ahead. What it has counted at row ``stop``
            belongs to this slice, except what it had counted at row ``start``, which belongs to the slice before: so
            the counts of all slices add up.
        dropped: the counts of this slice are added to it.
    """
    before = None if start else Counter[str]()
    for number, row in enumerate(rows):
        if number == stop:
            break
        if number >= start:
            before = Counter(unreadable) if before is None else before
            yield row
    if before is not None:
        dropped.update(unreadable - before)


class _Build:
    """Writes the arrays of a store, and counts what was kept and dropped."""

    def __init__(
        self,
        part: Path,
        stack: ExitStack,
        specs: Sequence[PairSpec | TextSpec],
        config: FilterConfig,
        vocabulary: int | None,
        unknown: int | None,
        longest: int | None,
        exclude: HashSet | None,
        shard: Shard | None,
        tokenized: bool,
    ) -> None:
        self.part, self.specs, self.config, self.exclude = part, specs, config, exclude
        self.words_are_given = tokenized
        self.shard, self.distinct = shard, SortedHashes()
        self.unknown, self.tokenized, self.unknown_of = unknown, Counter[str](), Counter[str]()
        self.longest = longest
        self.sides = len(specs[0].languages)
        if any(len(spec.languages) != self.sides for spec in specs):
            raise UserError("pairs and plain text cannot share a store", hint="build two stores")
        self.languages = sorted({tag for spec in specs for tag in spec.languages})
        self.dtypes = {
            "pieces": "<u2" if vocabulary is not None and vocabulary < 65_536 else "<u4",
            **_DTYPES,
        }
        self.bound = vocabulary if vocabulary is not None else 2**32
        self.files = {name: stack.enter_context((part / f"{name}.bin").open("wb")) for name in self.dtypes}
        self.hashes = {name: hashlib.blake2b(digest_size=16) for name in self.dtypes}
        self.sizes = dict.fromkeys(self.dtypes, 0)
        self.seen, self.kept, self.pieces, self.bytes = HashSet(), 0, 0, 0
        self.kept_of: Counter[str] = Counter()  # by language pair, for the limit
        self.kept_by: Counter[int] = Counter()  # by spec
        self.dropped: list[Counter[str]] = []
        self._write("index", np.zeros(1, np.int64))
        self._write("text_index", np.zeros(1, np.int64))

    def _write(self, name: str, array: npt.NDArray[Any]) -> None:
        data = np.ascontiguousarray(array, self.dtypes[name]).tobytes()
        self.files[name].write(data)
        self.hashes[name].update(data)
        self.sizes[name] += len(data)

    def add(
        self, rows: _Rows, number: int, spec: PairSpec | TextSpec, tokenize: Tokenize, dropped: Counter[str]
    ) -> bool:
        """Filter, tokenize and write a batch; return False if the limit of its languages is reached."""
        group = "-".join(sorted(spec.languages))
        room = None if self.config.limit is None else self.config.limit - self.kept_of[group]
        if room is not None and room <= 0:
            return False
        self._filter_text(rows, spec.languages)
        pieces = self._tokenize(rows, spec.languages, tokenize)
        kept = self._filter_lengths(rows, pieces.lengths)
        if room is not None and len(kept) >= room:
            end = rows.kept()[room - 1] + 1
            kept, rows.reasons = kept[:room], rows.reasons[:end]
        dropped.update(reason for row, reason in rows.unreadable if row < len(rows.reasons))
        dropped.update(reason for reason in rows.reasons if reason is not None)
        if self.shard is not None and self.config.drop_duplicates:
            numbers, hashes = rows.distinct
            self.distinct.add(hashes, number, (rows.reasons[row] for row in numbers), self.kept)
        if len(kept):
            self._write_rows(rows, kept, pieces, number, spec)
        self.kept_of[group] += len(kept)
        self.kept_by[number] += len(kept)
        return room is None or len(kept) < room

    def _filter_text(self, rows: _Rows, languages: tuple[str, ...]) -> None:
        everything = range(len(rows.texts))
        rows.drop(everything, [not all(sides) for sides in rows.texts], "empty")
        if self.config.drop_identical and sides_are_comparable(languages):
            kept = rows.kept()
            rows.drop(kept, [rows.texts[row][0] == rows.texts[row][1] for row in kept], "identical")
        if self.config.drop_duplicates:
            kept = rows.kept()
            # Sides in the order of their tags, so that en-de and de-en files have equal keys. Texts contain no line
            # breaks; tokens can contain tabs.
            order = sorted(range(self.sides), key=lambda side: languages[side])
            head = "\n".join(languages[side] for side in order)
            keys = ("\n".join([head, *(rows.texts[row][side] for side in order)]) for row in kept)
            hashes = hash_texts(keys)
            new = self.seen.add_new(hashes)
            rows.drop(kept, ~new, "duplicate")
            rows.distinct = (rows.kept(), hashes[new])
        if self.exclude is not None:
            kept = rows.kept()
            hashes = sentence_hashes(text for row in kept for text in rows.texts[row])
            excluded = self.exclude.contains(hashes).reshape(-1, self.sides).any(1)
            rows.drop(kept, excluded, "excluded")

    def _tokenize(self, rows: _Rows, languages: tuple[str, ...], tokenize: Tokenize) -> _Pieces:
        """Tokenize the rows that are kept so far."""
        kept = rows.kept()
        sides = []
        for side, language in enumerate(languages):
            texts = [rows.texts[row][side] for row in kept]
            sides.append(tokenize(texts, language) if texts else [])
            if len(sides[-1]) != len(texts):
                raise ValueError(f"the tokenizer returned {len(sides[-1])} results for {len(texts)} texts")
            self.tokenized[language] += sum(len(ids) for ids, _ in sides[-1])
            self.unknown_of[language] += sum(int(np.count_nonzero(ids == self.unknown)) for ids, _ in sides[-1])
        encoded = [item for row in zip(*sides, strict=True) for item in row]
        ids, offsets = [item[0] for item in encoded], [item[1] for item in encoded]
        lengths = np.array([len(item) for item in ids], np.int64).reshape(-1, self.sides)
        return _Pieces(ids, offsets, lengths)

    def _filter_lengths(self, rows: _Rows, lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Drop rows by length; return which of the tokenized rows are kept."""
        kept = rows.kept()
        long = lengths.sum(1) > self.config.max_pieces
        short = (lengths < self.config.min_pieces).any(1) & ~long
        rows.drop(kept, long, "too long")
        rows.drop(kept, short, "too short")
        return np.flatnonzero(~short & ~long)

    def _write_rows(
        self,
        rows: _Rows,
        kept: npt.NDArray[np.int64],
        tokenized: _Pieces,
        number: int,
        spec: PairSpec | TextSpec,
    ) -> None:
        slots = (kept[:, None] * self.sides + np.arange(self.sides)).ravel().tolist()
        pieces = np.concatenate([tokenized.ids[slot] for slot in slots])
        if len(pieces) and (int(pieces.min()) < 0 or int(pieces.max()) >= self.bound):
            raise ValueError(f"a piece id is outside the vocabulary of {self.bound}")
        offsets = np.concatenate([np.reshape(tokenized.offsets[slot], (-1, 2)) for slot in slots])
        if len(offsets) != len(pieces):
            raise ValueError("the tokenizer returned ids and offsets of different length")
        sources = rows.kept()
        texts = [text.encode() for row in sources for text in rows.texts[row]]
        assert len(texts) == len(slots)
        self._write("pieces", pieces)
        self._write("offsets", offsets)
        self._write("index", self.pieces + np.cumsum(tokenized.lengths[kept].ravel()))
        self._write("text", np.frombuffer(b"".join(texts), np.uint8))
        ends = self.bytes + np.cumsum([len(text) for text in texts])
        self._write("text_index", ends)
        tags = [self.languages.index(tag) for tag in spec.languages]
        self._write("language", np.tile(np.array(tags, np.uint8), (len(kept), 1)))
        self._write("spec", np.full(len(kept), number))
        self._write("line", np.array([rows.lines[row] for row in sources]))
        self.pieces += len(pieces)
        self.bytes = int(ends[-1])
        self.kept += len(kept)

    def finish(self, tokenizer_id: str) -> None:
        """Write ``meta.json``.

        Raises:
            UserError: if no record is left.
        """
        if not self.kept and self.shard is None:
            raise self._nothing_left()
        for file in self.files.values():
            file.flush()
        content = hashlib.blake2b(digest_size=16)
        content.update(json.dumps([tokenizer_id, self.sides, self.languages, self.dtypes]).encode())
        for name in sorted(self.hashes):
            content.update(self.hashes[name].digest())
        specs = [
            {
                "spec": str(spec),
                "languages": list(spec.languages),
                "kept": self.kept_by[number],
                "dropped": dict(sorted(self.dropped[number].items())),
                **(self.shard.sources[number] if self.shard else text_sources(spec)),
            }
            for number, spec in enumerate(self.specs)
        ]
        meta: dict[str, Any] = {
            "schema": SCHEMA,
            "sides": self.sides,
            "records": self.kept,
            "pieces": self.pieces,
            "languages": self.languages,
            "tokenizer": tokenizer_id,
            "fingerprint": content.hexdigest(),
            "filter": self.config.model_dump(),
            "tokenized": self.words_are_given,
            "specs": specs,
            "arrays": {n: {"dtype": self.dtypes[n], "bytes": self.sizes[n]} for n in self.dtypes},
        }
        if self.shard is not None:
            meta["shard"] = {"number": self.shard.number, "plan": self.shard.plan}
            meta["arrays"] |= self.distinct.write(self.part)
        (self.part / "meta.json").write_text(json.dumps(meta, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        write_digests(self.part, [f"{name}.bin" for name in meta["arrays"]])

    def _nothing_left(self) -> UserError:
        message, hint = nothing_left(sum(self.dropped, Counter()), self.sides, self.config, self.longest)
        shares = {tag: self.unknown_of[tag] / count for tag, count in self.tokenized.items() if count}
        many = "".join(
            f"; {share:.0%} of the pieces of {tag} are unknown to the tokenizer"
            for tag, share in shares.items()
            if share > _MANY_UNKNOWN
        )
        return UserError(message + many, hint=None if many else hint)
