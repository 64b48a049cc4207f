"""The exact bootstrap distribution: all n^n resamples, equally likely."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

Items = Sequence[tuple[float, float]]


def score(items: Items, index: Sequence[int]) -> float:
    return sum(items[i][0] for i in index) / sum(items[i][1] for i in index)


def differences(treated: Sequence[Items], control: Sequence[Items]) -> list[float]:
    """Difference of the mean per-seed ratios on each resample, sorted."""
    n = len(treated[0])
    out = []
    for index in itertools.product(range(n), repeat=n):
        one = sum(score(items, index) for items in treated) / len(treated)
        other = sum(score(items, index) for items in control) / len(control)
        out.append(one - other)
    return sorted(out)
