"""A look at training text before anything long is begun with it: what is in it that should not be."""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import numpy.typing as npt
from pydantic import Field

from paralign.config import Config
from paralign.corpus.build import Tokenize
from paralign.corpus.clean import FilterConfig, HashSet, comparable, hash_texts
from paralign.corpus.language_identification import LanguageEstimate, estimate_language
from paralign.corpus.leaks import OverlapSearch
from paralign.errors import file_location
from paralign.languages import parse_derived
from paralign.sources.readers import read_pairs, read_text
from paralign.sources.specs import PairSpec, TextSpec
from paralign.text.normalization import comparison_key
from paralign.text.scripts import foreign_script
from paralign.text.words import word_spans

__all__ = ["CheckConfig", "SideCheck", "TextCheck", "FlaggedLine", "check_text"]

_BATCH = 2_000
_SAMPLE = 1_000
_SHOWN = 10
_SMOOTH = 15
"""Added to lengths in characters: those of short sentences vary more."""
_BINS, _SPAN = 4_096, 16.0
"""Of log2 of a ratio of lengths."""


class CheckConfig(Config):
    """Shares of lines beyond which a finding is a fault; 1 for what training drops by itself, so that it never is."""

    unreadable: float = Field(default=0.0, ge=0, le=1)
    """Lines that are not UTF-8, have no second side, are too long ..."""
    empty: float = Field(default=1.0, ge=0, le=1)
    """Pairs with an empty side."""
    identical: float = Field(default=1.0, ge=0, le=1)
    """Pairs whose sides are the same."""
    duplicates: float = Field(default=1.0, ge=0, le=1)
    """Pairs (sentences) that came before."""
    uneven: float = Field(default=0.05, ge=0, le=1)
    """Pairs whose lengths do not fit each other."""
    ratio: float = Field(default=3.0, gt=1)
    """A pair is uneven if the ratio of its lengths in characters, 15 added to both, is so many times the usual one."""
    script: float = Field(default=0.05, ge=0, le=1)
    """Sentences in a script their language is not written in."""
    unknown: float = Field(default=0.01, ge=0, le=1)
    """Unknown pieces, where there is a tokenizer."""
    leaks: float = Field(default=0.0, ge=0, le=1)
    """Sentences of a test file that stand in the text, short ones left out."""
    short: int = Field(default=20, ge=1)
    """Letters and digits below which a test sentence is short."""


@dataclass(frozen=True)
class FlaggedLine:
    """A line a person should look at."""

    line: int
    texts: tuple[str, ...]


@dataclass
class SideCheck:
    """One language of a text."""

    language: str
    foreign: int = 0
    """Sentences in a script the language is not written in."""
    foreign_lines: list[FlaggedLine] = field(default_factory=list)
    identified: LanguageEstimate | None = None
    """What py3langid makes of a sample; ``None`` where it cannot tell."""
    words: int = 0
    pieces: int = 0
    unknown: int = 0
    """Words, pieces and unknown pieces of what is not empty; 0 without a tokenizer."""


@dataclass
class TextCheck:
    """One text: ``SRC-TGT=PATH`` or ``LANG=PATH``.

    Attributes:
        spec, where: as given, and the file in whose lines is counted.
        lines: lines read, those that could not be read among them.
        dropped: those, by reason.
        empty, identical, duplicates: pairs (sentences); what is empty is not looked at further.
        nearly_identical, nearly_duplicates: the same but for case, punctuation and spaces.
        ratio: median of the ratio of lengths in characters, second side to first; nan for plain text.
        uneven: pairs far from it.
        too_short, too_long: by the filter's pieces, ``None`` without a tokenizer.
    """

    spec: str
    where: str
    sides: list[SideCheck]
    lines: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    empty: int = 0
    identical: int = 0
    nearly_identical: int = 0
    duplicates: int = 0
    nearly_duplicates: int = 0
    ratio: float = float("nan")
    uneven: int = 0
    uneven_lines: list[FlaggedLine] = field(default_factory=list)
    too_short: int | None = None
    too_long: int | None = None


class _Looked:
    """Duplicates of a pair of languages, over all files."""

    def __init__(self) -> None:
        self.exact, self.near = HashSet(), HashSet()


