"""Scores that are ratios of two sums over items: accuracy, precision, recall, attachment."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ["ratio"]


def ratio(items: npt.ArrayLike) -> float:
    """Return the sum of the numerators divided by the sum of the denominators.

    An item is a unit of resampling, usually a sentence: correct tags out of all tags, or a hit out of one.

    Args:
        items: [n, 2] numerator and denominator of each item.

    Returns:
        a share of 1; NaN if the denominators sum to zero, as for no items.

    >>> ratio([[3, 4], [0, 1]])
    0.6

    Raises:
        ValueError: if ``items`` is not [n, 2].
    """
    table = np.asarray(items, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != 2:
        raise ValueError(f"items must be [n, 2] (numerator, denominator), not {list(table.shape)}")
    numerator, denominator = table.sum(axis=0)
    return float(numerator / denominator) if denominator != 0 else math.nan
