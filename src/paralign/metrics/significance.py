"""The one rule for intervals and significance of differences, in tables, headlines and analyses.

Intervals are over test items and, where both systems have two or more seeds, over seeds. A difference is significant if
its interval over both excludes zero. With one seed, or with few test items, it is not tested.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from paralign.metrics.bootstrap import Comparison
from paralign.metrics.spread import add_standard_error, mean_sd

__all__ = ["MIN_ITEMS", "MIN_SEEDS", "compare_over_seeds", "excludes_zero", "is_significant", "untested"]

MIN_ITEMS = 30
"""Differences on fewer test items are not tested: percentile intervals over few items are too narrow, and have no width
at all if all items agree. Their 95 % intervals contain the truth in 94 % of cases for 30 items, in 84 % for five."""
MIN_SEEDS = 2
"""Differences between systems with fewer seeds are not tested: how much they vary is unknown."""
_NOISE = 1e-12


def compare_over_seeds(compared: Comparison, treated: Mapping[Any, float], control: Mapping[Any, float]) -> Comparison:
    """Extend a comparison over test items to one over test items and seeds.

    If both systems have the same seeds, the standard error is that of the differences seed by seed; otherwise Welch's
    for independent samples.

    Args:
        compared: the comparison over test items, from :func:`paralign.metrics.paired_bootstrap`.
        treated: seed -> score of the treated system.
        control: seed -> score of the control.

    Returns:
        the comparison with the interval of :func:`paralign.metrics.interval_over_seeds`, and the p value at which that
        interval ends at zero; ``compared`` itself if a side has fewer than two seeds or there is no interval.

    >>> over_items = Comparison(difference=0.02, low=0.01, high=0.03, p=0.001, items=500)
    >>> both = compare_over_seeds(over_items, {0: 0.80, 1: 0.82}, {0: 0.80, 1: 0.78})
    >>> round(both.low, 3), round(both.high, 3), both.seeds
    (-0.234, 0.274, 2)
    """
    seeds = min(len(treated), len(control))
    if seeds < MIN_SEEDS or not all(map(math.isfinite, (compared.difference, compared.low, compared.high))):
        return compared
    error, freedom = _standard_error(treated, control)
    low, high = add_standard_error(compared.difference, (compared.low, compared.high), error, freedom)
    p = max(compared.p, _p_value(compared, error, freedom))
    return replace(compared, low=low, high=high, p=p, seeds=seeds)


def _standard_error(treated: Mapping[Any, float], control: Mapping[Any, float]) -> tuple[float, float]:
    """Return the standard error of the difference over seeds, and its degrees of freedom."""
    if treated.keys() == control.keys():
        sd = mean_sd([treated[seed] - control[seed] for seed in treated])[1] or 0.0
        return sd / math.sqrt(len(treated)), len(treated) - 1
    sides = [(len(scores), (mean_sd(list(scores.values()))[1] or 0.0) ** 2) for scores in (treated, control)]
    squares = [(n, variance / n) for n, variance in sides]
    square = sum(part for _, part in squares)
    # Welch and Satterthwaite; without any variance every number of degrees of freedom is right.
    freedom = square**2 / sum(part**2 / (n - 1) for n, part in squares) if square else 1.0
    return math.sqrt(square), freedom


def _p_value(compared: Comparison, error: float, freedom: float) -> float:
    """Return the level at which the interval over test items and seeds ends at zero."""
    from scipy.special import ndtri, stdtrit  # slow to import

    distance = abs(compared.difference)
    width = compared.difference - compared.low if compared.difference > 0 else compared.high - compared.difference
    width /= float(ndtri(0.975))  # of one standard error
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        reach = math.hypot(width * ndtri(1 - middle / 2), error * stdtrit(freedom, 1 - middle / 2))
        low, high = (middle, high) if reach > distance else (low, middle)
    return high


def excludes_zero(low: float | None, high: float | None) -> bool:
    """Return whether an interval excludes zero; an unknown one does not."""
    # Sums of equal numbers in another order differ in their last bits; such differences count as zero.
    return low is not None and high is not None and (low > _NOISE or high < -_NOISE)


def untested(compared: Comparison | None) -> str:
    """Return why a difference is not tested for significance; empty if it is."""
    if compared is None or not math.isfinite(compared.low):
        return "no interval"
    if compared.seeds < MIN_SEEDS:
        return "one seed"
    return f"fewer than {MIN_ITEMS} test items" if compared.items < MIN_ITEMS else ""


def is_significant(compared: Comparison | None) -> bool:
    """Return whether a difference is significant: it is tested, and its interval over items and seeds excludes zero."""
    return compared is not None and not untested(compared) and excludes_zero(compared.low, compared.high)
