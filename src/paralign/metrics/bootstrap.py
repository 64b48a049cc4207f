"""The paired bootstrap over test items (Efron & Tibshirani 1993, ch. 13; Koehn 2004 for paired use).

Both systems are scored on the same resampled items, so that what makes an item hard cancels out. A resample
is a vector of counts, how often each item was drawn; all its sums are then one matrix product.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Comparison", "Resampled", "compare_resampled", "paired_bootstrap", "paired_bootstrap_mean", "resampled"]

Floats = npt.NDArray[np.float64]
Sums = Callable[[Floats, int, np.random.Generator], Floats]

_CELLS = 4_000_000
"""Resamples × items held at once: 32 MB of indices and as much of counts, whatever the number of items."""
_LARGE = 20_000
"""Items of a test set beyond which equal ones are drawn together where that is faster."""


@dataclass(frozen=True)
class Comparison:
    """A treated system against its control, in the unit of the score (a share of 1)."""

    difference: float
    """Treated minus control, on the items as they are."""
    low: float
    """Lower end of the 95 % percentile interval of the difference."""
    high: float
    """Upper end."""
    p: float
    """Two-sided, twice the smaller tail at zero; both tails are counted with one added, so never 0."""


def paired_bootstrap(
    treated: npt.ArrayLike, control: npt.ArrayLike, resamples: int = 10_000, seed: int = 0
) -> Comparison:
    """Compare two systems measured on the same items.

    Several seeds of a system come stacked. The score of a system is then the *mean of its per-seed ratios*.
    Unlike the ratio of sums pooled over seeds it is the mean that tables print, and it stays comparable when
    the systems have different numbers of seeds. One draw of items serves all seeds of both systems, so the
    interval speaks of other test items, not of other seeds: read it beside the standard deviation over seeds.

    Args:
        treated: [n, 2] numerator and denominator of each item, or [seeds, n, 2].
        control: the same items in the same order, [n, 2] or [seeds, n, 2].
        resamples: number of bootstrap resamples.
        seed: of the random draws; equal seeds give equal results.

    Raises:
        ValueError: if shapes do not fit, there are no items, or ``resamples`` is below 1.
    """
    return paired_bootstrap_mean([(treated, control)], resamples, seed)


def paired_bootstrap_mean(
    pairs: Sequence[tuple[npt.ArrayLike, npt.ArrayLike]], resamples: int = 10_000, seed: int = 0
) -> Comparison:
    """Compare two systems on the mean of their scores over several test sets (languages).

    Test sets of equal size share their draws: translations of the same sentences are resampled together, as
    they must be, and for unrelated sets the sharing changes nothing in expectation. Sets of different size
    are drawn independently.

    Args:
        pairs: treated and control items of each test set, as in :func:`paired_bootstrap`.
        resamples: number of bootstrap resamples.
        seed: of the random draws.

    Raises:
        ValueError: as :func:`paired_bootstrap`, or without test sets.
    """
    if not pairs or resamples < 1:
        raise ValueError("the bootstrap needs at least one test set and one resample")
    stacks = [(_stacked(treated), _stacked(control)) for treated, control in pairs]
    for one, other in stacks:
        if one.shape[1] != other.shape[1] or one.shape[1] == 0:
            raise ValueError(f"not the same items: {one.shape[1]} treated, {other.shape[1]} control")
    found = resampled([stack for both in stacks for stack in both], resamples, seed)
    known = []
    for both, treated_, control_ in zip(stacks, found[::2], found[1::2], strict=True):
        if treated_ is None or control_ is None:
            treated_, control_ = _together(both, _resampled_sums, resamples, seed)
        known.append((treated_, control_))
    return compare_resampled(known)


@dataclass(frozen=True)
class Resampled:
    """A system on a test set: its score, mean over seeds, on the items as they are and on every resample of them."""

    score: float
    drawn: Floats
    """[resamples]; the n-th draw of two systems is of the same items, if their test sets have one size."""
    items: int


def resampled(tables: Sequence[npt.ArrayLike], resamples: int = 10_000, seed: int = 0) -> list[Resampled | None]:
    """Scores on all resamples, for many comparisons at once: a page compares many systems with one.

    Args:
        tables: items of a system on a test set, as in :func:`paired_bootstrap`.
        resamples: number of bootstrap resamples.
        seed: of the random draws.

    Returns:
        one for each; ``None`` for test sets of more than 20,000 items.
    """
    stacks = [_stacked(table) for table in tables]
    out: list[Resampled | None] = [None] * len(stacks)
    for size in sorted({stack.shape[1] for stack in stacks if 0 < stack.shape[1] <= _LARGE}):
        places = [k for k, stack in enumerate(stacks) if stack.shape[1] == size]
        found = _together([stacks[k] for k in places], _index_sums, resamples, seed)
        for k, one in zip(places, found, strict=True):
            out[k] = one
    return out


def _together(stacks: Sequence[Floats], sums_of: Sums, resamples: int, seed: int) -> list[Resampled]:
    """Systems on the same draws of one test set."""
    size = stacks[0].shape[1]
    table = np.concatenate([seeds for stack in stacks for seeds in stack], axis=1)
    sums = sums_of(table, resamples, np.random.default_rng([seed, size]))
    out, at = [], 0
    for stack in stacks:
        own = slice(at, at + 2 * len(stack))
        score = float(_mean_ratio(table[:, own].sum(axis=0, keepdims=True))[0])
        out.append(Resampled(score, _mean_ratio(sums[:, own]), size))
        at = own.stop
    return out


def compare_resampled(pairs: Sequence[tuple[Resampled, Resampled]]) -> Comparison:
    """:func:`paired_bootstrap_mean` of what was resampled before.

    Raises:
        ValueError: if sizes do not fit.
    """
    if any(one.items != other.items for one, other in pairs):
        raise ValueError("not the same items")
    observed = sum((one.score - other.score) / len(pairs) for one, other in pairs)
    return _comparison(observed, np.sum([(one.drawn - other.drawn) / len(pairs) for one, other in pairs], axis=0))


def _stacked(items: npt.ArrayLike) -> Floats:
    """Items as [seeds, n, 2]."""
    table = np.asarray(items, dtype=np.float64)
    table = table[None] if table.ndim == 2 else table
    if table.ndim != 3 or table.shape[2] != 2 or table.shape[0] == 0:
        raise ValueError(f"items must be [n, 2] or [seeds, n, 2], not {list(np.shape(items))}")
    return table


def _mean_ratio(sums: Floats) -> Floats:
    """Mean over seeds of their ratios: [r, 2 k] sums (numerator, denominator, …) → [r]. 0/0 is NaN."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((sums[:, 0::2] / sums[:, 1::2]).mean(axis=1))


