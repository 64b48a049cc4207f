"""CKA against its definition, and against known values."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paralign.metrics.cka import (
    Sums,
    cka,
    cka_of_halves,
    cka_of_sums,
    half_hsic,
    half_sample_interval,
    kernel_cka,
    rbf_kernel,
)
from tests.oracles.four_tuples import debiased_cka


def draws(n, d, seed):
    return np.random.default_rng(seed).normal(size=(n, d))


def half_sampled(x, y, **given):
    return cka_of_halves(*(half_hsic(a, b, **given) for a, b in ((x, y), (x, x), (y, y))))


@given(st.integers(0, 10**6), st.integers(5, 7), st.integers(1, 4), st.integers(1, 4))
def test_debiased_is_a_mean_over_tuples_of_four(seed, n, d, e):
    x, y = draws(n, d, seed), draws(n, e, seed + 1)
    try:
        wanted = debiased_cka(x @ x.T, y @ y.T)
    except (ValueError, ZeroDivisionError):  # so few things: a denominator below zero
        wanted = math.nan
    assert cka(x, y) == pytest.approx(wanted, rel=1e-6, nan_ok=True)
    assert kernel_cka(x @ x.T, y @ y.T, debiased=True) == pytest.approx(wanted, rel=1e-6, nan_ok=True)


@given(st.integers(0, 10**6))
def test_biased_is_that_of_centred_kernels(seed):
    x, y = draws(9, 4, seed), draws(9, 3, seed + 1)
    centre = np.eye(9) - 1 / 9
    k, l = centre @ x @ x.T @ centre, centre @ y @ y.T @ centre  # noqa: E741
    wanted = np.trace(k @ l) / math.sqrt(np.trace(k @ k) * np.trace(l @ l))
    assert cka(x, y, debiased=False) == pytest.approx(wanted)
    assert kernel_cka(x @ x.T, y @ y.T, debiased=False) == pytest.approx(wanted)


@pytest.mark.parametrize("debiased", [False, True])
def test_one_under_rotation_shift_and_scale(debiased):
    x = draws(30, 6, 0)
    rotation = np.linalg.qr(draws(6, 6, 1))[0]
    assert cka(x, 3.5 * x @ rotation + 2, debiased=debiased) == pytest.approx(1)
    other = draws(30, 5, 2)
    assert cka(x, other, debiased=debiased) == pytest.approx(cka(other, x, debiased=debiased))
    assert cka(x @ rotation, other + 1, debiased=debiased) == pytest.approx(cka(x, other, debiased=debiased))


def test_noise_reads_high_with_bias_and_zero_without():
    """The figures of METHODS: independent Gaussians of 768 dimensions."""
    pairs = [(draws(25, 768, 2 * k), draws(25, 768, 2 * k + 1)) for k in range(20)]
    assert np.mean([cka(*pair, debiased=False) for pair in pairs]) == pytest.approx(0.965, abs=0.005)
    assert np.mean([cka(*pair) for pair in pairs]) == pytest.approx(0, abs=0.03)
    x, y = draws(800, 768, 0), draws(800, 768, 1)
    assert cka(x, y, debiased=False) == pytest.approx(0.49, abs=0.01)
    x, y = draws(200, 768, 0), draws(200, 768, 1)
    assert kernel_cka(rbf_kernel(x), rbf_kernel(y), debiased=False) == pytest.approx(0.86, abs=0.01)


def test_the_bandwidth_is_the_median_distance():
    kernel = rbf_kernel([[0.0], [1.0], [3.0]])  # squared distances 1, 4, 9: the median is 4
    assert kernel == pytest.approx(np.exp(-np.array([[0, 1, 9], [1, 0, 4], [9, 4, 0]]) / 8))


@given(st.integers(0, 10**6), st.lists(st.integers(1, 12), min_size=1, max_size=5))
def test_a_stream_is_its_parts(seed, sizes):
    n = sum(sizes) + 8
    x, y = draws(n, 3, seed) + 5, draws(n, 2, seed + 1) - 7
    found = []
    for a, b in ((x, y), (x, x), (y, y)):
        found.append(Sums(a.shape[1], b.shape[1]))
        at = 0
        for size in (*sizes, 8):
            found[-1].add(a[at : at + size], b[at : at + size])
            at += size
    for debiased in (False, True):
        assert cka_of_sums(*found, debiased=debiased) == pytest.approx(
            cka(x, y, debiased=debiased), abs=1e-6, nan_ok=True
        )


def test_what_is_not_defined():
    assert math.isnan(cka(draws(3, 2, 0), draws(3, 2, 1)))
    assert math.isnan(cka(np.ones((9, 2)), draws(9, 2, 0)))
    assert math.isnan(cka(np.empty((0, 2)), np.empty((0, 2))))
    with pytest.raises(ValueError, match="must be"):
        cka(draws(3, 2, 0), draws(4, 2, 0))


def test_half_samples_are_exact_and_their_interval_holds_the_truth():
    x, y = draws(16, 3, 0), draws(16, 4, 1)
    for debiased in (False, True):
        halves = half_sampled(x, y, draws=50, groups=16, debiased=debiased)
        chosen = [list(rows) for rows in combinations(range(16), 8)]
        every = np.array([cka(x[rows], y[rows], debiased=debiased) for rows in chosen])
        assert np.abs(halves[:, None] - every).min(1).max() < 1e-9
        assert len(set(halves)) > 40
    assert np.isnan(half_sampled(x[:15], y[:15])).all()  # too few to halve
    inside, found = 0, []
    for seed in range(30):  # 3 of 9 dimensions are shared: ‖Cov(x, y)‖² / ‖Cov x‖ ‖Cov y‖ = 3 / 9
        x, y = draws(300, 9, 2 * seed), draws(300, 9, 2 * seed + 1)
        y[:, :3] = x[:, :3]
        found.append(cka(x, y))
        low, high = half_sample_interval(found[-1], half_sampled(x, y))
        inside += low <= 1 / 3 <= high
    assert np.mean(found) == pytest.approx(1 / 3, abs=0.015)
    assert inside >= 25  # of 30; 28.5 in the mean
    assert all(map(math.isnan, half_sample_interval(0.5, np.array([math.nan, 0.4]))))
