"""Scores: rows of numbers in, numbers out. Pure numpy."""

from paralign.metrics.attachment import attachment
from paralign.metrics.bootstrap import Comparison, paired_bootstrap, paired_bootstrap_mean
from paralign.metrics.mlqa import mlqa_exact, mlqa_f1, mlqa_normalize
from paralign.metrics.ratios import ratio
from paralign.metrics.retrieval import retrieval
from paralign.metrics.spanning_tree import spanning_tree
from paralign.metrics.spans import bad_bio, entities, span_counts, span_f1
from paralign.metrics.spread import mean_sd, over_seeds
from paralign.metrics.squad import exact_match, f1, normalize_answer
from paralign.metrics.statistics import item_score

__all__ = [
    "Comparison",
    "attachment",
    "bad_bio",
    "entities",
    "exact_match",
    "f1",
    "item_score",
    "mean_sd",
    "mlqa_exact",
    "mlqa_f1",
    "mlqa_normalize",
    "normalize_answer",
    "over_seeds",
    "paired_bootstrap",
    "paired_bootstrap_mean",
    "ratio",
    "retrieval",
    "span_counts",
    "span_f1",
    "spanning_tree",
]
