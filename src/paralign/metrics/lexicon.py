"""Bilingual lexicon induction: at what place does a word's nearest right translation stand?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from paralign.metrics.neighbours import cosine_chunks, first_equal, neighbourhood, unit_rows

__all__ = ["chance_precision", "precision_items", "translation_ranks"]

Ints = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]


def translation_ranks(
    queries: npt.ArrayLike, candidates: npt.ArrayLike, gold: npt.ArrayLike, csls_k: int | None = None
) -> Ints:
    """The rank of each query's best placed right candidate, from 1.

    Candidates stand in the order of their cosine with the query, or with ``csls_k`` of their CSLS (Conneau et al.
    2018, eq. 3), whose neighbourhoods are all ``queries`` and all ``candidates``. Among equal ones the lower row
    stands first. A zero vector or one that is not finite finds nothing, is never found, and is nobody's neighbour.
    Computed in float32, a chunk of rows at a time.

    Args:
        queries: [n, d] vectors of source words.
        candidates: [m, d] vectors of target words.
        gold: [p, 2] right pairs (query, candidate), several for a query with several translations.
        csls_k: neighbourhood of CSLS (10 in the paper; at most the number of rows is used), ``None`` for cosine.

    Returns:
        [n] ranks; 0 where nothing right can be found.

    Raises:
        ValueError: if shapes do not go together, or ``csls_k`` is below 1.
    """
    left, left_valid = unit_rows(queries)
    right, right_valid = unit_rows(candidates)
    pairs = np.asarray(gold, np.int64).reshape(-1, 2)
    if left.shape[1] != right.shape[1]:
        raise ValueError(f"vectors of {left.shape[1]} and {right.shape[1]} dimensions cannot be compared")
    if len(pairs) and (pairs.min() < 0 or (pairs.max(axis=0) >= (len(left), len(right))).any()):
        raise ValueError("a right pair names a row that does not exist")
    if csls_k is not None and csls_k < 1:
        raise ValueError(f"csls_k must be at least 1, not {csls_k}")
    around = np.zeros(len(right), np.float32)
    if csls_k is not None:
        around = neighbourhood(right, left[left_valid], csls_k)
    penalty = np.where(right_valid, around, np.inf).astype(np.float32)
    ranks = np.zeros(len(left), np.int64)
    pairs = pairs[left_valid[pairs[:, 0]] & right_valid[pairs[:, 1]]]
    pairs = pairs[np.argsort(pairs[:, 0], kind="stable")]
    # Equal rows get equal scores: a matrix product may round them differently, and an unlucky one must not win.
    same = first_equal(right)
    for here, cosine in cosine_chunks(left, right):
        # A query's own neighbourhood moves all its scores alike.
        scores = (2 * cosine - penalty)[:, same]
        begin, end = np.searchsorted(pairs[:, 0], (here.start, here.start + len(scores)))
        for query, candidate in pairs[begin:end].tolist():
            row = scores[query - here.start]
            rank = 1 + np.count_nonzero(row > row[candidate]) + np.count_nonzero(row[:candidate] == row[candidate])
            ranks[query] = min(ranks[query] or rank, rank)
    return ranks


def precision_items(ranks: npt.ArrayLike, k: int) -> Doubles:
    """Precision@k as its users define it: 1 for a query with a right candidate among its first ``k``, [n, 2].

    Args:
        ranks: [n] from :func:`translation_ranks`.
        k: places looked at.
    """
    places = np.asarray(ranks)
    hits = (places > 0) & (places <= k)
    return np.stack([hits.astype(np.float64), np.ones(len(hits))], 1)


def chance_precision(right: npt.ArrayLike, candidates: int, k: int) -> float:
    """Expected precision@k of candidates in random order: mean of ``1 - C(m - g, k) / C(m, k)``.

    Args:
        right: [n] number of right candidates of each query, g.
        candidates: how many there are, m.
        k: places looked at.
    """
    wrong = candidates - np.asarray(right, np.float64)
    missed = np.ones(len(wrong))
    for drawn in range(min(k, candidates)):
        missed *= np.maximum(0, wrong - drawn) / (candidates - drawn)
    return float(np.mean(1 - missed)) if len(wrong) else 0.0
