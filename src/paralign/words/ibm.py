"""The aligner ``ibm``: IBM model 2 with a diagonal prior (Dyer, Chahuneau and Smith 2013, fast_align)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ClassVar

import numpy as np
from pydantic import Field

from paralign.console import echo
from paralign.words.base import AlignerConfig
from paralign.words.bitext import Bitext
from paralign.words.candidates import Candidates, CandidateSearch, score_candidates, train_on_candidates
from paralign.words.cells import AlignmentCells
from paralign.words.compiled import cpu_threads, release_memory
from paralign.words.ibm_model import IbmParameters, train_ibm
from paralign.words.memory import Stage, ibm_bytes, ibm_stages
from paralign.words.posteriors import CandidatePosteriors, IbmPosteriors, Posteriors
from paralign.words.saved_aligner import SavedAligner
from paralign.words.statistical import StatisticalAligner, StatisticalConfig

__all__ = ["IbmAligner", "IbmConfig"]

_THRESHOLD = 1e-3
"""Posterior of a candidate link, where the memory does not suffice for all cells."""


class IbmConfig(StatisticalConfig):
    """Settings of ``ibm``."""

    alpha: float = Field(default=0.01, ge=0)
    """Dirichlet prior of the variational-Bayes M-step; 0 is maximum likelihood."""
    null: float = Field(default=0.08, gt=0, lt=1)
    """Probability of a word without a counterpart."""


class IbmAligner(StatisticalAligner):
    """fast_align's model: IBM model 2 with a diagonal prior and variational Bayes, trained in both directions."""

    name: ClassVar[str] = "ibm"
    Config: ClassVar[type[AlignerConfig]] = IbmConfig
    config: IbmConfig

    def train(self, bitext: Bitext, count: int) -> tuple[Posteriors, SavedAligner | None]:
        candidates = self._candidates(bitext)
        if candidates is not None:
            return self._train_on_candidates(candidates, bitext)
        config, cells = self.config, AlignmentCells(bitext)
        echo(f"{cells.distinct:,} distinct word pairs", quiet=self.options.quiet)
        with ThreadPoolExecutor(min(2, cpu_threads())) as pool:
            first, second = pool.map(
                lambda side: train_ibm(
                    cells,
                    side,
                    iterations=config.iterations,
                    alpha=config.alpha,
                    share=config.null,
                    tension=config.tension,
                ),
                cells.directions,
            )
        posteriors = IbmPosteriors(cells, (first, second))
        if self.options.save is None:
            return posteriors, None
        return posteriors, SavedAligner.from_ibm((first, second), cells.pair_words(), bitext, self.facts())

    def stages(self, bitext: Bitext) -> list[Stage]:
        return ibm_stages(bitext, save=self.options.save is not None)

    def fits(self, bitext: Bitext) -> bool:
        return self.limit is None or self._all_cells(bitext, int(bitext.cells[-1])) <= self.limit.bytes

    def _all_cells(self, bitext: Bitext, distinct: int) -> float:
        """Return the bytes of the training on all cells, with so many distinct word pairs."""
        return ibm_bytes(bitext, distinct, save=self.options.save is not None)

    def _candidates(self, bitext: Bitext) -> tuple[Candidates, Candidates] | None:
        """Return the candidates to train on if ``words.memory`` does not suffice for all cells, else ``None``."""
        config = self.config
        if self.limit is None or self.fits(bitext):
            return None
        search = CandidateSearch(bitext, share=config.null, tension=config.tension, threads=cpu_threads())
        if self._all_cells(bitext, int(search.types[0].sum())) <= self.limit.bytes:
            return None
        candidates = search.find(_THRESHOLD, partial(self.limit.most_candidates, self.stages(bitext)))
        echo(f"{len(candidates[0]):,} candidate links", quiet=self.options.quiet)
        release_memory()
        return candidates

    def _train_on_candidates(
        self, candidates: tuple[Candidates, Candidates], bitext: Bitext
    ) -> tuple[Posteriors, SavedAligner | None]:
        config = self.config
        settings = {"alpha": config.alpha, "share": config.null, "tension": config.tension}
        with ThreadPoolExecutor(min(2, cpu_threads())) as pool:
            models = list(pool.map(
                lambda side: train_on_candidates(side, iterations=config.iterations, **settings), candidates
            ))  # fmt: skip
        first, second = (score_candidates(*some, np.uint16) for some in zip(candidates, models, strict=True))
        posteriors = CandidatePosteriors(bitext, candidates, (first, second), np.iinfo(np.uint16).max)
        if self.options.save is None:
            return posteriors, None
        pairs = candidates[0].pair_words()
        forward, backward = (
            IbmParameters(model.probabilities(words), model.null, model.share, model.tension)
            for model, words in zip(models, pairs, strict=True)
        )
        return posteriors, SavedAligner.from_ibm((forward, backward), pairs, bitext, self.facts())
