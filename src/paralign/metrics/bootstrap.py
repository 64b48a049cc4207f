"""The bootstrap over test items, paired for comparisons (Efron & Tibshirani 1993, ch. 13; Koehn 2004).

Both systems are scored on the same resampled items, so that the difficulty of items cancels out. For ratios of sums a
resample is a vector of counts, how often each item is drawn, and all its sums are one matrix product.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from paralign.metrics.statistics import PAIR_STATISTICS, item_score

__all__ = [
    "Comparison",
    "Resampled",
    "bootstrap_interval",
    "compare_resampled",
    "paired_bootstrap",
    "paired_bootstrap_mean",
    "resample",
]

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.integer]

_CELLS = 4_000_000
"""Resamples × items held at once: 32 MB of indices and 32 MB of counts, whatever the number of items."""
_KEPT = 16_000_000
"""Resamples × items whose counts, a byte each, are kept for other systems on a test set of the same size."""
_GROUPS = 20_000
"""Larger test sets are resampled in this many random groups of items, which limits time and memory."""


@dataclass(frozen=True)
class Comparison:
    """A treated system compared with its control, in the unit of the score (a share of 1)."""

    difference: float
    """Treated minus control, on the original items."""
    low: float
    """Lower end of the 95 % percentile interval of the difference."""
    high: float
    """Upper end."""
    p: float
    """Two-sided p value: twice the smaller tail at zero. One is added to both tails, so it is never 0."""
    items: int = 0
    """Size of the smallest test set; 0 if unknown."""
    seeds: int = 1
    """Number of seeds that interval and p value account for, the smaller of both systems; 1: test items alone."""


def paired_bootstrap(
    treated: npt.ArrayLike,
    control: npt.ArrayLike,
    resamples: int = 10_000,
    seed: int = 0,
    *,
    statistic: str = "ratio",
) -> Comparison:
    """Compare two systems measured on the same items.

    Several seeds of a system are stacked, and its score is the *mean of its per-seed scores*. Unlike the ratio of sums
    pooled over seeds, this is the mean that tables print, and it stays comparable when systems have different numbers
    of seeds. All seeds of both systems share one draw of items, so the interval accounts for the choice of test items,
    not for the choice of seeds: :func:`paralign.metrics.compare_over_seeds` extends it.

    Args:
        treated: [n, 2] items (see :func:`paralign.metrics.statistics.item_score`), or [seeds, n, 2].
        control: the same items in the same order, [n, 2] or [seeds, n, 2].
        resamples: number of bootstrap resamples.
        seed: seed of the resamples; equal seeds give equal results.
        statistic: how a score is computed from items, see :func:`paralign.metrics.statistics.item_score`.

    Raises:
        ValueError: if the shapes do not match, there are no items, or ``resamples`` is below 1.
    """
    return paired_bootstrap_mean([(treated, control)], resamples, seed, statistic=statistic)


def paired_bootstrap_mean(
    pairs: Sequence[tuple[npt.ArrayLike, npt.ArrayLike]],
    resamples: int = 10_000,
    seed: int = 0,
    *,
    statistic: str = "ratio",
) -> Comparison:
    """Compare two systems by the mean of their scores over several test sets (languages).

    Test sets of equal size share their draws: translations of the same sentences must be resampled together, and for
    unrelated sets sharing changes nothing in expectation. Sets of different sizes are drawn independently.

    Args:
        pairs: treated and control items of each test set, as in :func:`paired_bootstrap`.
        resamples: number of bootstrap resamples.
        seed: seed of the resamples.
        statistic: as in :func:`paired_bootstrap`.

    Raises:
        ValueError: as :func:`paired_bootstrap`, or if there are no test sets.
    """
    if not pairs or resamples < 1:
        raise ValueError("the bootstrap needs at least one test set and one resample")
    stacks = [(_stacked(treated), _stacked(control)) for treated, control in pairs]
    for treated_items, control_items in stacks:
        if treated_items.shape[1] != control_items.shape[1] or treated_items.shape[1] == 0:
            sizes = f"{treated_items.shape[1]} treated, {control_items.shape[1]} control"
            raise ValueError(f"not the same items: {sizes}")
    scores = resample([stack for both in stacks for stack in both], resamples, seed, statistic=statistic)
    compared = [score for score in scores if score is not None]
    assert len(compared) == len(scores)  # no test set is empty
    return compare_resampled(list(zip(compared[::2], compared[1::2], strict=True)))


@dataclass(frozen=True)
class Resampled:
    """Scores of a system on a test set, means over its seeds: on the original items and on every resample of them."""

    score: float
    resamples: Floats
    """[resamples]; the n-th resample of two systems has the same items if their test sets have the same size."""
    items: int
    """Size of the test set; the smallest one of a mean."""

    @classmethod
    def mean(cls, parts: Sequence[Resampled]) -> Resampled:
        """Return the mean of scores on several test sets, of which there is at least one."""
        score = math.fsum(part.score for part in parts) / len(parts)
        return cls(score, np.mean([part.resamples for part in parts], axis=0), min(part.items for part in parts))

    def interval(self) -> tuple[float, float]:
        """Return the 95 % percentile interval of the score; NaN if it is undefined on all resamples."""
        scores = self.resamples[np.isfinite(self.resamples)]
        low, high = np.percentile(scores, [2.5, 97.5]) if len(scores) else (math.nan, math.nan)
        return float(low), float(high)


def resample(
    tables: Sequence[npt.ArrayLike], resamples: int = 10_000, seed: int = 0, *, statistic: str = "ratio"
) -> list[Resampled | None]:
    """Return the scores of many systems on the same resamples, for comparing several systems with one.

    Args:
        tables: items of a system on a test set, as in :func:`paired_bootstrap`.
        resamples: number of bootstrap resamples.
        seed: seed of the resamples.
        statistic: as in :func:`paired_bootstrap`.

    Returns:
        one for each table; ``None`` for ratios without items.
    """
    stacks = [_stacked(table) for table in tables]
    if statistic == "macro_f1":
        return [_resample_macro_f1(stack, resamples, seed) for stack in stacks]
    if statistic != "ratio":
        return [_resample_correlation(stack, resamples, seed, statistic) for stack in stacks]
    out: list[Resampled | None] = [None] * len(stacks)
    for size in sorted({stack.shape[1] for stack in stacks if stack.shape[1]}):
        indices = [k for k, stack in enumerate(stacks) if stack.shape[1] == size]
        resampled = _resample_ratios([stacks[k] for k in indices], resamples, seed)
        for k, scores in zip(indices, resampled, strict=True):
            out[k] = scores
    return out


def _resample_ratios(stacks: Sequence[Floats], resamples: int, seed: int) -> list[Resampled]:
    """Score systems on the same resamples of one test set, as ratios of sums."""
    size = stacks[0].shape[1]
    table = np.concatenate([seeds for stack in stacks for seeds in stack], axis=1)
    sums = _resampled_sums(table, resamples, seed)
    out, start = [], 0
    for stack in stacks:
        stop = start + 2 * len(stack)
        score = float(_mean_ratio(table[:, start:stop].sum(axis=0, keepdims=True))[0])
        out.append(Resampled(score, _mean_ratio(sums[:, start:stop]), size))
        start = stop
    return out


def _resample_macro_f1(stack: Floats, resamples: int, seed: int) -> Resampled:
    """Score a system on resamples of its test set, as macro F1, from sums of indicators of its labels."""
    size = stack.shape[1]
    if not size:
        return Resampled(math.nan, np.full(resamples, math.nan), 0)
    of_seeds = []
    for items in stack:
        gold, predicted = (items[:, side, None] == np.unique(items) for side in (0, 1))  # [n, labels]
        indicators = np.concatenate([gold & predicted, gold, predicted], axis=1).astype(np.float64)
        right, in_gold, in_predicted = np.split(_resampled_sums(indicators, resamples, seed), 3, axis=1)
        occurs = in_gold + in_predicted
        of_labels = 2 * right / np.maximum(occurs, 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            of_seeds.append(of_labels.sum(axis=1) / (occurs > 0).sum(axis=1))
    score = float(np.mean([item_score(items, "macro_f1") for items in stack]))
    return Resampled(score, np.mean(of_seeds, axis=0), size)


def _resampled_sums(table: Floats, resamples: int, seed: int) -> Floats:
    """Return the sums of the columns of a table over resampled rows: [n, k] -> [resamples, k]."""
    size = len(table)
    rng, drawn = np.random.default_rng([seed, size]), table
    if size > _GROUPS:  # the same groups in all test sets of this size
        drawn = np.add.reduceat(table[rng.permutation(size)], np.arange(_GROUPS) * size // _GROUPS)
    kept = size <= _GROUPS and size * resamples <= _KEPT
    counts: Iterable[Counts]
    counts = _kept_counts(size, resamples, seed) if kept else _draw_counts(len(drawn), resamples, rng)
    # Systems on one test set have the same denominators and gold labels, which are summed once.
    different: dict[bytes, int] = {}
    columns = np.ascontiguousarray(drawn.T)
    column = np.array([different.setdefault(values.tobytes(), len(different)) for values in columns])
    distinct = drawn[:, np.unique(column, return_index=True)[1]]
    sums = np.concatenate([part.astype(np.float64) @ distinct for part in counts])
    return np.asarray(sums[:, column])


def _resample_correlation(stack: Floats, resamples: int, seed: int, statistic: str) -> Resampled:
    """Score a system on resamples of its test set, as a correlation; equal sizes and seeds give equal resamples."""
    size = stack.shape[1]
    rng = np.random.default_rng([seed, size])
    scores = np.empty(resamples)
    chunk = max(1, _CELLS // max(1, size))
    for start in range(0, resamples, chunk):
        rows = rng.integers(0, size, size=(min(chunk, resamples - start), size))
        values = [PAIR_STATISTICS[statistic](items[:, 0][rows], items[:, 1][rows]) for items in stack]
        scores[start : start + len(rows)] = np.mean(values, axis=0)
    return Resampled(float(np.mean([item_score(items, statistic) for items in stack])), scores, size)


def compare_resampled(pairs: Sequence[tuple[Resampled, Resampled]]) -> Comparison:
    """Do what :func:`paired_bootstrap_mean` does, on test sets resampled by :func:`resample`.

    Raises:
        ValueError: if the sizes of the test sets differ.
    """
    if any(treated.items != control.items for treated, control in pairs):
        raise ValueError("not the same items")
    difference = sum((treated.score - control.score) / len(pairs) for treated, control in pairs)
    differences = [(treated.resamples - control.resamples) / len(pairs) for treated, control in pairs]
    items = min((treated.items for treated, _ in pairs), default=0)
    return _comparison(Resampled(difference, np.sum(differences, axis=0), items))


def bootstrap_interval(
    items: npt.ArrayLike, resamples: int = 10_000, *, statistic: str = "ratio"
) -> tuple[float, float]:
    """Return the 95 % percentile interval of one system's score over resamples of its items.

    Args:
        items: as in :func:`paired_bootstrap`.
        resamples: number of bootstrap resamples.
        statistic: as in :func:`paired_bootstrap`.

    Returns:
        lower and upper end; NaN without items, or if the score is undefined on all resamples.
    """
    stack = _stacked(items)
    if not stack.shape[1]:
        return math.nan, math.nan
    (resampled,) = resample([stack], resamples, 0, statistic=statistic)
    assert resampled is not None
    return resampled.interval()


def _stacked(items: npt.ArrayLike) -> Floats:
    """Return items as [seeds, n, 2]."""
    table = np.asarray(items, dtype=np.float64)
    table = table[None] if table.ndim == 2 else table
    if table.ndim != 3 or table.shape[2] != 2 or table.shape[0] == 0:
        raise ValueError(f"items must be [n, 2] or [seeds, n, 2], not {list(np.shape(items))}")
    return table


def _mean_ratio(sums: Floats) -> Floats:
    """Mean over seeds of their ratios: [r, 2 k] sums (numerator, denominator, ...) -> [r]. 0/0 is NaN."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((sums[:, 0::2] / sums[:, 1::2]).mean(axis=1))


