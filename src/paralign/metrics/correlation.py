"""Rank correlation of few points, with an interval that owns up to how few they are."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["ranks", "spearman", "spearman_interval"]

Floats = npt.NDArray[np.float64]
_FEWEST, _FEWEST_GROUPS = 8, 4


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
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    *,
    groups: Sequence[Sequence[Hashable]] = (),
    level: float = 0.95,
    draws: int = 10_000,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile bootstrap; draws in which a side is constant are left out.

    Points that share an encoder or a language are not independent: resampled one by one they give intervals far too
    narrow. With ``groups`` the encoders are resampled, and the languages, and a point comes as often as both together
    (the pigeonhole bootstrap of Owen 2007).

    Args:
        first, second: [n].
        groups: [n] labels for each way in which points belong together; without any each stands for itself. What has
            one label throughout is not resampled.
        level, draws, seed: of the interval.

    Returns:
        lower and upper bound; nan for fewer than eight points or, in any way, two or three groups: so few in perfect
        order would seem certain.
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    parts = [np.unique([str(label) for label in some], return_inverse=True)[1] for some in groups]
    parts = [part for part in parts if part.any()] if groups else [np.arange(len(a))]
    if len(a) < _FEWEST or not parts or any(part.max() + 1 < _FEWEST_GROUPS for part in parts):
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    found = np.empty(draws)
    for draw in range(draws):
        times = np.ones(len(a), np.int64)
        for part in parts:
            count = part.max() + 1
            times *= np.bincount(rng.integers(count, size=count), minlength=count)[part]
        rows = np.repeat(np.arange(len(a)), times)
        found[draw] = spearman(a[rows], b[rows])
    found = found[~np.isnan(found)]
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2]) if len(found) else (np.nan, np.nan)
    return float(low), float(high)
