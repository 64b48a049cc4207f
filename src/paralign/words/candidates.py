"""The candidate links of a text: the cells that two aligners keep, and IBM model 2 trained on these alone.

A *cell* is one source word with one target word of the same sentence pair. A corpus of 100,000 pairs of 22 words has 55
million cells, of which ten million are candidates.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from paralign.words.bitext import Bitext
from paralign.words.candidate_kernels import (
    BINS,
    BINS_PER_OCTAVE,
    add_posteriors,
    diagonal_scale,
    fill_candidates,
    fill_words,
    mark_candidates,
    sort_tokens,
    transpose_candidates,
)
from paralign.words.cells import Direction, directions_of
from paralign.words.compiled import FLOOR
from paralign.words.ibm_kernels import decay_tables, expect_candidates, weigh_pairs
from paralign.words.ibm_model import IbmParameters, estimate_null, fit_tension

__all__ = ["CandidateParameters", "CandidateSearch", "Candidates", "score_candidates", "train_on_candidates"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Candidates:
    """The cells of one direction that may be linked, by generated word.

    Shapes:
        entries: ``[generated tokens + 1]``
        position, pair: ``[candidates]``
        types: ``[generating words]``

    Attributes:
        direction: the direction.
        entries: int32 or int64, where the candidates of each generated token begin.
        position: uint16, position of the generating word in its sentence.
        pair: uint32, number of the distinct word pair; first those with several candidates.
        types: int32, number of generated words that each generating word occurs with in the text.
        repeated: number of distinct word pairs with several candidates.
        distinct: number of distinct word pairs.
    """

    direction: Direction
    entries: Array
    position: Array
    pair: Array
    types: Array
    repeated: int
    distinct: int

    def __len__(self) -> int:
        return len(self.position)

    def cell(self, cells: Array) -> Array:
        """Return the cell of each candidate.

        Args:
            cells: int64 ``[pairs + 1]``, where the cells of each pair begin.
        """
        starts, lengths = self.direction.starts, np.diff(self.direction.starts, axis=1)
        row = np.repeat(np.arange(starts.shape[1] - 1), lengths[1])
        token = np.repeat(np.arange(len(row)), np.diff(self.entries))
        row = row[token]
        place = token - starts[1, row]
        if self.direction.by_row:
            return np.asarray(cells[row] + self.position.astype(np.int64) * lengths[1, row] + place)
        return np.asarray(cells[row] + place * lengths[0, row] + self.position)

    def without_pairs(self) -> Candidates:
        """Return the same without the numbers of word pairs, which posteriors do not need."""
        return replace(self, pair=np.empty(0, np.uint32))

    def pair_words(self) -> tuple[Array, Array]:
        """Return the source and the target word of each distinct pair, int32."""
        generating, generated = np.empty(self.distinct, np.int32), np.empty(self.distinct, np.int32)
        text = (self.direction.words, self.direction.starts, self.entries, self.position, self.pair)
        fill_words(*text, generating, generated)
        return (generating, generated) if self.direction.by_row else (generated, generating)


@dataclass(frozen=True)
class _Marks:
    """The cells that reach a threshold.

    Attributes:
        bits: uint8, one bit for each cell, those of each source token from a byte on.
        kept: uint16 ``[source tokens]``, number of these cells.
        distinct: int32 ``[2, source words]``, number of distinct word pairs with several of them, and with one.
        histogram: int64 ``[BINS]``, number of these cells by the agreement of both directions, where it is needed.
    """

    bits: Array
    kept: Array
    distinct: Array
    histogram: Array


class CandidateSearch:
    """Finds the cells whose posterior under IBM model 2 reaches a threshold in either direction.

    The posteriors are those after a single pass of maximum likelihood, which is not sure of anything yet, so that few
    links are lost. Nothing depends on the number of threads.

    Args:
        bitext: the text.
        share: probability of null.
        tension: of the diagonal prior.
        threads: 1 or 2 are used.

    Attributes:
        types: number of words that each source word and that each target word occurs with, int32.
    """

    def __init__(self, bitext: Bitext, *, share: float, tension: float, threads: int) -> None:
        source, target, starts = bitext.source, bitext.target, bitext.starts
        sizes = (len(source.vocabulary), len(target.vocabulary))
        begin = np.concatenate([[0], np.cumsum(np.bincount(source.ids, minlength=sizes[0]))])
        order = (begin, np.empty(len(source.ids), np.int32), np.empty(len(source.ids), np.int32))
        sort_tokens(source.ids, starts, *order)
        # Two ranges of source words with about as many tokens each, whatever the number of threads.
        middle = int(np.searchsorted(begin, len(source.ids) / 2))
        self._ranges = ((0, middle), (middle, sizes[0]))
        self._threads = min(2, threads)
        self._bitext, self._text = bitext, (target.ids, starts, order)
        self._prior = (share, tension, decay_tables(tension))
        self._scale = np.zeros(len(target.ids), np.float32)
        diagonal_scale(starts, self._prior, self._scale)
        sums = [np.zeros(len(target.ids), np.float32) for _ in range(2)]
        best = [np.zeros(len(target.ids), np.float32) for _ in range(2)]
        totals = [np.zeros(sizes[1]) for _ in range(2)]
        types = [(np.zeros(sizes[0], np.int32), np.zeros(sizes[1], np.int32)) for _ in range(2)]
        self._run(add_posteriors, self._prior, self._scale, each=(sums, best, totals, types))
        self.types = (types[0][0] + types[1][0], types[0][1] + types[1][1])
        self._totals = totals[0] + totals[1]
        self._null = _frequencies(source.ids, sizes[0])
        sums[0] += sums[1]
        sums[0] += share * _frequencies(target.ids, sizes[1])[target.ids]
        np.maximum(best[0], best[1], out=best[0])
        self._best = np.divide(sums[0], best[0], out=best[1], where=best[0] > 0)
        self._weights = np.divide(self._scale, sums[0], out=sums[0])
        bytes_of_row = source.lengths * ((target.lengths + 7) // 8)
        self._bytes = np.concatenate([[0], np.cumsum(bytes_of_row)])

    def _run(self, kernel: Callable[..., None], *shared: Any, each: tuple[Any, ...] = ()) -> None:
        """Call a kernel for both ranges of source words; ``each``: arguments with one value for each range."""
        with ThreadPoolExecutor(self._threads) as pool:
            jobs = [
                pool.submit(kernel, *some, *self._text, *shared, *(values[k] for values in each))
                for k, some in enumerate(self._ranges)
            ]
            for job in jobs:
                job.result()

    def _mark(self, threshold: float, least: float | None) -> _Marks:
        """Mark the cells whose posterior reaches a threshold; ``least``: smallest agreement, ``None`` if all do."""
        source_words, tokens = len(self._bitext.source.vocabulary), len(self._bitext.source.ids)
        bits = np.zeros(self._bytes[-1], np.uint8)
        kept, distinct = np.zeros(tokens, np.uint16), np.zeros((2, source_words), np.int32)
        histograms = [np.zeros(BINS, np.int64) for _ in range(2)]
        best = self._best[:0] if least is None else self._best
        weights = (self._scale, self._weights, best, self._totals, self._null)
        shared = (self._prior, *weights, threshold, least or 0.0, bits, self._bytes, kept, distinct)
        self._run(mark_candidates, *shared, each=(histograms,))
        return _Marks(bits, kept, distinct, histograms[0] + histograms[1])

    def find(self, threshold: float, most: Callable[[float], int] | None = None) -> tuple[Candidates, Candidates]:
        """Return the cells whose posterior reaches a threshold in either direction, as candidates of both directions.

        Args:
            threshold: smallest posterior.
            most: called with the number of distinct word pairs for each candidate; returns the largest number of
                candidates. If there are more, those are left out on which both directions agree least: the geometric
                mean of both posteriors, each divided by the largest of its token, is smallest. Default ``None``: no
                limit.
        """
        marks, bins = self._mark(threshold, None if most is None else 0.0), BINS
        while most is not None:
            count = int(marks.kept.sum(dtype=np.int64))
            limit = most(int(marks.distinct.sum()) / max(1, count))
            if count <= limit:
                break
            fitting = int(np.searchsorted(np.cumsum(marks.histogram), limit, side="right"))
            bins = min(fitting, bins - 1)
            marks = self._mark(threshold, 2 ** (-bins / BINS_PER_OCTAVE))
        return self._candidates(marks)

    def _candidates(self, marks: _Marks) -> tuple[Candidates, Candidates]:
        """Return the marked cells as the candidates of both directions."""
        starts = self._bitext.starts
        entries = np.concatenate([[0], np.cumsum(marks.kept, dtype=np.int64)])
        entries = entries.astype(np.int32 if entries[-1] < 2**31 else np.int64)
        ends = np.cumsum(marks.distinct, dtype=np.int64)
        numbers = (ends - marks.distinct.ravel()).reshape(2, -1)
        position, pair = np.empty(entries[-1], np.uint16), np.empty(entries[-1], np.uint32)
        self._run(fill_candidates, marks.bits, self._bytes, entries, numbers, position, pair)
        other = (np.zeros(starts[1, -1] + 1, entries.dtype), np.empty_like(position), np.empty_like(pair))
        transpose_candidates(starts, entries, position, pair, *other)
        repeated, distinct = int(marks.distinct[0].sum()), int(marks.distinct.sum())
        forward, backward = directions_of(self._bitext)
        return (
            Candidates(forward, *other, self.types[0], repeated, distinct),
            Candidates(backward, entries, position, pair, self.types[1], repeated, distinct),
        )


def _frequencies(ids: Array, size: int) -> Array:
    """Return the relative frequency of each word; float32, at least ``FLOOR``."""
    return np.asarray(np.maximum(np.bincount(ids, minlength=size) / max(1, len(ids)), FLOOR), np.float32)


@dataclass
class CandidateParameters(IbmParameters):
    """Parameters of one direction of IBM model 2, of the distinct word pairs among the candidates.

    Attributes:
        lexical: float32 ``[distinct pairs]``, proportional to the probabilities; ``[0]`` stands for uniform ones.
        inverse: float64 ``[generating words]``, the factor that makes ``lexical`` probabilities.
    """

    inverse: Array

    def probabilities(self, generating: Array) -> Array:
        """Return p(generated word | generating word) of each distinct pair, float32.

        Args:
            generating: the generating word of each.
        """
        return np.asarray(np.maximum(self.lexical * self.inverse[generating], FLOOR), np.float32)


def train_on_candidates(
    candidates: Candidates, *, iterations: int, alpha: float, share: float, tension: float
) -> CandidateParameters:
    """Train IBM model 2 on the candidates of one direction; all other cells have probability 0.

    Args:
        candidates: the candidates.
        iterations: passes over them.
        alpha: Dirichlet prior of the variational-Bayes M-step; 0 is maximum likelihood.
        share: probability of null, fixed.
        tension: initial tension, re-estimated as in :func:`paralign.words.ibm_model.train_ibm`.
    """
    direction, none = candidates.direction, np.empty(0, np.uint8)
    sizes = direction.sizes
    text = (direction.words, direction.starts, candidates.entries, candidates.position, candidates.pair)
    shapes = direction.shapes()
    model = CandidateParameters(
        np.empty(0, np.float32), np.ones(sizes[1], np.float32), share, tension, np.ones(sizes[0])
    )
    for step in range(iterations):
        counts, totals, null = np.zeros(candidates.distinct, np.float32), np.zeros(sizes[0]), np.zeros(sizes[1])
        prior = (share, model.tension, decay_tables(model.tension))
        distance = expect_candidates(
            *text, model.lexical, model.inverse, model.null, prior, counts, totals, null, none, 1.0
        )  # fmt: skip
        weigh_pairs(counts, totals, candidates.types, alpha)
        model.lexical, model.inverse, model.null = counts, totals, estimate_null(null, alpha)
        if step:
            model.tension = fit_tension(distance / len(direction.words[1]), shapes, model.tension)
    return model


def score_candidates(candidates: Candidates, model: CandidateParameters, dtype: type[Any] = np.uint8) -> Array:
    """Return the posteriors of the candidates of one direction.

    Args:
        candidates: the candidates.
        model: their parameters.
        dtype: an unsigned type, whose largest value stands for probability 1.

    Returns:
        ``dtype`` ``[candidates]``.
    """
    direction = candidates.direction
    score = np.empty(len(candidates), dtype)
    expect_candidates(
        direction.words, direction.starts, candidates.entries, candidates.position, candidates.pair, model.lexical,
        model.inverse, model.null, (model.share, model.tension, decay_tables(model.tension)), np.empty(0, np.float32),
        np.empty(0), np.zeros(direction.sizes[1]), score, float(np.iinfo(dtype).max),
    )  # fmt: skip
    return score
