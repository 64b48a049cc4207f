"""Build a token store in one pass over the text, in memory that does not grow with it (except 8 bytes per record)."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from paralign.corpus.clean import FilterConfig, nothing_left, sides_are_comparable
from paralign.corpus.deduplicate import HashSet, SortedHashes, hash_texts, sentence_hashes
from paralign.corpus.shard_plan import Shard, text_sources
from paralign.corpus.store import SCHEMA, TokenStore
from paralign.corpus.text_batches import TextBatch, text_batches
from paralign.digests import write_digests
from paralign.errors import UserError
from paralign.folders import atomic_folder
from paralign.sources.specs import PairSpec, TextSpec

__all__ = ["TextTokenizer", "build_store"]

_MANY_UNKNOWN = 0.2
_DTYPES = {
    "offsets": "<u2", "index": "<i8", "text": "|u1", "text_index": "<i8", "language": "|u1", "spec": "<u2",
    "line": "<i8",
}  # fmt: skip


@dataclass(frozen=True)
class TextTokenizer:
    """A tokenizer, as a token store needs it.

    Attributes:
        tokenize: called with several thousand texts of a language at a time, and its tag; returns for each text its
            piece ids ``[k]`` and character offsets ``[k, 2]``, without special tokens.
        id: identifies the tokenizer (a hash); part of the fingerprint of a store.
        vocabulary: number of pieces. Ids are stored in 16 bits if it is less than 65,536, otherwise, or if it is
            ``None``, in 32 bits.
        unknown: id of the unknown piece, for messages. ``None``: it has none.
    """

    tokenize: Callable[[list[str], str], list[tuple[npt.NDArray[Any], npt.NDArray[Any]]]]
    id: str
    vocabulary: int | None = None
    unknown: int | None = None


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
    tokenizer: TextTokenizer,
    out: Path,
    *,
    filter: FilterConfig,
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
        tokenizer: the tokenizer.
        out: the folder to create.
        filter: which records are kept.
        longest: number of pieces of the longest record that the encoder takes, for the message that no record is left.
            None: any.
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
        build = _Build(part, stack, specs, filter, tokenizer, longest, exclude, shard, tokenized)
        read = 0
        for number, spec in enumerate(specs):
            dropped: Counter[str] = Counter()
            items = (0, None) if shard is None else shard.ranges[number]
            for rows in text_batches(spec, lenient, tokenized, dropped, items):
                read += len(rows.texts)
                more = build.add(rows, number, dropped)
                if progress is not None:
                    progress(read, build.kept)
                if not more:
                    break
            build.dropped.append(dropped)
        build.finish()
    return TokenStore.open(out)


class _Build:
    """Writes the arrays of a store, and counts what was kept and dropped."""

    def __init__(
        self,
        part: Path,
        stack: ExitStack,
        specs: Sequence[PairSpec | TextSpec],
        config: FilterConfig,
        tokenizer: TextTokenizer,
        longest: int | None,
        exclude: HashSet | None,
        shard: Shard | None,
        tokenized: bool,
    ) -> None:
        self.part, self.specs, self.config, self.exclude = part, specs, config, exclude
        self.tokenized = tokenized
        self.shard, self.distinct = shard, SortedHashes()
        self.tokenizer, self.longest = tokenizer, longest
        self.pieces_of, self.unknown_of = Counter[str](), Counter[str]()  # tokenized pieces by language
        self.sides = len(specs[0].languages)
        if any(len(spec.languages) != self.sides for spec in specs):
            raise UserError("pairs and plain text cannot share a store", hint="build two stores")
        self.languages = sorted({tag for spec in specs for tag in spec.languages})
        self.bound = 2**32 if tokenizer.vocabulary is None else tokenizer.vocabulary
        self.dtypes = {"pieces": "<u2" if self.bound < 65_536 else "<u4", **_DTYPES}
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

    def add(self, rows: TextBatch, number: int, dropped: Counter[str]) -> bool:
        """Filter, tokenize and write a batch of a spec; return False if the limit of its languages is reached."""
        languages = self.specs[number].languages
        group = "-".join(sorted(languages))
        room = None if self.config.limit is None else self.config.limit - self.kept_of[group]
        if room is not None and room <= 0:
            return False
        self._filter_text(rows, languages)
        pieces = self._tokenize(rows, languages)
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
            self._write_rows(rows, kept, pieces, number)
        self.kept_of[group] += len(kept)
        self.kept_by[number] += len(kept)
        return room is None or len(kept) < room

    def _filter_text(self, rows: TextBatch, languages: tuple[str, ...]) -> None:
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

    def _tokenize(self, rows: TextBatch, languages: tuple[str, ...]) -> _Pieces:
        """Tokenize the rows that are kept so far."""
        kept = rows.kept()
        sides = []
        for side, language in enumerate(languages):
            texts = [rows.texts[row][side] for row in kept]
            sides.append(self.tokenizer.tokenize(texts, language) if texts else [])
            if len(sides[-1]) != len(texts):
                raise ValueError(f"the tokenizer returned {len(sides[-1])} results for {len(texts)} texts")
            self.pieces_of[language] += sum(len(ids) for ids, _ in sides[-1])
            unknown = self.tokenizer.unknown
            self.unknown_of[language] += sum(int(np.count_nonzero(ids == unknown)) for ids, _ in sides[-1])
        encoded = [item for row in zip(*sides, strict=True) for item in row]
        ids, offsets = [item[0] for item in encoded], [item[1] for item in encoded]
        lengths = np.array([len(item) for item in ids], np.int64).reshape(-1, self.sides)
        return _Pieces(ids, offsets, lengths)

    def _filter_lengths(self, rows: TextBatch, lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Drop rows by length; return which of the tokenized rows are kept."""
        kept = rows.kept()
        long = lengths.sum(1) > self.config.max_pieces
        short = (lengths < self.config.min_pieces).any(1) & ~long
        rows.drop(kept, long, "too long")
        rows.drop(kept, short, "too short")
        return np.flatnonzero(~short & ~long)

    def _write_rows(
        self,
        rows: TextBatch,
        kept: npt.NDArray[np.int64],
        tokenized: _Pieces,
        number: int,
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
        tags = [self.languages.index(tag) for tag in self.specs[number].languages]
        self._write("language", np.tile(np.array(tags, np.uint8), (len(kept), 1)))
        self._write("spec", np.full(len(kept), number))
        self._write("line", np.array([rows.lines[row] for row in sources]))
        self.pieces += len(pieces)
        self.bytes = int(ends[-1])
        self.kept += len(kept)

    def finish(self) -> None:
        """Write ``meta.json``.

        Raises:
            UserError: if no record is left.
        """
        if not self.kept and self.shard is None:
            raise self._nothing_left()
        for file in self.files.values():
            file.flush()
        content = hashlib.blake2b(digest_size=16)
        content.update(json.dumps([self.tokenizer.id, self.sides, self.languages, self.dtypes]).encode())
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
            "tokenizer": self.tokenizer.id,
            "fingerprint": content.hexdigest(),
            "filter": self.config.model_dump(),
            "tokenized": self.tokenized,
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
        shares = {tag: self.unknown_of[tag] / count for tag, count in self.pieces_of.items() if count}
        many = "".join(
            f"; {share:.0%} of the pieces of {tag} are unknown to the tokenizer"
            for tag, share in shares.items()
            if share > _MANY_UNKNOWN
        )
        return UserError(message + many, hint=None if many else hint)
