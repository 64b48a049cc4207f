"""Centered kernel alignment (CKA) of two representations of the same items (Kornblith et al. 2019).

Biased CKA is high on noise unless there are many more items than dimensions. Debiased CKA (the unbiased HSIC of Song et
al. 2012, as in Nguyen et al. 2021) is zero on noise in expectation. Linear CKA needs only sums over items, so a stream
of any length is measured in memory of width x width.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

__all__ = [
    "Sums",
    "cka",
    "cka_of_halves",
    "cka_of_sums",
    "half_hsic",
    "half_sample_interval",
    "kernel_cka",
    "rbf_kernel",
]

Floats = npt.NDArray[np.float64]
Numbers = TypeVar("Numbers", float, Floats)
_MIN_ITEMS_HALVED = 16
"""Fewer items have no half-samples."""
_MIN_ITEMS = 4
"""With fewer items debiasing divides by zero."""


class Sums:
    """The sums that linear CKA needs of pairs (x_i, y_i), with k_i = x_i·x_i and l_i = y_i·y_i.

    CKA is invariant to a shift of all x or all y; subtracting something close to their mean keeps precision.

    Attributes:
        n: number of pairs.
        cross: [d, e] Σ x_i y_iᵀ.
        x, y: Σ x_i and Σ y_i.
        ky, lx: Σ k_i y_i and Σ l_i x_i.
        k, l, kl: Σ k_i, Σ l_i, Σ k_i l_i.
    """

    def __init__(self, d: int, e: int) -> None:
        self.n = 0
        self.cross = np.zeros((d, e))
        self.x, self.lx = np.zeros((2, d))
        self.y, self.ky = np.zeros((2, e))
        self.k = self.l = self.kl = 0.0

    def add(self, x: npt.NDArray[np.floating], y: npt.NDArray[np.floating]) -> None:
        """Add pairs: x [n, d], y [n, e]."""
        a, b = np.asarray(x, np.float64), np.asarray(y, np.float64)
        k, l = np.einsum("nd,nd->n", a, a), np.einsum("nd,nd->n", b, b)  # noqa: E741
        self.n += len(a)
        self.cross += a.T @ b
        self.x += a.sum(0)
        self.y += b.sum(0)
        self.ky += k @ b
        self.lx += l @ a
        self.k += float(k.sum())
        self.l += float(l.sum())
        self.kl += float(k @ l)


@dataclass(frozen=True)
class _Terms(Generic[Numbers]):
    """The terms of the Hilbert-Schmidt independence criterion: numbers, or arrays with one entry for each half-sample.

    Attributes:
        n, k, l, kl: as in :class:`Sums`.
        cross: squared length of ``Sums.cross``.
        x: squared length of ``Sums.x``.
        y: squared length of ``Sums.y``.
        xy: xᵀ cross y.
        diagonal: ky·y + lx·x.
    """

    n: Numbers
    cross: Numbers
    x: Numbers
    y: Numbers
    xy: Numbers
    diagonal: Numbers
    k: Numbers
    l: Numbers  # noqa: E741
    kl: Numbers

    def hsic(self, *, debiased: bool) -> Numbers:
        """Return the criterion for linear kernels K and L, up to a factor that depends only on n.

        Biased: tr(KHLH). Debiased: eq. 5 of Song et al. 2012, with zero diagonals of K and L.
        """
        n = self.n
        if not debiased:
            return self.cross - 2 * self.xy / n + self.x * self.y / n**2
        both = self.xy - self.diagonal + self.kl
        pairs = (self.x - self.k) * (self.y - self.l) / ((n - 1) * (n - 2))
        return self.cross - self.kl + pairs - 2 * both / (n - 2)


def _terms_of_sums(s: Sums) -> _Terms[float]:
    return _Terms(
        n=float(s.n),
        cross=float((s.cross * s.cross).sum()),
        x=float(s.x @ s.x),
        y=float(s.y @ s.y),
        xy=float(s.x @ s.cross @ s.y),
        diagonal=float(s.ky @ s.y + s.lx @ s.x),
        k=s.k,
        l=s.l,
        kl=s.kl,
    )


def cka_of_sums(xy: Sums, xx: Sums, yy: Sums, *, debiased: bool = True) -> float:
    """Return linear CKA of x and y from the sums of (x, y), (x, x) and (y, y); NaN where it is undefined."""
    if debiased and xy.n < _MIN_ITEMS:
        return math.nan
    return _ratio(*(_terms_of_sums(sums).hsic(debiased=debiased) for sums in (xy, xx, yy)))


def half_hsic(
    x: npt.NDArray[np.floating],
    y: npt.NDArray[np.floating],
    *,
    debiased: bool = True,
    draws: int = 100,
    groups: int = 32,
    seed: int = 0,
) -> Floats:
    """Return the criterion of linear CKA on half-samples drawn without replacement: [draws].

    Items are divided into groups at random, and a half-sample is half of the groups. With equal seeds the n-th
    half-sample has the same items whatever x and y are, so that :func:`cka_of_halves` computes CKA from three such
    arrays. Estimates on half-samples vary around the estimate on all items as the latter varies around the true value
    (Politis & Romano 1994), so their quantiles give an interval. A bootstrap with replacement does not, because
    repeated items are similar to each other.

    Args:
        x: [n, d], a row for each item.
        y: [n, e], the same items.
        debiased: use the debiased estimate.
        draws: number of half-samples.
        groups: number of groups.
        seed: seed of groups and half-samples.

    Returns:
        the criterion up to a factor; NaN for fewer than 16 items.
    """
    a, b = (np.asarray(side, np.float64) for side in (x, y))
    if len(a) < _MIN_ITEMS_HALVED:
        return np.full(draws, math.nan)
    rng = np.random.default_rng(seed)
    groups = min(groups, len(a) // 2 * 2)
    order = np.array_split(rng.permutation(len(a)), groups)
    chosen = np.zeros((draws, groups))
    for row in chosen:
        row[rng.permutation(groups)[: groups // 2]] = 1
    # As in Sums, for each group. The terms of a half-sample are quadratic forms of its row of `chosen`.
    cross = np.empty((groups, a.shape[1], b.shape[1]))
    belongs = np.zeros((groups, len(a)))
    for group, rows in enumerate(order):
        np.matmul(a[rows].T, b[rows], out=cross[group])
        belongs[group, rows] = 1
    k, l = np.einsum("nd,nd->n", a, a), np.einsum("nd,nd->n", b, b)  # noqa: E741
    x_sum, y_sum = belongs @ a, belongs @ b

    def form(table: Floats) -> Floats:
        return np.asarray(np.einsum("rg,gh,rh->r", chosen, table, chosen, optimize=True))

    flat = cross.reshape(groups, -1)
    crosses, xs, ys = form(flat @ flat.T), form(x_sum @ x_sum.T), form(y_sum @ y_sum.T)
    three = np.stack([x_sum @ one @ y_sum.T for one in cross], 1)  # [of x, of the cross table, of y]
    crossed = np.einsum("rg,rh,rm,ghm->r", chosen, chosen, chosen, three, optimize=True)
    n, of_k, of_l, of_kl = (chosen @ (belongs @ each) for each in (np.ones(len(a)), k, l, k * l))
    diagonal = form((belongs @ (k[:, None] * b)) @ y_sum.T) + form((belongs @ (l[:, None] * a)) @ x_sum.T)
    terms: _Terms[Floats] = _Terms(n, crosses, xs, ys, crossed, diagonal, of_k, of_l, of_kl)
    return terms.hsic(debiased=debiased)


def cka_of_halves(xy: Floats, xx: Floats, yy: Floats) -> Floats:
    """Return CKA from the criterion of (x, y), (x, x) and (y, y), each [draws]; NaN where it is undefined."""
    return np.array([_ratio(*map(float, values)) for values in zip(xy, xx, yy, strict=True)])


def cka(x: npt.ArrayLike, y: npt.ArrayLike, *, debiased: bool = True) -> float:
    """Return linear CKA.

    Args:
        x: [n, d], a row for each item.
        y: [n, e], the same items.
        debiased: use the debiased estimate, which is undefined for fewer than four items.

    Returns:
        1 for representations that are equal up to rotation, shift and scale; around 0 for independent ones (the
        debiased estimate may be negative); NaN if a side is constant.

    >>> cka([[1, 0], [2, 0], [3, 1], [4, 5]], [[0, 1], [0, 2], [-1, 3], [-5, 4]], debiased=False)
    1.0
    """
    a, b = (np.asarray(side, np.float64) for side in (x, y))
    if a.ndim != 2 or b.ndim != 2 or len(a) != len(b):
        raise ValueError(f"x and y must be [n, d] and [n, e], not {list(a.shape)} and {list(b.shape)}")
    a, b = (side - side.mean(0) if len(side) else side for side in (a, b))
    all_sums = []
    for first, second in ((a, b), (a, a), (b, b)):
        sums = Sums(first.shape[1], second.shape[1])
        sums.add(first, second)
        all_sums.append(sums)
    return cka_of_sums(*all_sums, debiased=debiased) if len(a) else math.nan


def half_sample_interval(whole: float, halves: Floats) -> tuple[float, float]:
    """Return the 95 % interval of an estimate from the estimates of half-samples.

    Args:
        whole: the estimate on all items.
        halves: estimates of half-samples; NaN are ignored.

    Returns:
        lower and upper end; NaN for fewer than two half-samples. For a biased estimate this is an interval of its
        expectation, not of the true value.
    """
    defined = halves[~np.isnan(halves)]
    if len(defined) < 2 or math.isnan(whole):
        return math.nan, math.nan
    low, high = np.quantile(defined - defined.mean(), [0.025, 0.975])
    return float(whole - high), float(whole - low)


def rbf_kernel(x: npt.ArrayLike) -> Floats:
    """Return [n, n] exp(-‖x_i - x_j‖² / 2σ²), where σ² is the median of the squared distances that are not zero."""
    rows = np.asarray(x, np.float64)
    squares = np.einsum("nd,nd->n", rows, rows)
    distances = np.maximum(squares[:, None] + squares - 2 * rows @ rows.T, 0)
    np.fill_diagonal(distances, 0)
    apart = distances[distances > 0]
    return np.asarray(np.exp(distances / (-2 * (np.median(apart) if len(apart) else 1.0))), np.float64)


def kernel_cka(k: npt.ArrayLike, l: npt.ArrayLike, *, debiased: bool) -> float:  # noqa: E741
    """Return CKA of two kernels [n, n] over the same items."""
    a, b = np.array(k, np.float64), np.array(l, np.float64)
    n = len(a)
    if not debiased:
        a, b = (m - m.mean(0) - m.mean(1)[:, None] + m.mean() for m in (a, b))
        return _ratio(float((a * b).sum()), float((a * a).sum()), float((b * b).sum()))
    if n < _MIN_ITEMS:
        return math.nan
    np.fill_diagonal(a, 0)
    np.fill_diagonal(b, 0)

    def hsic(first: Floats, second: Floats) -> float:
        sums, others = first.sum(1), second.sum(1)
        crossed = float((first * second).sum()) + float(sums.sum() * others.sum()) / ((n - 1) * (n - 2))
        return crossed - 2 * float(sums @ others) / (n - 2)

    return _ratio(hsic(a, b), hsic(a, a), hsic(b, b))


def _ratio(xy: float, xx: float, yy: float) -> float:
    return xy / math.sqrt(xx * yy) if xx > 0 and yy > 0 else math.nan
