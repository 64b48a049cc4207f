"""Centred kernel alignment of two sets of vectors of the same things (Kornblith et al. 2019).

Biased CKA reads high on noise when there are not many more things than dimensions; the debiased one (Song et al. 2012's
unbiased HSIC, as in Nguyen et al. 2021) is zero there in expectation. Linear CKA needs only sums over the things, so a
stream of any length is measured in memory of width x width.
"""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
import numpy.typing as npt

__all__ = ["Sums", "cka", "cka_of_sums", "half_hsic", "interval", "kernel_cka", "ratios", "rbf_kernel"]

Floats = npt.NDArray[np.float64]
Numbers = TypeVar("Numbers", float, Floats)
_HALVED = 16
"""Things below which halves are too few to tell anything."""
_FEWEST = 4
"""Things below which debiasing divides by zero."""


class Sums:
    """What linear CKA has to know of pairs (x_i, y_i): every sum is over i, with k_i = x_i·x_i and l_i = y_i·y_i.

    CKA does not change when all x (or all y) are shifted; taking off something like their mean keeps digits.

    Attributes:
        n: pairs.
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
        """Take in pairs: x [n, d], y [n, e]."""
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


def _hsic(
    n: Numbers, crosses: Numbers, xs: Numbers, ys: Numbers, crossed: Numbers, apart: Numbers, k: Numbers, l: Numbers,  # noqa: E741
    kl: Numbers, *, debiased: bool,
) -> Numbers:  # fmt: skip
    """The Hilbert-Schmidt independence criterion of linear kernels, up to a factor of n alone.

    Biased: tr(KHLH). Debiased: eq. 5 of Song et al. 2012, the diagonals of K and L being zero.

    Args:
        n, k, l, kl: as of :class:`Sums`.
        crosses, xs, ys: squared lengths of ``cross``, ``x`` and ``y``.
        crossed, apart: xᵀ cross y, and ky·y + lx·x.
        debiased: which.
    """
    if not debiased:
        return crosses - 2 * crossed / n + xs * ys / n**2
    both = crossed - apart + kl
    return crosses - kl + (xs - k) * (ys - l) / ((n - 1) * (n - 2)) - 2 * both / (n - 2)


def _hsic_of_sums(s: Sums, debiased: bool) -> float:
    return _hsic(
        float(s.n), float((s.cross * s.cross).sum()), float(s.x @ s.x), float(s.y @ s.y), float(s.x @ s.cross @ s.y),
        float(s.ky @ s.y + s.lx @ s.x), s.k, s.l, s.kl, debiased=debiased,
    )  # fmt: skip


def cka_of_sums(xy: Sums, xx: Sums, yy: Sums, *, debiased: bool = True) -> float:
    """Linear CKA of x and y from the sums of (x, y), (x, x) and (y, y); nan where it is not defined."""
    if debiased and xy.n < _FEWEST:
        return math.nan
    return _ratio(*(_hsic_of_sums(sums, debiased) for sums in (xy, xx, yy)))


def half_hsic(
    x: npt.NDArray[np.floating],
    y: npt.NDArray[np.floating],
    *,
    debiased: bool = True,
    draws: int = 100,
    groups: int = 32,
    seed: int = 0,
) -> Floats:
    """The criterion behind linear CKA, of half-samples drawn without replacement: [draws].

    Things are parted at random into groups, and a half-sample is half of the groups; of one seed the n-th half-sample
    has the same things, whatever x and y are, so that :func:`ratios` makes CKA of three such arrays. The estimates of
    half-samples spread around that of the whole as this does around the truth (Politis & Romano 1994), so that their
    quantiles give an interval; a bootstrap with replacement does not, as equal things count as alike. Below 16 things
    all are nan.
    """
    a, b = (np.asarray(side, np.float64) for side in (x, y))
    if len(a) < _HALVED:
        return np.full(draws, math.nan)
    rng = np.random.default_rng(seed)
    groups = min(groups, len(a) // 2 * 2)
    order = np.array_split(rng.permutation(len(a)), groups)
    chosen = np.zeros((draws, groups))
    for row in chosen:
        row[rng.permutation(groups)[: groups // 2]] = 1
    # As of Sums, for each group; a half-sample's terms are forms in its row of `chosen`, of groups x groups each.
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
    apart = form((belongs @ (k[:, None] * b)) @ y_sum.T) + form((belongs @ (l[:, None] * a)) @ x_sum.T)
    return _hsic(n, crosses, xs, ys, crossed, apart, of_k, of_l, of_kl, debiased=debiased)


def ratios(xy: Floats, xx: Floats, yy: Floats) -> Floats:
    """CKA from the criterion of (x, y), (x, x) and (y, y); nan where it is not defined."""
    return np.array([_ratio(*map(float, values)) for values in zip(xy, xx, yy, strict=True)])


def cka(x: npt.ArrayLike, y: npt.ArrayLike, *, debiased: bool = True) -> float:
    """Linear CKA.

    Args:
        x, y: [n, d] and [n, e], a row for each thing.
        debiased: with fewer than four things it is not defined.

    Returns:
        1 for equal up to rotation, shift and scale; around 0 for independent ones (the debiased one on either side of
        0); nan where a side is constant.
    """
    a, b = (np.asarray(side, np.float64) for side in (x, y))
    if a.ndim != 2 or b.ndim != 2 or len(a) != len(b):
        raise ValueError(f"x and y must be [n, d] and [n, e], not {list(a.shape)} and {list(b.shape)}")
    a, b = (side - side.mean(0) if len(side) else side for side in (a, b))
    found = []
    for first, second in ((a, b), (a, a), (b, b)):
        sums = Sums(first.shape[1], second.shape[1])
        sums.add(first, second)
        found.append(sums)
    return cka_of_sums(*found, debiased=debiased) if len(a) else math.nan


def interval(whole: float, halves: Floats, *, level: float = 0.95) -> tuple[float, float]:
    """Around an estimate, from those of half-samples; nan without any. Of a biased estimate it is no interval of the
    truth, but of what that bias makes of it."""
    known = halves[~np.isnan(halves)]
    if len(known) < 2 or math.isnan(whole):
        return math.nan, math.nan
    low, high = np.quantile(known - known.mean(), [(1 - level) / 2, (1 + level) / 2])
    return float(whole - high), float(whole - low)


def rbf_kernel(x: npt.ArrayLike) -> Floats:
    """[n, n] exp(-‖x_i - x_j‖² / 2σ²), σ² the median of the squared distances that are not zero."""
    rows = np.asarray(x, np.float64)
    squares = np.einsum("nd,nd->n", rows, rows)
    distances = np.maximum(squares[:, None] + squares - 2 * rows @ rows.T, 0)
    np.fill_diagonal(distances, 0)
    apart = distances[distances > 0]
    return np.asarray(np.exp(distances / (-2 * (np.median(apart) if len(apart) else 1.0))), np.float64)


def kernel_cka(k: npt.ArrayLike, l: npt.ArrayLike, *, debiased: bool) -> float:  # noqa: E741
    """CKA of two kernels over the same n things, [n, n] each."""
    a, b = np.array(k, np.float64), np.array(l, np.float64)
    n = len(a)
    if not debiased:
        a, b = (m - m.mean(0) - m.mean(1)[:, None] + m.mean() for m in (a, b))
        return _ratio(float((a * b).sum()), float((a * a).sum()), float((b * b).sum()))
    if n < _FEWEST:
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
