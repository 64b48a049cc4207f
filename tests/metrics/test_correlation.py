"""Rank correlation: the published points, scipy, and intervals that cover."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from paralign.metrics.correlation import pearson, spearman, spearman_interval

# Tang et al. 2022: alignment, then BS/BZ of XNLI, NER, POS; MLM, XLM, DICT, ALIGN x trans, trans+inv, trans+syn.
ALIGNED = [90.0, 0.3, 57.3, 97.7, 85.6, 98.6, 95.7, 64.2, 93.7, 98.4, 95.2, 98.2]
XNLI = [(76.4, 74.9), (73.9, 56.7), (73.5, 69.0), (77.3, 77.5), (75.4, 67.2), (76.1, 74.1), (77.0, 75.9), (74.5, 65.3),
        (74.3, 72.2), (75.1, 75.5), (75.5, 68.8), (74.7, 71.1)]  # fmt: skip
NER = [(80.6, 78.0), (79.2, 35.9), (71.3, 52.3), (80.8, 79.7), (80.0, 60.7), (71.5, 59.6), (79.3, 78.3), (79.1, 59.8),
       (71.4, 57.6), (79.4, 78.6), (80.0, 64.5), (71.3, 58.3)]  # fmt: skip
POS = [(95.0, 94.6), (95.0, 56.5), (93.6, 91.6), (95.0, 94.8), (95.0, 61.8), (93.7, 92.7), (95.1, 94.8), (95.0, 76.0),
       (93.6, 92.6), (94.9, 94.8), (95.0, 92.0), (93.7, 92.9)]  # fmt: skip
POS_UNROUNDED = [-0.4, -38.5, -2.0, -0.2, -33.2, -0.9, -0.3, -19.0, -1.0, -0.1, -3.0, -0.8]


def gaps(table):
    return [round(zero - supervised, 1) for supervised, zero in table]


@pytest.mark.parametrize(
    ("gap", "published"), [(gaps(XNLI), 0.7273), (gaps(NER), 0.7811), (gaps(POS), 0.7145), (POS_UNROUNDED, 0.7343)]
)
def test_the_published_correlations(gap, published):
    assert spearman(ALIGNED, gap) == pytest.approx(published, abs=5e-5)


NUMBERS = st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4)), min_size=2, max_size=12)


@given(NUMBERS)
def test_it_is_scipys(points):
    a, b = zip(*points, strict=True)
    ours = spearman(a, b)
    if len(set(a)) == 1 or len(set(b)) == 1:
        assert math.isnan(ours)
    else:
        assert ours == pytest.approx(stats.spearmanr(a, b).statistic)
        assert pearson(a, b) == pytest.approx(stats.pearsonr(a, b).statistic)


def test_few_points_have_wide_intervals_or_none():
    assert all(map(math.isnan, spearman_interval(range(7), range(7))))  # in perfect order they would seem certain
    assert spearman_interval(range(8), range(8)) == pytest.approx((1, 1))
    low, high = spearman_interval(ALIGNED, gaps(NER))
    assert low < spearman(ALIGNED, gaps(NER)) < high
    assert high - low > 0.3
    assert (low, high) == spearman_interval(ALIGNED, gaps(NER))
    assert math.isnan(spearman([], []))


def test_points_that_share_an_encoder_or_a_language_are_resampled_together():
    encoders, languages = np.divmod(np.arange(32), 4)
    rng, sure = np.random.default_rng(0), {"together": 0, "alone": 0}
    for _ in range(40):  # what is measured and what is lost have nothing to do with each other, but languages differ
        x, y = (rng.normal(size=4)[languages] + 0.3 * rng.normal(size=32) for _ in range(2))
        for name, groups in (("together", (encoders, languages)), ("alone", ())):
            low, high = spearman_interval(x, y, groups=groups, resamples=200)
            sure[name] += not low <= 0 <= high
    assert sure["together"] <= 5
    assert sure["alone"] >= 12
    x = np.arange(32.0)
    assert spearman_interval(x, x, groups=(["one"] * 32,)) == pytest.approx((math.nan, math.nan), nan_ok=True)
    assert spearman_interval(x, x, groups=(encoders % 3, languages)) == pytest.approx((math.nan,) * 2, nan_ok=True)
    assert spearman_interval(x, -x, groups=(["one"] * 32, languages), resamples=50) == pytest.approx((-1, -1))


def test_intervals_cover_the_truth():
    rng, hits = np.random.default_rng(1), 0
    truth = 6 / math.pi * math.asin(0.6 / 2)  # of normal pairs with correlation 0.6
    for _ in range(40):
        a = rng.normal(size=40)
        b = 0.6 * a + 0.8 * rng.normal(size=40)
        low, high = spearman_interval(a, b, resamples=300)
        hits += low <= truth <= high
    assert hits >= 33