def check_text(
    specs: Sequence[PairSpec | TextSpec],
    config: CheckConfig,
    *,
    leaks: OverlapSearch | None = None,
    tokenize: Tokenize | None = None,
    unknown: int | None = None,
    filter: FilterConfig | None = None,
    limit: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[TextCheck]:
    """Read text once, whatever can be read of it, and say what is in it.

    Memory: 16 bytes a pair for duplicates, and samples.

    Args:
        specs: pairs, plain text, or both.
        config: what is uneven.
        leaks: takes in every side.
        tokenize: cuts text into pieces, to count those that are unknown and texts that are too long; ``None`` for none.
        unknown: id of the unknown piece, if there is one.
        filter: lengths in pieces.
        limit: look at the first so many lines of each.
        progress: called with the lines read so far.

    Raises:
        UserError: for files that are missing or no text at all.
    """
    seen: dict[tuple[str, ...], _Looked] = {}
    out, read = [], 0
    for spec in specs:
        where = spec.paths[0] if spec.paths else spec.path
        found = TextCheck(str(spec), where, [SideCheck(tag) for tag in spec.languages])
        look = _Look(found, spec.languages, config, seen.setdefault(tuple(sorted(spec.languages)), _Looked()))
        dropped: Counter[str] = Counter()
        for lines, rows in _batches(spec, limit, dropped):
            read += len(rows)
            kept, keys = look.add(lines, rows)
            if leaks is not None:
                for side in range(len(spec.languages)):
                    path = spec.paths[min(side, len(spec.paths) - 1)] if spec.paths else spec.path
                    places = [file_location(path, lines[k]) for k in kept]
                    leaks.look([rows[k][side] for k in kept], [key[side] for key in keys], places)
            if tokenize is not None:
                look.count_pieces([rows[k] for k in kept], tokenize, unknown, filter or FilterConfig())
            if progress is not None:
                progress(read)
        look.finish(dropped)
        out.append(found)
    return out


def _batches(
    spec: PairSpec | TextSpec, limit: int | None, dropped: Counter[str]
) -> Iterator[tuple[list[int], list[tuple[str, ...]]]]:
    found: Iterator[tuple[int, tuple[str, ...]]]
    if isinstance(spec, PairSpec):
        found = ((pair.line, (pair.source, pair.target)) for pair in read_pairs(spec, lenient=True, dropped=dropped))
    else:
        found = ((line, (text,)) for line, text in read_text(spec, lenient=True, dropped=dropped))
    found = islice(found, limit)
    while batch := list(islice(found, _BATCH)):
        yield [line for line, _ in batch], [texts for _, texts in batch]


class _Look:
    def __init__(self, found: TextCheck, languages: tuple[str, ...], config: CheckConfig, seen: _Looked) -> None:
        self.found, self.languages, self.config, self.seen = found, languages, config, seen
        self.order = sorted(range(len(languages)), key=lambda side: languages[side])
        self.two, self.comparable = len(languages) == 2, comparable(languages)
        self.rng = random.Random(0)
        self.samples: list[list[str]] = [[] for _ in languages]
        self.read = 0
        self.ratios = np.zeros(_BINS, np.int64)
        self.worst: list[tuple[float, int, tuple[str, ...]]] = []

    def add(self, lines: list[int], rows: list[tuple[str, ...]]) -> tuple[list[int], list[tuple[str, ...]]]:
        """Take in a batch; which rows are not empty, and their keys."""
        found = self.found
        kept = [k for k, row in enumerate(rows) if all(row)]
        found.lines += len(rows)
        found.empty += len(rows) - len(kept)
        keys = [tuple(map(comparison_key, rows[k])) for k in kept]
        if self.comparable:
            same = sum(rows[k][0] == rows[k][1] for k in kept)
            found.identical += same
            found.nearly_identical += sum(key[0] == key[1] for key in keys) - same
        add_new = self.seen.exact.add_new(self._hashes([rows[k] for k in kept]))
        near = self.seen.near.add_new(self._hashes([k if all(k) else rows[n] for n, k in zip(kept, keys, strict=True)]))
        found.duplicates += int((~add_new).sum())
        found.nearly_duplicates += int((add_new & ~near).sum())
        for side, (checked, tag) in enumerate(zip(found.sides, self.languages, strict=True)):
            for k in kept:
                text = rows[k][side]
                if foreign_script(text, tag):
                    checked.foreign += 1
                    if len(checked.foreign_lines) < _SHOWN:
                        checked.foreign_lines.append(FlaggedLine(lines[k], rows[k]))
        self._sample([rows[k] for k, key in zip(kept, keys, strict=True) if all(key)])
        if self.two and kept:
            self._lengths([lines[k] for k in kept], [rows[k] for k in kept])
        return kept, keys

    def _hashes(self, rows: Sequence[tuple[str, ...]]) -> npt.NDArray[np.uint64]:
        return hash_texts("\t".join(row[side] for side in self.order) for row in rows)

    def _sample(self, rows: Sequence[tuple[str, ...]]) -> None:
        """Reservoir sampling: every line is equally likely to be in the sample (Vitter 1985, algorithm R)."""
        for row in rows:
            self.read += 1
            place = self.rng.randrange(self.read)
            for sample, text in zip(self.samples, row, strict=True):
                if len(sample) < _SAMPLE:
                    sample.append(text)
                elif place < _SAMPLE:
                    sample[place] = text

    def _lengths(self, lines: list[int], rows: list[tuple[str, ...]]) -> None:
        sizes = np.array([[len(text) for text in row] for row in rows], np.float64) + _SMOOTH
        logs = np.log2(sizes[:, 1] / sizes[:, 0])
        np.add.at(self.ratios, np.clip((logs / _SPAN + 0.5) * _BINS, 0, _BINS - 1).astype(np.int64), 1)
        far = np.abs(logs - self._median())
        for k in np.flatnonzero(far > np.log2(self.config.ratio)).tolist():
            item = (float(far[k]), -lines[k], rows[k])
            (heapq.heappush if len(self.worst) < _SHOWN else heapq.heappushpop)(self.worst, item)

    def _median(self) -> float:
        place = int(np.searchsorted(np.cumsum(self.ratios), (self.ratios.sum() + 1) // 2))
        return ((place + 0.5) / _BINS - 0.5) * _SPAN

    def count_pieces(
        self, rows: Sequence[tuple[str, ...]], tokenize: Tokenize, unknown: int | None, filter: FilterConfig
    ) -> None:
        """Lengths in pieces, and how words fall into them."""
        lengths = np.zeros((len(rows), len(self.languages)), np.int64)
        for side, (checked, tag) in enumerate(zip(self.found.sides, self.languages, strict=True)):
            texts = [row[side] for row in rows]
            for k, (ids, _) in enumerate(tokenize(texts, tag) if texts else []):
                lengths[k, side] = len(ids)
                checked.unknown += 0 if unknown is None else int((ids == unknown).sum())
            checked.pieces += int(lengths[:, side].sum())
            checked.words += sum(len(word_spans(text)) for text in texts)
        long = lengths.sum(1) > filter.max_pieces
        short = (lengths < filter.min_pieces).any(1) & ~long
        self.found.too_long = (self.found.too_long or 0) + int(long.sum())
        self.found.too_short = (self.found.too_short or 0) + int(short.sum())

    def finish(self, dropped: Counter[str]) -> None:
        """What can only be told at the end."""
        found = self.found
        found.dropped = dict(dropped.most_common())
        found.lines += dropped.total()
        for checked, sample, tag in zip(found.sides, self.samples, self.languages, strict=True):
            made = parse_derived(tag)
            checked.identified = estimate_language(sample, tag if made is None else made.base)
        if self.two and self.ratios.sum():
            middle = self._median()
            found.ratio = 2**middle
            centres = ((np.arange(_BINS) + 0.5) / _BINS - 0.5) * _SPAN
            found.uneven = int(self.ratios[np.abs(centres - middle) > np.log2(self.config.ratio)].sum())
            found.uneven_lines = [FlaggedLine(-line, texts) for _, line, texts in sorted(self.worst, reverse=True)]
