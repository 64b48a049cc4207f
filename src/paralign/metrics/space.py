"""Measures of a space of sentence vectors in several languages."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from paralign.metrics.neighbors import cosine_chunks, nearest, unit_rows

__all__ = [
    "effective_rank",
    "hubness",
    "language_distance",
    "linear_identification",
    "mean_cosine",
    "mutual_nearest",
    "nearest_mean_identification",
]

Vectors = npt.NDArray[np.floating]
Booleans = npt.NDArray[np.bool_]

_SHRINKAGE = 0.01
"""Share of the mean variance that is added to the covariance of the discriminant analysis."""
_ROUNDING = 2e-6
"""Cosines that differ by less are equal: vectors and products of equal sentences differ in their last bits."""


def mean_cosine(vectors: Vectors) -> float:
    """Return the mean cosine of different rows; 0 for random directions, 1 if all are the same. Shape: [n, d]."""
    unit, _ = unit_rows(vectors)
    total = unit.sum(0, dtype=np.float64)
    n = len(unit)
    return float((total @ total - np.square(unit, dtype=np.float64).sum()) / (n * (n - 1)))


def effective_rank(vectors: Vectors) -> float:
    """Return the exponential of the entropy of the normalized singular values of the centered rows.

    Source: Roy and Vetterli 2007. It is at most min(n - 1, d); with few rows it is too low.

    >>> round(effective_rank(np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]])), 3)
    2.0
    """
    values = np.linalg.svd(np.asarray(vectors, np.float64) - np.mean(vectors, 0, dtype=np.float64), compute_uv=False)
    share = values[values > values.max(initial=0) * 1e-12] / max(values.sum(), 1e-300)
    return float(np.exp(-(share * np.log(share)).sum()))


def _halves(vectors: Mapping[str, Vectors]) -> tuple[dict[str, Vectors], dict[str, Vectors]]:
    """Return every other row, for fitting, and the rest. Parallel rows are in the same half in all languages."""
    return {name: rows[::2] for name, rows in vectors.items()}, {name: rows[1::2] for name, rows in vectors.items()}


def nearest_mean_identification(vectors: Mapping[str, Vectors]) -> dict[str, Booleans]:
    """Return which held-out rows of each language are nearest to the mean of their own language.

    Args:
        vectors: rows by language; the means are those of every other row. Shape of each: [n, d].
    """
    fit, held_out = _halves(vectors)
    means = np.stack([rows.mean(0, dtype=np.float64) for rows in fit.values()])
    return {
        name: (np.square(rows[:, None] - means).sum(2).argmin(1) == index)
        for index, (name, rows) in enumerate(held_out.items())
    }


def linear_identification(vectors: Mapping[str, Vectors]) -> dict[str, Booleans]:
    """Return which held-out rows of each language a linear discriminant analysis assigns to it.

    Args:
        vectors: rows by language; means and the covariance within languages are those of every other row. Shape of
            each: [n, d].
    """
    fit, held_out = _halves(vectors)
    means = np.stack([rows.mean(0, dtype=np.float64) for rows in fit.values()])
    within = np.concatenate([rows - mean for rows, mean in zip(fit.values(), means, strict=True)])
    covariance = within.T @ within / len(within)
    covariance += (_SHRINKAGE * np.trace(covariance) / len(covariance) + 1e-12) * np.eye(len(covariance))
    weights = np.linalg.solve(covariance, means.T)
    bias = -(means * weights.T).sum(1) / 2
    return {name: ((rows @ weights + bias).argmax(1) == index) for index, (name, rows) in enumerate(held_out.items())}


def are_equal(rows: Vectors) -> bool:
    """Return whether all rows are equal up to rounding. Neighbors among equal rows are arbitrary.

    Args:
        rows: Shape: [n, d].
    """
    return len(rows) > 1 and float(np.ptp(rows, axis=0).max()) <= 1e-6 * float(np.abs(rows).max())


def hubness(queries: Vectors, items: Vectors, k: int = 10) -> float:
    """Return the skewness of how often each item is among the k nearest of a query (Radovanović et al. 2010).

    Args:
        queries: sentences of one language. Shape: [n, d].
        items: sentences of another. Shape: [m, d].
        k: number of neighbors, by cosine.

    Returns:
        0 if all items occur equally often; large if a few are near everything; NaN if all items are equal.
    """
    if are_equal(items):
        return math.nan
    rows, others = unit_rows(queries)[0], unit_rows(items)[0]
    counts = np.bincount(nearest(rows, others, k).index.ravel(), minlength=len(others))
    deviation = counts - counts.mean()
    spread = np.sqrt(np.square(deviation).mean())
    return float(np.power(deviation, 3).mean() / spread**3) if spread else 0.0


def mutual_nearest(first: Vectors, second: Vectors) -> Booleans:
    """Return for each pair of translations whether each is the nearest sentence of the other, by cosine.

    A pair counts if its cosine is the greatest of its row and of its column. Ties, up to rounding, count against it.

    Args:
        first, second: translations, row by row. Shape of each: [n, d].
    """
    rows, others = unit_rows(first)[0], unit_rows(second)[0]
    own = np.einsum("nd,nd->n", rows, others)
    return _is_greatest(rows, others, own) & _is_greatest(others, rows, own)


def _is_greatest(rows: Vectors, others: Vectors, own: Vectors) -> Booleans:
    out = np.ones(len(rows), bool)
    for here, cosine in cosine_chunks(np.asarray(rows, np.float32), np.asarray(others, np.float32)):
        numbers = np.arange(len(rows))[here]
        cosine[np.arange(len(numbers)), numbers] = -np.inf
        out[here] = own[here] > cosine.max(1, initial=-np.inf) + _ROUNDING
    return out


def language_distance(first: Vectors, second: Vectors) -> float:
    """Return the distance of the means of two languages in units of the spread within them.

    The spread is the root of the summed variances, averaged over both languages.

    Args:
        first, second: rows of two languages. Shapes: [n, d] and [m, d].
    """
    distance = np.linalg.norm(first.mean(0, dtype=np.float64) - second.mean(0, dtype=np.float64))
    variance = (first.var(0, dtype=np.float64).sum() + second.var(0, dtype=np.float64).sum()) / 2
    return float(distance / np.sqrt(variance)) if variance else float("nan")
