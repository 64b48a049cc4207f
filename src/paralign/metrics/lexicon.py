"""Bilingual lexicon induction: the rank of the nearest correct translation of each word."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from paralign.metrics.neighbors import cosine_chunks, first_equal, nearest, unit_rows

__all__ = ["chance_precision", "precision_items", "translation_ranks"]

Ints = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]


def translation_ranks(
    queries: npt.ArrayLike, candidates: npt.ArrayLike, gold: npt.ArrayLike, csls_k: int | None = None
) -> Ints:
    """Return the rank, from 1, of the best correct candidate of each query.

    Candidates are ranked by their cosine with the query, or by CSLS (Conneau et al. 2018, eq. 3) with neighborhoods of
    all ``queries`` and all ``candidates``. Among equal ones the lower row comes first. Zero vectors and vectors that
    are not finite find nothing, are never found, and are no neighbors. Computed in float32, a chunk of rows at a time.

    Args:
        queries: [n, d] vectors of source words.
        candidates: [m, d] vectors of target words.
        gold: [p, 2] correct pairs (query, candidate), several for a query with several translations.
        csls_k: size of CSLS's neighborhood (10 in the paper), at most the number of rows. ``None``: rank by cosine.

    Returns:
        [n] ranks; 0 if no correct candidate can be found.

    Raises:
        ValueError: if shapes do not match, or ``csls_k`` is below 1.
    """
    left, left_valid = unit_rows(queries)
    right, right_valid = unit_rows(candidates)
    pairs = np.asarray(gold, np.int64).reshape(-1, 2)
    if left.shape[1] != right.shape[1]:
        raise ValueError(f"vectors of {left.shape[1]} and {right.shape[1]} dimensions cannot be compared")
    if len(pairs) and (pairs.min() < 0 or (pairs.max(axis=0) >= (len(left), len(right))).any()):
        raise ValueError("a gold pair has a row that does not exist")
    if csls_k is not None and csls_k < 1:
        raise ValueError(f"csls_k must be at least 1, not {csls_k}")
    around = np.zeros(len(right), np.float32)
    if csls_k is not None and left_valid.any():
        around = nearest(right, left[left_valid], csls_k).cosine.mean(1)
    penalty = np.where(right_valid, around, np.inf).astype(np.float32)
    ranks = np.zeros(len(left), np.int64)
    pairs = pairs[left_valid[pairs[:, 0]] & right_valid[pairs[:, 1]]]
    pairs = pairs[np.argsort(pairs[:, 0], kind="stable")]
    # Equal rows get equal scores, although a matrix product may round them differently.
    same = first_equal(right)
    for here, cosine in cosine_chunks(left, right):
        # The query's own neighborhood shifts all its scores equally.
        scores = (2 * cosine - penalty)[:, same]
        begin, end = np.searchsorted(pairs[:, 0], (here.start, here.start + len(scores)))
        for query, candidate in pairs[begin:end].tolist():
            row = scores[query - here.start]
            rank = 1 + np.count_nonzero(row > row[candidate]) + np.count_nonzero(row[:candidate] == row[candidate])
            ranks[query] = min(ranks[query] or rank, rank)
    return ranks


def precision_items(ranks: npt.ArrayLike, k: int) -> Doubles:
    """Return per-item scores [n, 2] of precision@k: 1 for a query with a correct candidate among its first ``k``.

    Args:
        ranks: [n] from :func:`translation_ranks`.
        k: number of candidates considered.
    """
    rank = np.asarray(ranks)
    hits = (rank > 0) & (rank <= k)
    return np.stack([hits.astype(np.float64), np.ones(len(hits))], 1)


def chance_precision(right: npt.ArrayLike, candidates: int, k: int) -> float:
    """Return the expected precision@k of candidates in random order: the mean of ``1 - C(m - g, k) / C(m, k)``.

    Args:
        right: [n] number of correct candidates of each query, g.
        candidates: number of candidates, m.
        k: number of candidates considered.
    """
    wrong = candidates - np.asarray(right, np.float64)
    missed = np.ones(len(wrong))
    for position in range(min(k, candidates)):
        missed *= np.maximum(0, wrong - position) / (candidates - position)
    return float(np.mean(1 - missed)) if len(wrong) else 0.0
