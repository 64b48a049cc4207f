"""How far the numbers of several seeds lie apart."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

__all__ = ["mean_sd", "over_seeds"]


def mean_sd(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and sample standard deviation (divisor ``n - 1``).

    Returns:
        ``(mean, sd)``; ``sd`` is ``None`` for a single value, which has no spread.

    Raises:
        ValueError: without values.
    """
    if len(values) == 0:
        raise ValueError("no values to average")
    numbers = np.asarray(values, dtype=np.float64)
    return float(numbers.mean()), float(numbers.std(ddof=1)) if len(numbers) > 1 else None


def over_seeds(value: float, interval: tuple[float, float], sd: float, seeds: int) -> tuple[float, float]:
    """An interval of other test items made one of other items and other seeds.

    The two have nothing to do with each other, so that half-widths add as squares; that of seeds is Student's, with
    ``seeds - 1`` degrees of freedom: 4.3 standard errors for three seeds.

    Args:
        value: mean over seeds.
        interval: 95 % of other test items.
        sd: sample standard deviation over seeds.
        seeds: how many, two at least.
    """
    from scipy.stats import t  # slow to import

    reach = float(t.ppf(0.975, seeds - 1)) * sd / math.sqrt(seeds)
    low, high = interval
    return value - math.hypot(value - low, reach), value + math.hypot(high - value, reach)
