"""The aligner ``ibm``: IBM model 2 with a diagonal prior (Dyer, Chahuneau and Smith 2013, fast_align)."""

from __future__ import annotations

from typing import ClassVar

from paralign.words.base import AlignerConfig
from paralign.words.statistical import StatisticalAligner
from paralign.words.translation_model import TranslationModelConfig

__all__ = ["IbmAligner", "IbmConfig"]


class IbmConfig(TranslationModelConfig):
    """Settings of ``ibm``: all inherited."""


class IbmAligner(StatisticalAligner):
    """fast_align's model: IBM model 2 with a diagonal prior and variational Bayes, trained in both directions."""

    name: ClassVar[str] = "ibm"
    Config: ClassVar[type[AlignerConfig]] = IbmConfig
