"""Scores and their significance, in NumPy and SciPy only."""

from paralign.metrics.attachment import attachment
from paralign.metrics.bootstrap import Comparison, paired_bootstrap, paired_bootstrap_mean
from paralign.metrics.mlqa import mlqa_exact, mlqa_f1, mlqa_normalize
from paralign.metrics.ratios import ratio
from paralign.metrics.retrieval import retrieval
from paralign.metrics.significance import compare_over_seeds, is_significant
from paralign.metrics.spanning_tree import spanning_tree
from paralign.metrics.spans import entities, span_counts
from paralign.metrics.spread import interval_over_seeds, mean_sd
from paralign.metrics.squad import exact_match, f1, normalize_answer
from paralign.metrics.statistics import item_score

__all__ = [
    "Comparison",
    "attachment",
    "compare_over_seeds",
    "entities",
    "exact_match",
    "f1",
    "interval_over_seeds",
    "is_significant",
    "item_score",
    "mean_sd",
    "mlqa_exact",
    "mlqa_f1",
    "mlqa_normalize",
    "normalize_answer",
    "paired_bootstrap",
    "paired_bootstrap_mean",
    "ratio",
    "retrieval",
    "span_counts",
    "spanning_tree",
]
