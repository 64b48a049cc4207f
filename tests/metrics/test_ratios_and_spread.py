import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from paralign.metrics import interval_over_seeds, mean_sd, ratio


def test_ratio_is_of_sums_not_a_mean_of_ratios():
    assert ratio([[1, 1], [0, 3]]) == 0.25


def test_ratio_of_nothing_is_nan():
    assert math.isnan(ratio([[0, 0], [0, 0]]))
    assert math.isnan(ratio(np.zeros((0, 2))))


@pytest.mark.parametrize("shape", [(4,), (4, 3), (2, 4, 2)])
def test_ratio_refuses_other_shapes(shape):
    with pytest.raises(ValueError, match=r"\[n, 2\]"):
        ratio(np.ones(shape))


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=20))
def test_mean_sd_is_the_sample_standard_deviation(values):
    mean, sd = mean_sd(values)
    assert mean == pytest.approx(statistics.fmean(values), abs=1e-9)
    assert sd == pytest.approx(statistics.stdev(values), abs=1e-6)


def test_one_value_has_no_spread():
    assert mean_sd([0.5]) == (0.5, None)


def test_no_values_have_no_mean():
    with pytest.raises(ValueError, match="no values"):
        mean_sd([])


def test_intervals_of_seeds_and_items_cover_both():
    values = [0.1, 0.4, 0.7]
    mean, sd = mean_sd(values)
    assert interval_over_seeds(mean, (mean, mean), sd, 3) == pytest.approx(
        stats.t.interval(0.95, 2, loc=mean, scale=stats.sem(values))
    )
    assert interval_over_seeds(0.3, (0.1, 0.4), 0.0, 3) == pytest.approx((0.1, 0.4))
    rng, hits = np.random.default_rng(0), 0
    for _ in range(400):  # the truth is 0; items shift all seeds alike
        drawn = rng.normal() + 2 * rng.normal(size=3)
        low, high = interval_over_seeds(drawn.mean(), (drawn.mean() - 1.96, drawn.mean() + 1.96), drawn.std(ddof=1), 3)
        hits += low <= 0 <= high
    assert hits >= 370
