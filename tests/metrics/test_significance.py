"""The rule for significance: intervals over items and seeds, at least two seeds and 30 items."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from paralign.metrics import compare_over_seeds, interval_over_seeds, is_significant, paired_bootstrap
from paralign.metrics.bootstrap import Comparison
from paralign.metrics.significance import MIN_ITEMS, excludes_zero, untested


def exact(difference, low=None, high=None, p=2 / 10_001, items=1000):
    """A comparison over items; by default they leave no doubt."""
    return Comparison(difference, difference if low is None else low, difference if high is None else high, p, items)


def test_equal_seeds_are_compared_pair_by_pair():
    treated, control = {0: 0.5, 1: 0.9, 2: 0.6}, {0: 0.4, 1: 0.75, 2: 0.55}
    gaps = [0.1, 0.15, 0.05]
    found = compare_over_seeds(exact(0.1), treated, control)
    wanted = stats.ttest_1samp(gaps, 0)
    assert (found.low, found.high) == pytest.approx(tuple(wanted.confidence_interval()))
    assert found.p == pytest.approx(wanted.pvalue, abs=1e-6)
    assert found.seeds == 3


def test_other_seeds_are_compared_as_independent_samples():
    treated, control = {0: 0.5, 1: 0.9, 2: 0.6}, {"a": 0.3, "b": 0.35, "c": 0.4, "d": 0.28}
    wanted = stats.ttest_ind(list(treated.values()), list(control.values()), equal_var=False)
    difference = np.mean(list(treated.values())) - np.mean(list(control.values()))
    found = compare_over_seeds(exact(difference), treated, control)
    assert (found.low, found.high) == pytest.approx(tuple(wanted.confidence_interval()))
    assert found.p == pytest.approx(wanted.pvalue, abs=1e-6)
    assert found.seeds == 3


numbers = st.floats(-1, 1).map(lambda x: round(x, 6))


@given(st.lists(st.tuples(numbers, numbers), min_size=2, max_size=5), st.floats(0, 0.5), st.floats(0, 0.5))
def test_the_interval_is_that_of_the_ablation_and_p_is_where_it_ends_at_zero(scores, below, above):
    gaps = [a - b for a, b in scores]
    difference = float(np.mean(gaps))
    over_items = exact(difference, difference - below, difference + above, p=0.0)
    sides = [{seed: pair[k] for seed, pair in enumerate(scores)} for k in (0, 1)]
    found = compare_over_seeds(over_items, *sides)
    limits = (over_items.low, over_items.high)
    wanted = interval_over_seeds(difference, limits, float(np.std(gaps, ddof=1)), len(gaps))
    assert (found.low, found.high) == pytest.approx(wanted)
    assert found.low <= over_items.low + 1e-12
    assert found.high >= over_items.high - 1e-12
    if min(abs(found.low), abs(found.high)) > 1e-6:
        assert (found.p < 0.05) == is_significant(found)


def test_a_difference_smaller_than_its_variation_over_seeds_is_not_significant():
    """The demo printed +0.6* beside ± 2.0 and ± 2.4 over two seeds."""
    over_items = exact(0.006, 0.002, 0.010, p=0.003)
    found = compare_over_seeds(over_items, {0: 0.30, 1: 0.33}, {0: 0.28, 1: 0.338})
    assert found.low < 0 < found.high
    assert found.p > 0.5
    assert not is_significant(found)


def test_one_seed_is_never_significant():
    one = compare_over_seeds(exact(0.5), {0: 0.9}, {0: 0.4, 1: 0.4})
    assert one == exact(0.5)
    assert untested(one) == "one seed"
    assert not is_significant(one)


@pytest.mark.parametrize(("n", "significant"), [(3, False), (MIN_ITEMS - 1, False), (MIN_ITEMS, True)])
def test_few_items_are_never_significant(n, significant):
    """Three equal items have p = .0002."""
    right, wrong = np.tile([1.0, 1.0], (2, n, 1)), np.tile([0.0, 1.0], (2, n, 1))
    compared = paired_bootstrap(right, wrong)
    assert compared.p < 0.001
    assert compared.items == n
    found = compare_over_seeds(compared, {0: 1.0, 1: 1.0}, {0: 0.0, 1: 0.0})
    assert is_significant(found) is significant
    assert bool(untested(found)) is not significant


def test_no_interval_is_no_evidence():
    unknown = Comparison(math.nan, math.nan, math.nan, math.nan, 100)
    assert compare_over_seeds(unknown, {0: 1.0, 1: 1.0}, {0: 0.0, 1: 0.0}) is unknown
    assert untested(None) == untested(unknown) == "no interval"
    assert not is_significant(None)
    assert not excludes_zero(math.nan, math.nan)
    assert not excludes_zero(None, None)
    assert not excludes_zero(0.0, 1e-17)


def test_under_the_null_at_most_five_per_cent_are_significant():
    """Systems that differ only by seed: with the interval over items alone, most of them would be marked."""
    rng, marked, over_items_alone = np.random.default_rng(3), 0, 0
    for _ in range(150):
        levels = 0.6 + 0.08 * rng.normal(size=(2, 3))
        items = [np.stack([np.stack([rng.random(400) < p, np.ones(400)], 1) for p in side]) for side in levels]
        compared = paired_bootstrap(*items, resamples=400)
        scores = [dict(enumerate(side[:, :, 0].mean(axis=1))) for side in items]
        marked += is_significant(compare_over_seeds(compared, *scores))
        over_items_alone += excludes_zero(compared.low, compared.high)
    assert marked <= 13  # 5 % of 150 are 7.5
    assert over_items_alone > 75