@lru_cache(maxsize=4)
def _kept_counts(size: int, resamples: int, seed: int) -> list[Counts]:
    """Return what :func:`_draw_counts` yields, in the smallest type; other systems use the same resamples."""
    parts = _draw_counts(size, resamples, np.random.default_rng([seed, size]))
    return [part.astype(np.min_scalar_type(int(part.max()))) for part in parts]


def _draw_counts(size: int, resamples: int, rng: np.random.Generator) -> Iterator[Counts]:
    """Yield how often each of n items is drawn with replacement in n draws: [rows, n], of ``resamples`` rows in all."""
    chunk = max(1, _CELLS // size)
    for start in range(0, resamples, chunk):
        rows = min(chunk, resamples - start)
        # Counts of uniform indices have the distribution of rng.multinomial and are faster for many distinct rows.
        index = rng.integers(0, size, size=(rows, size))
        index += np.arange(rows)[:, None] * size
        yield np.bincount(index.ravel(), minlength=rows * size).reshape(rows, size)


def _comparison(difference: Resampled) -> Comparison:
    resamples = difference.resamples[np.isfinite(difference.resamples)]  # a resample of empty items has no score
    if not len(resamples) or not math.isfinite(difference.score):
        return Comparison(difference.score, math.nan, math.nan, math.nan, difference.items)
    low, high = difference.interval()
    # Sums of equal numbers in another order differ in their last bits; such differences count as zero.
    noise = 1e-12
    tail = min(np.count_nonzero(resamples <= noise), np.count_nonzero(resamples >= -noise))
    p = min(1.0, 2 * (1 + int(tail)) / (1 + len(resamples)))
    return Comparison(difference.score, low, high, p, difference.items)
