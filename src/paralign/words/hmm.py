"""The aligner ``hmm``: a hidden Markov model by Gibbs sampling, which starts from IBM model 2."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from paralign.console import echo
from paralign.words.base import AlignerConfig, AlignerOptions
from paralign.words.bitext import Bitext
from paralign.words.cells import AlignmentCells
from paralign.words.compiled import cpu_threads
from paralign.words.posteriors import Posteriors, SampledPosteriors
from paralign.words.sampler import Candidates, SamplerSettings, find_candidates, sample_alignments
from paralign.words.saved_aligner import SavedAligner
from paralign.words.statistical import StatisticalAligner, StatisticalConfig

__all__ = ["HmmAligner", "HmmConfig"]

_KEPT_SWEEPS = 8
_THRESHOLD, _MAX_THRESHOLD = 2e-9, 0.05
"""Posterior of a candidate link under IBM model 2: times the number of cells, at most. More text needs fewer."""


def default_chains(cells: int) -> int:
    """Return the number of chains: more text needs fewer, because its counts say more."""
    ratio = 1e6 / max(1, cells)
    return int(min(12, max(1, round(5.2 * ratio ** (0.4 if ratio > 1 else 0.2)))))


def default_sweeps(cells: int) -> int:
    """Return the number of sweeps of a chain."""
    return int(min(28, max(16, round(28 * (2e6 / max(1, cells)) ** 0.2))))


class HmmConfig(StatisticalConfig):
    """Settings of ``hmm``."""

    iterations: int = Field(default=3, ge=1)
    """Passes of IBM model 2, from which the chains start."""
    chains: int | None = Field(default=None, ge=1, le=500)
    """Chains of each direction, whose samples are averaged. Default: 12 for small texts, 5 for a million cells (source
    words times target words, summed over sentence pairs), 3 for 10 million, 2 from 40 million on."""
    sweeps: int | None = Field(default=None, ge=10)
    """Passes of each chain over the text; the samples of the last 8 count. Default: 28; 20 for 10
    million cells, 16 from 32 million on."""
    alpha: float = Field(default=1e-4, gt=0)
    """Dirichlet prior of each word pair."""
    null_alpha: float = Field(default=1e-3, gt=0)
    """Dirichlet prior of each word without a counterpart."""
    null: float = Field(default=0.2, gt=0, lt=1)
    """Prior probability of a word without a counterpart."""
    same_spelling: float = Field(default=10.0, gt=0)
    """Without an encoder: factor of the probability of words that are spelled alike, such as names and numbers."""
    similarity: float = Field(default=3.0, ge=0)
    """With an encoder: weight of the similarity of two words: their probability is multiplied by exp(weight · z), where
    z is their cosine minus the mean of the sentence pair, in standard deviations of the text."""
    layer: int | None = Field(default=None, ge=0)
    """With an encoder: hidden state, 0 for the embeddings. Default: 7/12 of the layers."""


class HmmAligner(StatisticalAligner):
    """A hidden Markov model by Gibbs sampling in both directions, averaged over chains; the default."""

    name: ClassVar[str] = "hmm"
    accepts: ClassVar[frozenset[str]] = StatisticalAligner.accepts | {"model"}
    Config: ClassVar[type[AlignerConfig]] = HmmConfig
    config: HmmConfig

    def __init__(self, config: HmmConfig, options: AlignerOptions) -> None:
        super().__init__(config, options)
        if options.model is None:
            return
        from paralign.device import best_device  # torch is not needed without an encoder
        from paralign.encoder import Encoder
        from paralign.words.word_vectors import link_layer

        self.encoder = Encoder.from_pretrained(options.model).to(best_device()).eval()
        self.layer = link_layer(self.encoder, config.layer)

    def train(self, cells: AlignmentCells, bitext: Bitext, count: int) -> tuple[Posteriors, SavedAligner | None]:
        config, threads = self.config, cpu_threads()
        chains = config.chains or default_chains(len(cells))
        sweeps = config.sweeps or default_sweeps(len(cells))
        settings = SamplerSettings(chains, sweeps, _KEPT_SWEEPS, config.alpha, config.null_alpha, config.null)
        threshold = min(_MAX_THRESHOLD, _THRESHOLD * len(cells))
        candidates = find_candidates(
            cells,
            threshold=threshold,
            iterations=config.iterations,
            tension=config.tension,
            threads=min(2, threads),
        )
        if self.options.save is None:
            cells.drop_ids()
        kept = sum(len(side.pair) for side in candidates) / 2
        plan = f"{chains} chains of {sweeps} sweeps in both directions"
        echo(f"{plan} over {kept:,.0f} candidate links", quiet=self.options.quiet)
        cosines = None if self.options.model is None else self._cosines(cells, bitext, count)
        factors = tuple(self._factors(side, bitext, cells, cosines) for side in candidates)
        samples = sample_alignments(candidates, (factors[0], factors[1]), settings, threads=threads)
        posteriors = SampledPosteriors(cells, samples)
        if self.options.save is None:
            return posteriors, None
        same = config.same_spelling
        return posteriors, SavedAligner.from_samples(posteriors, cells, bitext, settings, same, self.facts())

    def _cosines(self, cells: AlignmentCells, bitext: Bitext, count: int) -> np.ndarray:
        """Return the similarity of the words of each cell, in standard deviations."""
        from paralign.words.cosines import cell_cosines

        echo(f"encoding {bitext.pairs:,} pairs", quiet=self.options.quiet)
        tokenised = count if self.options.tokenised else 0
        languages = self.options.spec.languages
        found = cell_cosines(
            self.encoder,
            self.pairs,
            bitext,
            cells.cells,
            layer=self.layer,
            languages=(languages[0], languages[1]),
            tokenised=tokenised,
        )
        return found / max(float(found.std()), 1e-6)

    def _factors(
        self, candidates: Candidates, bitext: Bitext, cells: AlignmentCells, cosines: np.ndarray | None
    ) -> np.ndarray:
        """Return the factor of each candidate, float32; ``[0]`` for 1."""
        if cosines is not None:
            return np.exp(self.config.similarity * cosines[candidates.cell(cells.cells)])
        sides = (bitext.source, bitext.target) if candidates.direction.by_row else (bitext.target, bitext.source)
        number = {word: k for k, word in enumerate(sides[1].vocabulary)}
        alike = np.array([number.get(word, -1) for word in sides[0].vocabulary], np.int64)
        if self.config.same_spelling == 1 or (alike < 0).all():
            return np.empty(0, np.float32)
        generating, generated = candidates.words()
        return np.where(alike[generating] == generated, np.float32(self.config.same_spelling), np.float32(1))
