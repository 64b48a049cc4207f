"""The aligner ``ibm``: IBM model 2 with a diagonal prior (Dyer, Chahuneau and Smith 2013, fast_align)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

from pydantic import Field

from paralign.console import echo
from paralign.words.base import AlignerConfig
from paralign.words.bitext import Bitext
from paralign.words.cells import AlignmentCells
from paralign.words.compiled import cpu_threads
from paralign.words.ibm_model import train_ibm
from paralign.words.posteriors import IbmPosteriors, Posteriors
from paralign.words.saved_aligner import SavedAligner
from paralign.words.statistical import StatisticalAligner, StatisticalConfig

__all__ = ["IbmAligner", "IbmConfig"]


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
        return posteriors, SavedAligner.from_ibm((first, second), cells, bitext, self.facts())
