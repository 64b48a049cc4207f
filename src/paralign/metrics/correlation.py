"""Rank correlation of few points, with an interval that owns up to how few they are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["ranks", "spearman", "spearman_interval"]

Floats = npt.NDArray[np.float64]


def ranks(values: npt.ArrayLike) -> Floats:
    """[n] ranks from 1; equal values share the mean of theirs."""
    given = np.asarray(values, np.float64)
    _, place, counts = np.unique(given, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[place], np.float64)


def spearman(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Spearman's rank correlation: Pearson's of the ranks; nan where one side is constant or empty."""
    a, b = ranks(first), ranks(second)
    if len(a) != len(b):
        raise ValueError(f"{len(a)} values and {len(b)}")
    a, b = a - a.mean() if len(a) else a, b - b.mean() if len(b) else b
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale else float("nan")


def spearman_interval(
    first: npt.ArrayLike, second: npt.ArrayLike, *, level: float = 0.95, draws: int = 10_000, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap over points; draws in which a side is constant are left out.

    Returns:
        lower and upper bound; nan for fewer than four points.
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if len(a) < 4:
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    rows = rng.integers(len(a), size=(draws, len(a)))
    found = np.array([spearman(a[row], b[row]) for row in rows])
    found = found[~np.isnan(found)]
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2]) if len(found) else (np.nan, np.nan)
    return float(low), float(high)
