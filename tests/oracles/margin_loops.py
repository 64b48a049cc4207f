"""Margin-based mining by definition, in float64 and one pair at a time."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from tests.oracles.retrieval_loops import cosine, mean_of_nearest

Vectors = Sequence[Sequence[float]]
Scored = list[tuple[int, int, float]]


def score(i: int, j: int, a: Vectors, b: Vectors, k: int, margin: str) -> float:
    here = cosine(a[i], b[j])
    around = mean_of_nearest(a[i], b, k) / 2 + mean_of_nearest(b[j], a, k) / 2
    if margin == "absolute":
        return here
    if margin == "distance":
        return here - around
    return here / max(around, 1e-6)


def forward(a: Vectors, b: Vectors, k: int, margin: str) -> Scored:
    """Each row of ``a`` with the best scored of its ``k`` nearest."""
    out = []
    for i, x in enumerate(a):
        near = sorted(range(len(b)), key=lambda j: -cosine(x, b[j]))[:k]
        best = max(near, key=lambda j: score(i, j, a, b, k, margin))
        out.append((i, best, score(i, best, a, b, k, margin)))
    return out


def mine(a: Vectors, b: Vectors, k: int, margin: str, strategy: str) -> Scored:
    there = forward(a, b, k, margin)
    hence = [(i, j, value) for j, i, value in forward(b, a, k, margin)]
    if strategy == "forward":
        return there
    if strategy == "backward":
        return hence
    if strategy == "intersect":
        return [pair for pair in there if pair[:2] in {p[:2] for p in hence}]
    left = there + hence
    out = []
    while left:
        best = max(left, key=lambda pair: pair[2])
        out.append(best)
        left = [pair for pair in left if pair[0] != best[0] and pair[1] != best[1]]
    return out


def f1(extracted: set[tuple[str, str]], gold: set[tuple[str, str]]) -> tuple[Fraction, Fraction, Fraction]:
    """F1, precision and recall of two sets, 0 where there is nothing to divide by."""
    right = len(extracted & gold)
    precision = Fraction(right, len(extracted)) if extracted else Fraction(0)
    recall = Fraction(right, len(gold)) if gold else Fraction(0)
    both = precision + recall
    return (2 * precision * recall / both if both else Fraction(0)), precision, recall


def best_f1(scores: Sequence[float], right: Sequence[bool], gold: int) -> Fraction:
    """The best F1 any threshold has, by trying every score as the threshold."""
    best = Fraction(0)
    for threshold in scores:
        kept = [r for s, r in zip(scores, right, strict=True) if s >= threshold]
        best = max(best, Fraction(2 * sum(kept), len(kept) + gold))
    return best