def _resampled_sums(table: Floats, resamples: int, rng: np.random.Generator) -> Floats:
    """Column sums of ``table`` [n, k] over ``n`` rows drawn with replacement: [resamples, k]."""
    size = len(table)
    kinds, often = np.unique(table, axis=0, return_counts=True)
    if 4 * len(kinds) <= size:
        # Equal rows are one kind, drawn with its share: hits and misses are a handful of kinds, however many
        # items.
        return np.asarray(rng.multinomial(size, often / size, size=resamples) @ kinds, dtype=np.float64)
    return _index_sums(table, resamples, rng)


def _index_sums(table: Floats, resamples: int, rng: np.random.Generator) -> Floats:
    """The same, item by item: draws do not depend on what the table holds."""
    size = len(table)
    out = np.empty((resamples, table.shape[1]))
    chunk = max(1, _CELLS // size)
    for start in range(0, resamples, chunk):
        rows = min(chunk, resamples - start)
        # Counting uniform indices is the same law as rng.multinomial, and faster for many kinds.
        index = rng.integers(0, size, size=(rows, size))
        index += np.arange(rows)[:, None] * size
        counts = np.bincount(index.ravel(), minlength=rows * size).reshape(rows, size)
        out[start : start + rows] = counts.astype(np.float64) @ table
    return out


def _comparison(observed: float, drawn: Floats) -> Comparison:
    drawn = drawn[np.isfinite(drawn)]  # a resample of empty items only has no score
    if not len(drawn) or not math.isfinite(observed):
        return Comparison(observed, math.nan, math.nan, math.nan)
    low, high = np.percentile(drawn, [2.5, 97.5])
    # Sums of equal numbers in another order differ in the last bits; a difference of nothing must count as
    # zero.
    noise = 1e-12
    tail = min(np.count_nonzero(drawn <= noise), np.count_nonzero(drawn >= -noise))
    return Comparison(observed, float(low), float(high), min(1.0, 2 * (1 + int(tail)) / (1 + len(drawn))))
