"""The aligner ``hmm``: a hidden Markov model by Gibbs sampling, which starts from IBM model 2."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from paralign.console import echo
from paralign.errors import UserError
from paralign.words.base import AlignerConfig, AlignerOptions
from paralign.words.bitext import Bitext, Side
from paralign.words.candidates import Candidates, CandidateSearch, score_candidates, train_on_candidates
from paralign.words.compiled import cpu_threads, release_memory
from paralign.words.memory import Stage, hmm_stages
from paralign.words.posteriors import CandidatePosteriors, Posteriors
from paralign.words.sampler import SamplerSettings, sample_alignments
from paralign.words.saved_aligner import SavedAligner
from paralign.words.statistical import StatisticalAligner, StatisticalConfig

__all__ = ["HmmAligner", "HmmConfig"]

Array = npt.NDArray[Any]
_KEPT_SWEEPS = 8
_START_NULL, _START_ALPHA = 0.08, 0.1
"""Probability of null and Dirichlet prior of IBM model 2."""
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
    """Number of chains per direction; their samples are averaged. Default: 12 for small texts, 5 for a million cells
    (source words times target words, summed over sentence pairs), 3 for 10 million, 2 from 40 million on."""
    sweeps: int | None = Field(default=None, ge=10)
    """Passes of each chain over the text; the samples of the last 8 are used. Default: 28; 20 for 10
    million cells, 16 from 32 million on."""
    alpha: float = Field(default=1e-4, gt=0)
    """Dirichlet prior of each word pair."""
    null_alpha: float = Field(default=1e-3, gt=0)
    """Dirichlet prior of each word without a counterpart."""
    null: float = Field(default=0.2, gt=0, lt=1)
    """Prior weight of no counterpart, where all words of the other side together have 1: the prior probability is
    null / (1 + null)."""
    same_spelling: float = Field(default=10.0, gt=0)
    """Without an encoder: factor of the probability of words that are spelled alike, such as names and numbers."""
    similarity: float = Field(default=3.0, ge=0)
    """With an encoder: weight of the similarity of two words: their probability is multiplied by exp(weight · z), where
    z is their cosine minus the mean of the sentence pair, in standard deviations of the text."""
    layer: int | float | None = None
    """With an encoder: hidden state, 0 for the embeddings, -1 for the last, or a fraction of the depth such as 0.67.
    Default: 7/12 of the layers, rounded."""


class HmmAligner(StatisticalAligner):
    """A hidden Markov model by Gibbs sampling in both directions, averaged over chains; the default."""

    name: ClassVar[str] = "hmm"
    accepts: ClassVar[frozenset[str]] = StatisticalAligner.accepts | {"model"}
    Config: ClassVar[type[AlignerConfig]] = HmmConfig
    config: HmmConfig

    def __init__(self, config: HmmConfig, options: AlignerOptions) -> None:
        super().__init__(config, options)
        unused = {"same_spelling"} if options.model else {"similarity", "layer"}
        if given := unused & config.model_fields_set:
            without = "with" if options.model else "without"
            hint = "remove the setting, or --model" if options.model else "add --model, or remove the setting"
            raise UserError(f"words.{min(given)} has no effect {without} --model", hint=hint)
        if options.model is None:
            return
        if config.memory is not None:
            hint = "leave one of them out: the limit does not include an encoder"
            raise UserError("words.memory and --model cannot be combined", hint=hint)
        from paralign.device import best_device  # torch is not needed without an encoder
        from paralign.encoder import Encoder
        from paralign.words.word_vectors import link_layer

        self.encoder = Encoder.from_pretrained(options.model, quiet=options.quiet).to(best_device()).eval()
        self.layer = link_layer(self.encoder, config.layer)

    def train(self, bitext: Bitext, count: int) -> tuple[Posteriors, SavedAligner | None]:
        config, threads, cells = self.config, cpu_threads(), int(bitext.cells[-1])
        chains = config.chains or default_chains(cells)
        sweeps = config.sweeps or default_sweeps(cells)
        priors = (config.alpha, config.null_alpha, config.null, config.same_spelling)
        settings = SamplerSettings(chains, sweeps, _KEPT_SWEEPS, *priors)
        threshold = min(_MAX_THRESHOLD, _THRESHOLD * cells)
        most = None if self.limit is None else partial(self.limit.most_candidates, self.stages(bitext))
        candidates = CandidateSearch(bitext, share=_START_NULL, tension=config.tension, threads=threads).find(
            threshold, most
        )
        release_memory()
        plan = f"{chains} chains of {sweeps} sweeps in both directions"
        echo(f"{plan} over {len(candidates[0]):,} candidate links", quiet=self.options.quiet)

        def score(side: Candidates) -> Array:
            start = {"alpha": _START_ALPHA, "share": _START_NULL, "tension": config.tension}
            return score_candidates(side, train_on_candidates(side, iterations=config.iterations, **start))

        with ThreadPoolExecutor(min(2, threads)) as pool:
            scores = tuple(pool.map(score, candidates))
        release_memory()
        factors = self._factors(candidates, bitext, count)
        sides = (bitext.source, bitext.target)
        alike = (self._alike(*sides), self._alike(*sides[::-1]))
        samples = sample_alignments(candidates, (scores[0], scores[1]), factors, alike, settings, threads=threads)
        saved = None
        if self.options.save is not None:
            saved = SavedAligner.from_samples(samples, bitext, settings, self.facts())
        frequencies = (samples[0].frequency, samples[1].frequency)
        posteriors = CandidatePosteriors(bitext, candidates, frequencies, samples[0].samples)
        del candidates, scores, factors, samples  # not needed to decode links
        release_memory()
        return posteriors, saved

    def stages(self, bitext: Bitext) -> list[Stage]:
        chains = self.config.chains or default_chains(int(bitext.cells[-1]))
        workers, save = min(cpu_threads(), 2 * chains), self.options.save is not None
        return hmm_stages(bitext, samples=chains * _KEPT_SWEEPS, threads=workers, save=save)

    def _cosines(self, bitext: Bitext, count: int) -> np.ndarray:
        """Return the similarity of the words of each cell, in standard deviations."""
        from paralign.words.cosines import cell_cosines

        echo(f"encoding {bitext.pairs:,} pairs", quiet=self.options.quiet)
        tokenized = count if self.options.tokenized else 0
        languages = self.options.spec.languages
        found = cell_cosines(
            self.encoder,
            self.pairs,
            bitext,
            bitext.cells,
            layer=self.layer,
            languages=(languages[0], languages[1]),
            tokenized=tokenized,
        )
        return found / max(float(found.std()), 1e-6)

    def _factors(self, candidates: tuple[Candidates, Candidates], bitext: Bitext, count: int) -> tuple[Array, Array]:
        """Return the factor of each candidate of both directions, float32; ``[0]`` for 1."""
        if self.options.model is None:
            return np.empty(0, np.float32), np.empty(0, np.float32)
        cosines = self._cosines(bitext, count)
        first, second = (np.exp(self.config.similarity * cosines[side.cell(bitext.cells)]) for side in candidates)
        return first, second

    def _alike(self, generating: Side, generated: Side) -> Array:
        """Return the generated word that is spelled like each generating word, or -1; int32.

        With an encoder there is none: words that are spelled alike have similar vectors.
        """
        if self.options.model is not None:
            return np.full(len(generating.vocabulary), -1, np.int32)
        number = {word: k for k, word in enumerate(generated.vocabulary)}
        return np.array([number.get(word, -1) for word in generating.vocabulary], np.int32)
