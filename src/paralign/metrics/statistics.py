"""Scores of a test set computed from its items: a ratio of sums, or a statistic of pairs of values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from paralign.metrics.classification import macro_f1
from paralign.metrics.correlation import pearson, spearman
from paralign.metrics.ratios import ratio

__all__ = ["PAIR_STATISTICS", "item_score"]

PAIR_STATISTICS: dict[str, Callable[[Any, Any], npt.NDArray[np.float64]]] = {
    "pearson": pearson,
    "spearman": spearman,
    "macro_f1": macro_f1,
}
"""Statistics of pairs of values. Each takes two arrays [..., n] and returns [...]."""


def item_score(items: npt.ArrayLike, statistic: str = "ratio") -> float:
    """Return the score of a test set.

    Args:
        items: [n, 2]. For ``ratio`` numerator and denominator of each item; for a correlation the pair of values of
            each item, for example prediction and gold score; for ``macro_f1`` the numbers of its gold and its predicted
            label.
        statistic: ``ratio``, ``pearson``, ``spearman`` or ``macro_f1``.

    Returns:
        the score; NaN where it is undefined, as for no items or constant values.

    Raises:
        ValueError: if ``items`` is not [n, 2], or there is no such statistic.

    >>> item_score([[1, 1], [0, 1]])
    0.5
    >>> item_score([[0.1, 1], [0.5, 3], [0.4, 4]], "spearman")
    0.5
    """
    if statistic == "ratio":
        return ratio(items)
    if statistic not in PAIR_STATISTICS:
        raise ValueError(f"unknown statistic {statistic!r}; known: ratio, {', '.join(PAIR_STATISTICS)}")
    table = np.asarray(items, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != 2:
        raise ValueError(f"items must be [n, 2] (pairs of values), not {list(table.shape)}")
    return float(PAIR_STATISTICS[statistic](table[:, 0], table[:, 1]))
