"""How far the numbers of several seeds lie apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["mean_sd"]


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
