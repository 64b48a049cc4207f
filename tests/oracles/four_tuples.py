"""The Hilbert-Schmidt independence criterion as a mean over all tuples of four different items."""

from __future__ import annotations

from itertools import permutations
from math import sqrt


def hsic(k, l):  # noqa: E741
    tuples = list(permutations(range(len(k)), 4))
    return sum(k[i][j] * (l[i][j] + l[p][q] - 2 * l[i][p]) for i, j, p, q in tuples) / len(tuples)


def debiased_cka(k, l):  # noqa: E741
    return hsic(k, l) / sqrt(hsic(k, k) * hsic(l, l))
