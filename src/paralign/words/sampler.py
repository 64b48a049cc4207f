"""A hidden Markov model of word alignment, by collapsed Gibbs sampling (after Östling and Tiedemann 2016).

The parameters of a hidden Markov model (Vogel, Ney and Tillmann 1996) with Dirichlet priors are integrated out; what is
sampled are alignments. A word is sampled given the alignment of all other words, without its own, so rare words do not
confirm themselves. Several chains start from posteriors of IBM model 2, and the samples of their last sweeps are
averaged: chains find different modes, and their mean is better than any of them.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from paralign.words.cells import AlignmentCells, Direction
from paralign.words.compiled import MAX_LENGTH
from paralign.words.ibm_kernels import expectation
from paralign.words.ibm_model import train_ibm
from paralign.words.sampler_kernels import count_kept, fill_candidates, initialize, number_kept, sweep

__all__ = ["Candidates", "SamplerSettings", "Samples", "find_candidates", "jump_probabilities", "sample_alignments"]

Array = npt.NDArray[Any]
_MAX_JUMP = 40
"""Longer jumps have the probability of this one."""
_SMOOTHING = 0.5
"""Added to the count of each jump."""
_WARM_UP = 4
"""First sweeps, in which all jumps are equally probable."""
_START_NULL, _START_ALPHA = 0.08, 0.1
"""Probability of null and Dirichlet prior of IBM model 2."""


@dataclass(frozen=True)
class Candidates:
    """The cells of one direction that may be linked, by generated word.

    Shapes:
        entries: ``[generated tokens + 1]``
        position, pair, score: ``[candidates]``

    Attributes:
        direction: the direction.
        entries: int64, where the candidates of each generated token begin.
        position: uint16, position of the generating word in its sentence.
        pair: uint32, number of the distinct word pair, 0 for all pairs with a single candidate.
        score: uint8, posterior under IBM model 2, in units of 1/255.
        pairs: largest number of a word pair.
    """

    direction: Direction
    entries: Array
    position: Array
    pair: Array
    score: Array
    pairs: int

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

    def words(self) -> tuple[Array, Array]:
        """Return the generating and the generated word of each candidate."""
        lengths = np.diff(self.direction.starts[1])
        begin = np.repeat(self.direction.starts[0, :-1], lengths)
        token = np.repeat(np.arange(len(begin), dtype=np.int32), np.diff(self.entries))
        generating, generated = self.direction.words
        return generating[begin[token] + self.position], generated[token]


def find_candidates(
    cells: AlignmentCells, *, threshold: float, iterations: int, tension: float, threads: int
) -> tuple[Candidates, Candidates]:
    """Keep the cells whose posterior under IBM model 2 reaches a threshold in either direction.

    The threshold applies to posteriors after a single pass of maximum likelihood, which is not sure of anything yet, so
    that few links are lost. The scores come from a model that was trained for longer.

    Args:
        cells: the cells of the text.
        threshold: smallest posterior.
        iterations: passes of the model for the scores.
        tension: initial tension of both models.
        threads: directions that are computed at once, 1 or 2; each needs memory for its own parameters.

    Returns:
        candidates of both directions.
    """
    kept = np.zeros(len(cells), np.uint8)
    new = np.zeros(cells.distinct, np.uint32)

    def mark(side: Direction) -> None:
        model = train_ibm(cells, side, iterations=1, alpha=0.0, share=_START_NULL, tension=tension)
        expectation(
            side.words[1], side.starts, cells.cells, side.by_row, cells.ids, model.lexical, model.null, model.prior,
            np.empty(0, np.float32), np.zeros(side.sizes[1]), kept, threshold,
        )  # fmt: skip

    def fill(side: Direction) -> Candidates:
        model = train_ibm(cells, side, iterations=iterations, alpha=_START_ALPHA, share=_START_NULL, tension=tension)
        entries = np.zeros(len(side.words[1]) + 1, np.int64)
        count_kept(kept, side.starts, cells.cells, side.by_row, entries)
        position, pair, score = (np.empty(entries[-1], dtype) for dtype in (np.uint16, np.uint32, np.uint8))
        fill_candidates(
            side.words[1], side.starts, cells.cells, side.by_row, cells.ids, model.lexical, model.null, model.prior,
            kept, new, entries, position, pair, score,
        )  # fmt: skip
        return Candidates(side, entries, position, pair, score, pairs)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(mark, cells.directions))
        pairs = number_kept(kept, cells.ids, new)
        first, second = pool.map(fill, cells.directions)
    return first, second


@dataclass(frozen=True)
class SamplerSettings:
    """Length and priors of the chains.

    Attributes:
        chains: number of chains of each direction.
        sweeps: passes over the text of each chain.
        kept: last sweeps of each chain, whose samples are averaged.
        alpha: Dirichlet prior of each word pair.
        null_alpha: Dirichlet prior of each word that null generates.
        share: probability of null.
    """

    chains: int
    sweeps: int
    kept: int
    alpha: float
    null_alpha: float
    share: float


@dataclass(frozen=True)
class Samples:
    """What the chains of one direction found.

    Shapes:
        frequency: ``[candidates]``
        jumps: ``[2 · MAX_LENGTH + 3]``

    Attributes:
        candidates: the candidates.
        frequency: uint16, in how many samples each candidate was chosen.
        samples: number of samples.
        jumps: float32, probability of each jump, index 0 for ``-MAX_LENGTH - 1``.
    """

    candidates: Candidates
    frequency: Array
    samples: int
    jumps: Array


def sample_alignments(
    candidates: tuple[Candidates, Candidates], factors: tuple[Array, Array], settings: SamplerSettings, *, threads: int
) -> tuple[Samples, Samples]:
    """Run the chains of both directions. The result does not depend on the number of threads.

    Args:
        candidates: of both directions.
        factors: float32 ``[candidates]`` of both directions, factors of their probabilities; ``[0]`` for 1.
        settings: length and priors.
        threads: chains that run at once.
    """
    jobs = [(side, chain) for chain in range(settings.chains) for side in range(2)]
    frequency = [np.zeros(len(side.pair), np.uint16) for side in candidates]
    jumps = [np.zeros(2 * MAX_LENGTH + 3, np.int64) for _ in range(2)]
    with ThreadPoolExecutor(threads) as pool:
        runs = pool.map(
            lambda job: _run_chain(candidates[job[0]], factors[job[0]], settings, seed=2 * job[1] + job[0]), jobs
        )
        for (side, _), (chosen, moves) in zip(jobs, runs, strict=True):
            frequency[side] += chosen
            jumps[side] += moves
    number = settings.chains * settings.kept
    found = [
        Samples(side, counts, number, jump_probabilities(moves))
        for side, counts, moves in zip(candidates, frequency, jumps, strict=True)
    ]
    return found[0], found[1]


def _run_chain(candidates: Candidates, factor: Array, settings: SamplerSettings, *, seed: int) -> tuple[Array, Array]:
    """Run one chain.

    Returns:
        uint8 ``[candidates]``, in how many samples each candidate was chosen; int64 ``[2 · MAX_LENGTH + 3]``, counts of
        the jumps in the last sweep.
    """
    direction = candidates.direction
    generating, generated = direction.words
    state = np.random.default_rng(seed).integers(1, 2**63, 1, np.uint64)
    chosen = np.empty(len(generated), np.int32)
    initialize(candidates.entries, candidates.score, chosen, state)
    linked = np.flatnonzero(chosen >= 0)
    entry = candidates.entries[linked] + chosen[linked]
    counts = np.bincount(candidates.pair[entry], minlength=candidates.pairs + 1).astype(np.int32)
    counts[0] = 0
    begin = np.repeat(direction.starts[0, :-1], np.diff(direction.starts[1]))[linked]
    totals = np.bincount(generating[begin + candidates.position[entry]], minlength=direction.sizes[0]).astype(np.int32)
    rest = np.bincount(generated[chosen < 0], minlength=direction.sizes[1])
    null_counts = np.append(rest, rest.sum()).astype(np.int32)
    size = direction.sizes[1]
    priors = (settings.alpha, settings.alpha * size, settings.null_alpha, settings.null_alpha * size, settings.share)
    frequency = np.zeros(len(candidates.pair), np.uint8)
    jumps = np.ones(2 * MAX_LENGTH + 3, np.float32)
    jump_counts = np.zeros(0, np.int64)
    for step in range(settings.sweeps):
        if step == _WARM_UP:
            jumps = jump_probabilities(None)
        elif step > _WARM_UP:
            jumps = jump_probabilities(jump_counts)
        jump_counts = np.zeros(2 * MAX_LENGTH + 3, np.int64)
        sweep(
            (generating, generated), direction.starts, candidates.entries, candidates.position, candidates.pair, factor,
            chosen, counts, totals, null_counts, priors, jumps, jump_counts,
            frequency if step >= settings.sweeps - settings.kept else frequency[:0], state,
        )  # fmt: skip
    return frequency, jump_counts


def jump_probabilities(counts: Array | None) -> Array:
    """Return the probability of each jump, float32 ``[2 · MAX_LENGTH + 3]``.

    Args:
        counts: int64, same shape. Default ``None``: a guess in which short jumps are more probable.
    """
    weights: Array
    bucket = np.clip(np.arange(-MAX_LENGTH - 1, MAX_LENGTH + 2), -_MAX_JUMP, _MAX_JUMP) + _MAX_JUMP
    if counts is None:
        weights = np.exp(-np.abs(np.arange(-_MAX_JUMP, _MAX_JUMP + 1) - 1) / 2) + 0.01
    else:
        weights = np.bincount(bucket, counts, 2 * _MAX_JUMP + 1) + _SMOOTHING
    return np.asarray((weights / weights.sum())[bucket], np.float32)
