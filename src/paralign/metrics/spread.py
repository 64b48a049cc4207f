"""Mean and spread over seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

__all__ = ["add_standard_error", "interval_over_seeds", "mean_sd"]


def mean_sd(values: Sequence[float]) -> tuple[float, float | None]:
    """Return mean and sample standard deviation (divisor ``n - 1``).

    Returns:
        ``(mean, sd)``; ``sd`` is ``None`` for a single value.

    Raises:
        ValueError: if there are no values.
    """
    if len(values) == 0:
        raise ValueError("no values to average")
    numbers = np.asarray(values, dtype=np.float64)
    return float(numbers.mean()), float(numbers.std(ddof=1)) if len(numbers) > 1 else None


def interval_over_seeds(value: float, interval: tuple[float, float], sd: float, seeds: int) -> tuple[float, float]:
    """Extend an interval over test items to one over test items and seeds.

    The two are independent, so that squared half-widths add. The half-width for seeds is Student's with ``seeds - 1``
    degrees of freedom: 4.3 standard errors for three seeds.

    Args:
        value: mean over seeds.
        interval: 95 % interval over test items.
        sd: sample standard deviation over seeds.
        seeds: number of seeds, at least two.
    """
    return add_standard_error(value, interval, sd / math.sqrt(seeds), seeds - 1)


def add_standard_error(
    value: float, interval: tuple[float, float], error: float, freedom: float
) -> tuple[float, float]:
    """Extend an interval over test items by the standard error over seeds, as :func:`interval_over_seeds`.

    Args:
        value: the estimate.
        interval: its 95 % interval over test items.
        error: its standard error over seeds.
        freedom: degrees of freedom of the standard error.
    """
    from scipy.special import stdtrit  # slow to import

    reach = float(stdtrit(freedom, 0.975)) * error
    low, high = interval
    return value - math.hypot(value - low, reach), value + math.hypot(high - value, reach)
