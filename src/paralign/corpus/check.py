"""Checks of training text before a long run: duplicates, wrong languages, uneven pairs, overlap with tests."""

from __future__ import annotations

import heapq
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from pydantic import Field

from paralign.config import Config
from paralign.corpus.build import TextTokenizer
from paralign.corpus.clean import FilterConfig, sides_are_comparable
from paralign.corpus.deduplicate import HashSet, hash_texts
from paralign.corpus.language_identification import LanguageEstimate, estimate_language
from paralign.corpus.overlap import OverlapSearch
from paralign.errors import file_location
from paralign.formats.item_errors import OrderedCounts
from paralign.formats.tmx import is_tmx
from paralign.languages import base_language
from paralign.sources.line_numbers import lines_are_pairs
from paralign.sources.readers import read_rows
from paralign.sources.specs import PairSpec, TextSpec
from paralign.text.normalization import comparison_key
from paralign.text.scripts import foreign_script
from paralign.text.words import split_words

__all__ = ["CheckConfig", "FlaggedLine", "SideCheck", "TextCheck", "check_text"]

_BATCH = 2_000
_SAMPLE = 1_000
_EXAMPLES = 10
_SMOOTHING = 15
"""Added to lengths in characters: the ratios of short sentences vary more."""
_BINS, _SPAN = 4_096, 16.0
"""Histogram of log2 of the ratio of lengths."""


class CheckConfig(Config):
    """Maximum accepted share of lines with each problem; 1 for problems that training filters out anyway."""

    unreadable: float = Field(default=0.0, ge=0, le=1)
    """Lines that cannot be read: not UTF-8, without a second side, too long ..."""
    empty: float = Field(default=1.0, ge=0, le=1)
    """Pairs with an empty side."""
    identical: float = Field(default=1.0, ge=0, le=1)
    """Pairs with the same text on both sides."""
    duplicates: float = Field(default=1.0, ge=0, le=1)
    """Pairs (or sentences) that occurred before."""
    uneven: float = Field(default=0.05, ge=0, le=1)
    """Pairs with an unusual ratio of lengths."""
    ratio: float = Field(default=3.0, gt=1)
    """A pair is uneven if the ratio of its lengths in characters (plus 15) is this many times the median."""
    script: float = Field(default=0.05, ge=0, le=1)
    """Sentences in a script that is not used for their language."""
    unknown: float = Field(default=0.01, ge=0, le=1)
    """Unknown pieces, if a tokenizer is given."""
    leaks: float = Field(default=0.0, ge=0, le=1)
    """Sentences of a test file that occur in the text, except short ones."""
    short: int = Field(default=20, ge=1)
    """A test sentence with fewer letters and digits is short."""


@dataclass(frozen=True)
class FlaggedLine:
    """A line with a problem, as an example for the reader."""

    line: int
    texts: tuple[str, ...]


@dataclass
class SideCheck:
    """One language of a text."""

    language: str
    foreign: int = 0
    """Sentences in a script that is not used for the language."""
    foreign_lines: list[FlaggedLine] = field(default_factory=list)
    identified: LanguageEstimate | None = None
    """The language of a sample according to py3langid; ``None`` if it cannot be identified."""
    words: int = 0
    pieces: int = 0
    unknown: int = 0
    """Words, pieces and unknown pieces of pairs without an empty side; 0 without a tokenizer."""


@dataclass
class TextCheck:
    """One text: ``SRC-TGT=PATH`` or ``LANG=PATH``.

    Attributes:
        spec, where: the spec, and the file to which line numbers refer.
        lines: number of lines, including unreadable ones.
        dropped: unreadable lines by reason.
        left_out: items that the readers leave out without an error, by reason: units of a translation memory without
            one of the languages, and sentences that ``syn`` cannot reorder.
        empty, identical, duplicates: numbers of pairs (or sentences); pairs with an empty side are not checked further.
        nearly_identical, nearly_duplicates: equal only up to case, punctuation and spaces.
        ratio: median ratio of lengths in characters, second side to first; nan for plain text.
        uneven: pairs with a ratio far from the median.
        too_short, too_long: pairs dropped by the length filter; ``None`` without a tokenizer.
    """

    spec: str
    where: str
    sides: list[SideCheck]
    lines: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
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


class _SeenTexts:
    """Hashes of the pairs of two languages in all files, to find duplicates."""

    def __init__(self) -> None:
        self.exact, self.near = HashSet(), HashSet()


