"""Scores: rows of numbers in, numbers out. Pure numpy."""

from paralign.metrics.bootstrap import Comparison, paired_bootstrap, paired_bootstrap_mean
from paralign.metrics.ratios import ratio
from paralign.metrics.retrieval import retrieval
from paralign.metrics.spread import mean_sd

__all__ = ["Comparison", "mean_sd", "paired_bootstrap", "paired_bootstrap_mean", "ratio", "retrieval"]
