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

from paralign.words.candidates import Candidates
from paralign.words.compiled import MAX_LENGTH
from paralign.words.sampler_kernels import add_frequencies, initialize, sweep

__all__ = ["SamplerSettings", "Samples", "jump_probabilities", "sample_alignments"]

Array = npt.NDArray[Any]
_MAX_JUMP = 40
"""Longer jumps have the probability of this one."""
_SMOOTHING = 0.5
"""Added to the count of each jump."""
_WARM_UP = 4
"""First sweeps, in which all jumps are equally probable."""


@dataclass(frozen=True)
class SamplerSettings:
    """Length and priors of the chains.

    Attributes:
        chains: number of chains of each direction.
        sweeps: passes over the text of each chain.
        kept: last sweeps of each chain, whose samples are averaged.
        alpha: Dirichlet prior of each word pair.
        null_alpha: Dirichlet prior of each word that null generates.
        share: prior weight of null, relative to that of all positions together.
        same: factor of the probability of words that are spelled alike.
    """

    chains: int
    sweeps: int
    kept: int
    alpha: float
    null_alpha: float
    share: float
    same: float


@dataclass(frozen=True)
class Samples:
    """What the chains of one direction found.

    Shapes:
        frequency: ``[candidates]``
        jumps: ``[2 · MAX_LENGTH + 3]``

    Attributes:
        candidates: the candidates.
        frequency: unsigned, in how many samples each candidate was chosen.
        samples: number of samples.
        jumps: float32, probability of each jump, index 0 for ``-MAX_LENGTH - 1``.
    """

    candidates: Candidates
    frequency: Array
    samples: int
    jumps: Array

    def counts(self) -> Array:
        """Return the expected number of links of each distinct word pair, float32."""
        totals = np.zeros(self.candidates.distinct, np.float32)
        add_frequencies(self.candidates.pair, self.frequency, 1 / self.samples, totals)
        return totals


def sample_alignments(
    candidates: tuple[Candidates, Candidates],
    scores: tuple[Array, Array],
    factors: tuple[Array, Array],
    alike: tuple[Array, Array],
    settings: SamplerSettings,
    *,
    threads: int,
) -> tuple[Samples, Samples]:
    """Run the chains of both directions. The result does not depend on the number of threads.

    Args:
        candidates: of both directions.
        scores: uint8 ``[candidates]`` of both directions, their posteriors under IBM model 2, in units of 1/255.
        factors: float32 ``[candidates]`` of both directions, factors of their probabilities; ``[0]`` for 1.
        alike: int32 ``[generating words]`` of both directions, the generated word that is spelled like each, or -1.
        settings: length and priors.
        threads: chains that run at once.
    """
    jobs = [(side, chain) for chain in range(settings.chains) for side in range(2)]
    number = settings.chains * settings.kept
    kind = np.min_scalar_type(number)
    frequency: list[Array | None] = [None, None]
    jumps = [np.zeros(2 * MAX_LENGTH + 3, np.int64) for _ in range(2)]
    with ThreadPoolExecutor(threads) as pool:
        runs = pool.map(
            lambda job: _run_chain(
                candidates[job[0]], scores[job[0]], factors[job[0]], alike[job[0]], settings, seed=2 * job[1] + job[0]
            ),
            jobs,
        )
        for (side, _), (chosen, moves) in zip(jobs, runs, strict=True):
            total = frequency[side]
            frequency[side] = chosen.astype(kind, copy=False) if total is None else np.add(total, chosen, out=total)
            jumps[side] += moves
    found = [
        Samples(side, np.asarray(counts), number, jump_probabilities(moves))
        for side, counts, moves in zip(candidates, frequency, jumps, strict=True)
    ]
    return found[0], found[1]


def _run_chain(
    candidates: Candidates, score: Array, factor: Array, alike: Array, settings: SamplerSettings, *, seed: int
) -> tuple[Array, Array]:
    """Run one chain.

    Returns:
        uint8 ``[candidates]``, in how many samples each candidate was chosen; int64 ``[2 · MAX_LENGTH + 3]``, counts of
        the jumps in the last sweep.
    """
    direction = candidates.direction
    state = np.random.default_rng(seed).integers(1, 2**63, 1, np.uint64)
    chosen = np.empty(len(direction.words[1]), np.int32)
    counts, totals = np.zeros(candidates.repeated + 1, np.int32), np.zeros(direction.sizes[0], np.int32)
    null_counts = np.zeros(direction.sizes[1] + 1, np.int32)
    text = (direction.words, direction.starts, candidates.entries, candidates.position, candidates.pair)
    initialize(*text, score, chosen, counts, totals, null_counts, state)
    size = direction.sizes[1]
    priors = (
        settings.alpha,
        settings.alpha * size,
        settings.null_alpha,
        settings.null_alpha * size,
        settings.share,
        settings.same,
    )
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
            *text, factor, alike, chosen, counts, totals, null_counts, priors, jumps, jump_counts,
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