def check_text(
    specs: Sequence[PairSpec | TextSpec],
    config: CheckConfig,
    *,
    leaks: OverlapSearch | None = None,
    tokenizer: TextTokenizer | None = None,
    filter: FilterConfig | None = None,
    limit: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[TextCheck]:
    """Read text once and count its problems; unreadable lines are counted too.

    Needs 16 bytes of memory per pair to find duplicates, and room for samples.

    Args:
        specs: pairs, plain text, or both.
        config: which pairs are uneven.
        leaks: the search for test sentences, applied to every side.
        tokenizer: counts unknown pieces, and pairs that are too short or too long; not counted if ``None``.
        filter: limits of lengths in pieces; the defaults if ``None``.
        limit: check only this many lines of each text, unreadable ones included; all if ``None``.
        progress: called with the number of lines read so far.

    Raises:
        UserError: for files that do not exist or are not text.
    """
    seen: dict[tuple[str, ...], _SeenTexts] = {}
    results, read = [], 0
    for spec in specs:
        where = spec.paths[0] if spec.paths else spec.path
        result = TextCheck(str(spec), where, [SideCheck(tag) for tag in spec.languages])
        checker = _Checker(result, spec.languages, config, seen.setdefault(tuple(sorted(spec.languages)), _SeenTexts()))
        dropped: Counter[str] = Counter()
        for lines, rows in _batches(spec, limit, dropped):
            read += len(rows)
            kept, keys = checker.add(lines, rows)
            if leaks is not None:
                for side in range(len(spec.languages)):
                    files = spec.paths if lines_are_pairs(spec) else spec.paths[:1]  # the lines are those of the first
                    path = files[min(side, len(files) - 1)] if files else spec.path
                    where_kept = [file_location(path, lines[k]) for k in kept]
                    leaks.search([rows[k][side] for k in kept], [key[side] for key in keys], where_kept)
            if tokenizer is not None:
                checker.count_pieces([rows[k] for k in kept], tokenizer, filter or FilterConfig())
            if progress is not None:
                progress(read)
        reasons = {"not projective, or crowded"} | ({"missing language"} if is_tmx(spec.path) else set())
        result.left_out = {reason: dropped.pop(reason) for reason in sorted(reasons & {*dropped})}
        checker.finish(dropped)
        results.append(result)
    return results


def _batches(
    spec: PairSpec | TextSpec, limit: int | None, dropped: Counter[str]
) -> Iterator[tuple[list[int], list[tuple[str, ...]]]]:
    unreadable, left = OrderedCounts(), sys.maxsize if limit is None else limit
    lines: list[int] = []
    rows: list[tuple[str, ...]] = []
    for line, texts in read_rows(spec, lenient=True, dropped=unreadable):
        reasons = unreadable.take()[:left]
        dropped.update(reasons)
        left -= len(reasons)
        if left:
            left -= 1
            lines.append(line)
            rows.append(texts)
        if not left:
            break
        if len(rows) == _BATCH:
            yield lines, rows
            lines, rows = [], []
    dropped.update(unreadable.take()[:left])
    if rows:
        yield lines, rows


class _Checker:
    """Fills the result of one text batch by batch."""

    def __init__(self, result: TextCheck, languages: tuple[str, ...], config: CheckConfig, seen: _SeenTexts) -> None:
        self.result, self.languages, self.config, self.seen = result, languages, config, seen
        self.order = sorted(range(len(languages)), key=lambda side: languages[side])
        self.is_pair, self.comparable = len(languages) == 2, sides_are_comparable(languages)
        self.rng = random.Random(0)
        self.samples: list[list[str]] = [[] for _ in languages]
        self.read = 0
        self.ratios = np.zeros(_BINS, np.int64)
        self.worst: list[tuple[float, int, tuple[str, ...]]] = []

    def add(self, lines: list[int], rows: list[tuple[str, ...]]) -> tuple[list[int], list[tuple[str, ...]]]:
        """Add a batch; return the rows without an empty side, and their keys."""
        result = self.result
        kept = [k for k, row in enumerate(rows) if all(row)]
        result.lines += len(rows)
        result.empty += len(rows) - len(kept)
        keys = [tuple(map(comparison_key, rows[k])) for k in kept]
        if self.comparable:
            same = sum(rows[k][0] == rows[k][1] for k in kept)
            result.identical += same
            result.nearly_identical += sum(key[0] == key[1] for key in keys) - same
        new = self.seen.exact.add_new(self._hashes([rows[k] for k in kept]))
        nearly_new = self.seen.near.add_new(
            self._hashes([k if all(k) else rows[n] for n, k in zip(kept, keys, strict=True)])
        )
        result.duplicates += int((~new).sum())
        result.nearly_duplicates += int((new & ~nearly_new).sum())
        for side, (checked, tag) in enumerate(zip(result.sides, self.languages, strict=True)):
            for k in kept:
                text = rows[k][side]
                if foreign_script(text, tag):
                    checked.foreign += 1
                    if len(checked.foreign_lines) < _EXAMPLES:
                        checked.foreign_lines.append(FlaggedLine(lines[k], rows[k]))
        self._sample([rows[k] for k, key in zip(kept, keys, strict=True) if all(key)])
        if self.is_pair and kept:
            self._lengths([lines[k] for k in kept], [rows[k] for k in kept])
        return kept, keys

    def _hashes(self, rows: Sequence[tuple[str, ...]]) -> npt.NDArray[np.uint64]:
        return hash_texts("\n".join(row[side] for side in self.order) for row in rows)

    def _sample(self, rows: Sequence[tuple[str, ...]]) -> None:
        """Reservoir sampling: every line is equally likely to be in the sample (Vitter 1985, algorithm R)."""
        for row in rows:
            self.read += 1
            position = self.rng.randrange(self.read)
            for sample, text in zip(self.samples, row, strict=True):
                if len(sample) < _SAMPLE:
                    sample.append(text)
                elif position < _SAMPLE:
                    sample[position] = text

    def _lengths(self, lines: list[int], rows: list[tuple[str, ...]]) -> None:
        sizes = np.array([[len(text) for text in row] for row in rows], np.float64) + _SMOOTHING
        logs = np.log2(sizes[:, 1] / sizes[:, 0])
        np.add.at(self.ratios, np.clip((logs / _SPAN + 0.5) * _BINS, 0, _BINS - 1).astype(np.int64), 1)
        distances = np.abs(logs - self._median())
        for k in np.flatnonzero(distances > np.log2(self.config.ratio)).tolist():
            item = (float(distances[k]), -lines[k], rows[k])
            (heapq.heappush if len(self.worst) < _EXAMPLES else heapq.heappushpop)(self.worst, item)

    def _median(self) -> float:
        middle = int(np.searchsorted(np.cumsum(self.ratios), (self.ratios.sum() + 1) // 2))
        return ((middle + 0.5) / _BINS - 0.5) * _SPAN

    def count_pieces(self, rows: Sequence[tuple[str, ...]], tokenizer: TextTokenizer, filter: FilterConfig) -> None:
        """Count words, pieces, unknown pieces, and pairs that are too short or too long."""
        lengths = np.zeros((len(rows), len(self.languages)), np.int64)
        for side, (checked, tag) in enumerate(zip(self.result.sides, self.languages, strict=True)):
            texts = [row[side] for row in rows]
            for k, (ids, _) in enumerate(tokenizer.tokenize(texts, tag) if texts else []):
                lengths[k, side] = len(ids)
                checked.unknown += 0 if tokenizer.unknown is None else int((ids == tokenizer.unknown).sum())
            checked.pieces += int(lengths[:, side].sum())
            checked.words += sum(map(len, split_words(texts)))
        long = lengths.sum(1) > filter.max_pieces
        short = (lengths < filter.min_pieces).any(1) & ~long
        self.result.too_long = (self.result.too_long or 0) + int(long.sum())
        self.result.too_short = (self.result.too_short or 0) + int(short.sum())

    def finish(self, dropped: Counter[str]) -> None:
        """Compute what depends on the whole text."""
        result = self.result
        result.dropped = dict(dropped.most_common())
        result.lines += dropped.total() + sum(result.left_out.values())
        for checked, sample, tag in zip(result.sides, self.samples, self.languages, strict=True):
            checked.identified = estimate_language(sample, base_language(tag))
        if self.is_pair and self.ratios.sum():
            median = self._median()
            result.ratio = 2**median
            centers = ((np.arange(_BINS) + 0.5) / _BINS - 0.5) * _SPAN
            result.uneven = int(self.ratios[np.abs(centers - median) > np.log2(self.config.ratio)].sum())
            result.uneven_lines = [FlaggedLine(-line, texts) for _, line, texts in sorted(self.worst, reverse=True)]
