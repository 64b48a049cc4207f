"""The aligner ``hmm``: a hidden Markov model (Vogel, Ney and Tillmann 1996) that starts from IBM model 2."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from paralign.words.base import AlignerConfig
from paralign.words.statistical import StatisticalAligner
from paralign.words.translation_model import TranslationModelConfig

__all__ = ["HmmAligner", "HmmConfig"]


class HmmConfig(TranslationModelConfig):
    """Settings of ``hmm``: those of ``ibm``, with other numbers of passes."""

    iterations: int = Field(default=3, ge=1)
    """Passes of IBM model 2."""
    hmm: int = Field(default=4, ge=0)
    """Passes of the hidden Markov model, which follow them."""


class HmmAligner(StatisticalAligner):
    """IBM model 2, then a hidden Markov model trained in both directions to agree; the default."""

    name: ClassVar[str] = "hmm"
    Config: ClassVar[type[AlignerConfig]] = HmmConfig
