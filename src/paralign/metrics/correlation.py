"""Pearson's and Spearman's correlation, and a bootstrap interval for few or grouped points."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["pearson", "spearman", "spearman_interval"]

Floats = npt.NDArray[np.float64]
_MIN_POINTS, _MIN_GROUPS = 8, 4


def pearson(first: npt.ArrayLike, second: npt.ArrayLike) -> Floats:
    """Pearson's correlation along the last axis.

    Shapes:
        first, second: [..., n]
        result: [...]; NaN where a side is constant or empty

    Raises:
        ValueError: if the shapes differ.
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if a.shape != b.shape:
        raise ValueError(f"the sides must have one shape, not {list(a.shape)} and {list(b.shape)}")
    if not a.shape[-1]:
        return np.full(a.shape[:-1], np.nan)
    constant = (np.ptp(a, axis=-1) == 0) | (np.ptp(b, axis=-1) == 0)
    a, b = a - a.mean(-1, keepdims=True), b - b.mean(-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = (a * b).sum(-1) / np.sqrt((a * a).sum(-1) * (b * b).sum(-1))
    return np.asarray(np.where(constant, np.nan, value))


def spearman(first: npt.ArrayLike, second: npt.ArrayLike) -> Floats:
    """Spearman's rank correlation along the last axis: Pearson's correlation of the ranks; ties share their mean rank.

    Shapes:
        first, second: [..., n]
        result: [...]; NaN where a side is constant or empty

    Raises:
        ValueError: if the shapes differ.
    """
    from scipy.stats import rankdata  # slow to import

    return pearson(rankdata(first, axis=-1), rankdata(second, axis=-1))


def spearman_interval(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    *,
    groups: Sequence[Sequence[Hashable]] = (),
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile bootstrap interval of Spearman's correlation.

    Points that share an encoder or a language are not independent, and resampling them one by one gives intervals that
    are far too narrow. With ``groups``, encoders and languages are resampled instead, and a point is repeated as often
    as its encoder times its language (the pigeonhole bootstrap of Owen 2007). Resamples in which a side is constant are
    left out.

    Args:
        first: [n] values.
        second: [n] values.
        groups: [n] labels for each way in which points belong together; without any, points are independent. Labels
            that are the same for all points are not resampled.
        level: coverage of the interval.
        resamples: number of bootstrap resamples.
        seed: seed of the resamples.

    Returns:
        Lower and upper bound. NaN for fewer than eight points, or two or three groups, because so few points in perfect
        order would appear certain.
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    group_ids = [np.unique([str(label) for label in labels], return_inverse=True)[1] for labels in groups]
    group_ids = [ids for ids in group_ids if ids.any()] if groups else [np.arange(len(a))]
    if len(a) < _MIN_POINTS or not group_ids or any(ids.max() + 1 < _MIN_GROUPS for ids in group_ids):
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    by_size: dict[int, list[npt.NDArray[np.int64]]] = defaultdict(list)
    for _ in range(resamples):
        repeats = np.ones(len(a), np.int64)
        for ids in group_ids:
            count = ids.max() + 1
            repeats *= np.bincount(rng.integers(count, size=count), minlength=count)[ids]
        rows = np.repeat(np.arange(len(a)), repeats)
        by_size[len(rows)].append(rows)
    values = np.concatenate([spearman(a[np.stack(rows)], b[np.stack(rows)]) for rows in by_size.values()])
    values = values[~np.isnan(values)]
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2]) if len(values) else (np.nan, np.nan)
    return float(low), float(high)
