import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import f1_score

from paralign.metrics import bootstrap, item_score, paired_bootstrap, paired_bootstrap_mean, ratio
from paralign.metrics.bootstrap import bootstrap_interval
from tests.oracles import all_resamples

TREATED = [(3, 4), (5, 5), (2, 6), (7, 9), (1, 2)]
CONTROL = [(2, 4), (5, 5), (3, 6), (4, 9), (0, 2)]
OTHER_SEED = [(4, 4), (3, 5), (2, 6), (6, 9), (1, 2)]


def exact_p(distribution):
    """Twice the smaller tail of the exact distribution."""
    below = sum(d <= 1e-12 for d in distribution) / len(distribution)
    above = sum(d >= -1e-12 for d in distribution) / len(distribution)
    return min(1.0, 2 * min(below, above))


@pytest.mark.parametrize("seeds", [[TREATED], [TREATED, OTHER_SEED]])
def test_against_all_resamples_there_are(seeds):
    """5 items have 3,125 resamples; 40,000 random ones must find the same interval and p."""
    exact = all_resamples.differences(seeds, [CONTROL])
    low, high = np.percentile(exact, [2.5, 97.5])
    found = paired_bootstrap(np.array(seeds), np.array(CONTROL), resamples=40_000, seed=3)
    assert found.difference == pytest.approx(np.mean([ratio(s) for s in seeds]) - ratio(CONTROL))
    assert found.low == pytest.approx(low, abs=0.02)
    assert found.high == pytest.approx(high, abs=0.02)
    assert found.p == pytest.approx(exact_p(exact), abs=0.01)


@pytest.mark.parametrize("distinct", [False, True], ids=["few kinds of items", "all items distinct"])
def test_interval_of_a_mean_is_the_normal_one(distinct):
    """With denominators of one the score is a mean, and the interval is difference ± 1.96 sd / sqrt(n)."""
    rng = np.random.default_rng(5)
    n = 2000
    hits = rng.random((2, n)) < [[0.7], [0.65]]
    if distinct:
        hits = hits + rng.normal(0, 0.01, (2, n))
    treated, control = (np.stack([h, np.ones(n)], axis=1) for h in hits)
    delta = np.asarray(hits[0], float) - np.asarray(hits[1], float)
    half = 1.96 * delta.std() / math.sqrt(n)
    found = paired_bootstrap(treated, control)
    assert found.low == pytest.approx(delta.mean() - half, abs=half / 20)
    assert found.high == pytest.approx(delta.mean() + half, abs=half / 20)


def test_pairing_removes_what_items_share():
    """The control is the treated system plus one percent everywhere: the difference is certain."""
    rng = np.random.default_rng(0)
    length = np.full(300, 100.0)
    right = rng.integers(20, 80, 300).astype(float)
    found = paired_bootstrap(np.stack([right + 1, length], 1), np.stack([right, length], 1))
    assert (found.low, found.high) == pytest.approx((0.01, 0.01))
    assert found.p == pytest.approx(2 / 10_001)


def test_no_difference_has_p_one():
    items = np.random.default_rng(1).integers(1, 9, (200, 2))
    found = paired_bootstrap(items, items)
    assert (found.difference, found.low, found.high, found.p) == (0, 0, 0, 1)


def test_three_equal_seeds_are_no_evidence_beyond_one():
    items = np.random.default_rng(1).integers(1, 30, (120, 2)).astype(float)
    control = items + np.array([0, 2])
    one = paired_bootstrap(items, control, resamples=500)
    three = paired_bootstrap(np.stack([items] * 3), control, resamples=500)
    assert (three.low, three.high, three.p) == pytest.approx((one.low, one.high, one.p))


def test_under_the_null_five_per_cent_are_marked():
    """The test keeps its level: 200 comparisons of two equally good systems, each with p < .05 at 5 %."""
    rng = np.random.default_rng(8)
    ones = np.ones(150)
    marked = sum(
        paired_bootstrap(
            np.stack([rng.random(150) < 0.6, ones], 1), np.stack([rng.random(150) < 0.6, ones], 1), 999, seed
        ).p
        < 0.05
        for seed in range(200)
    )
    assert 2 <= marked <= 20  # binomial(200, .05): outside with a chance of 0.3 %


def test_mean_over_test_sets_of_equal_size_resamples_them_together():
    """Twice the same test set is no more evidence than once; two independent ones of other sizes are."""
    rng = np.random.default_rng(2)

    def pair(n):
        ones = np.ones(n)
        return np.stack([rng.random(n) < 0.7, ones], 1), np.stack([rng.random(n) < 0.6, ones], 1)

    a, b = pair(1000), pair(1001)
    once, twice = paired_bootstrap_mean([a]), paired_bootstrap_mean([a, a])
    assert twice.high - twice.low == pytest.approx(once.high - once.low, rel=0.05)
    both = paired_bootstrap_mean([a, b])
    assert both.high - both.low == pytest.approx((once.high - once.low) / math.sqrt(2), rel=0.1)
    differences = [ratio(treated) - ratio(control) for treated, control in (a, b)]
    assert both.difference == pytest.approx(np.mean(differences))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 30), st.integers(1, 3), st.integers(0, 2**31))
def test_swapping_the_systems_mirrors_the_result(n, seeds, seed):
    rng = np.random.default_rng(seed)
    a = rng.integers(1, 9, (seeds, n, 2)).astype(float)
    b = rng.integers(1, 9, (n, 2)).astype(float)
    there, back = paired_bootstrap(a, b, 200, 1), paired_bootstrap(b, a, 200, 1)
    # With mostly distinct items both ways draw the same resamples; otherwise kinds come in another order.
    assert there.difference == pytest.approx(-back.difference)
    assert there.low <= there.high
    if n > 8 and len(np.unique(np.concatenate([*a, b], axis=1), axis=0)) * 4 > n:
        assert (there.low, there.high, there.p) == pytest.approx((-back.high, -back.low, back.p))


def test_chunks_do_not_change_the_law(monkeypatch):
    rng = np.random.default_rng(4)
    a, b = rng.random((2, 300, 2)) + 0.5
    whole = paired_bootstrap(a, b, resamples=4000)
    monkeypatch.setattr(bootstrap, "_CELLS", 300 * 7)
    parts = paired_bootstrap(a, b, resamples=4000)
    assert (parts.low, parts.high) == pytest.approx((whole.low, whole.high), abs=0.1 * (whole.high - whole.low))


def test_items_without_denominator_are_passed_over():
    """One item counts, the other has no words: resamples of the second alone have no score."""
    found = paired_bootstrap([[1, 1], [0, 0]], [[0, 1], [0, 0]], resamples=200)
    assert (found.difference, found.low, found.high) == (1, 1, 1)
    nothing = paired_bootstrap([[0, 0]], [[0, 0]], resamples=10)
    assert all(map(math.isnan, (nothing.difference, nothing.low, nothing.high, nothing.p)))


@pytest.mark.parametrize(
    ("treated", "control", "resamples", "message"),
    [
        ((3, 2), (4, 2), 10, "not the same items: 3 treated, 4 control"),
        ((0, 2), (0, 2), 10, "not the same items: 0 treated, 0 control"),
        ((3, 3), (3, 3), 10, r"must be \[n, 2\] or \[seeds, n, 2\], not \[3, 3\]"),
        ((0, 3, 2), (3, 2), 10, r"not \[0, 3, 2\]"),
        ((3, 2), (3, 2), 0, "at least one test set and one resample"),
    ],
)
def test_what_cannot_be_compared_is_refused(treated, control, resamples, message):
    with pytest.raises(ValueError, match=message):
        paired_bootstrap(np.ones(treated), np.ones(control), resamples)


def correlated(n=300, noise=1.0, seed=0):
    rng = np.random.default_rng(seed)
    gold = rng.normal(size=n)
    return np.stack([gold + noise * rng.normal(size=n), gold], axis=1)


@pytest.mark.parametrize("statistic", ["pearson", "spearman"])
def test_correlations_are_resampled_by_item(statistic):
    """Against scipy on the same draws, item by item."""
    treated, control = correlated(40, 0.5), correlated(40, 2.0)
    reference = {"pearson": stats.pearsonr, "spearman": stats.spearmanr}[statistic]
    index = np.random.default_rng([7, 40]).integers(0, 40, size=(200, 40))
    gaps = [reference(*treated[rows].T).statistic - reference(*control[rows].T).statistic for rows in index]
    found = paired_bootstrap(treated, control, resamples=200, seed=7, statistic=statistic)
    assert found.difference == pytest.approx(reference(*treated.T).statistic - reference(*control.T).statistic)
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(gaps, [2.5, 97.5])))
    assert paired_bootstrap(treated, treated, 100, statistic=statistic).p == 1.0


def test_macro_f1_is_resampled_by_item():
    """Against scikit-learn on the same draws; rare labels do not occur in every one."""
    rng = np.random.default_rng(0)
    gold = np.r_[rng.integers(0, 3, 38), 3, 4]
    treated, control = (np.stack([gold, np.where(rng.random(40) < right, gold, 5)], 1) for right in (0.8, 0.5))
    index = np.random.default_rng([7, 40]).integers(0, 40, size=(200, 40))

    def score(items):
        return f1_score(*items.T, average="macro", zero_division=0)

    gaps = [score(treated[rows]) - score(control[rows]) for rows in index]
    found = paired_bootstrap([treated, control], control, resamples=200, seed=7, statistic="macro_f1")
    assert found.difference == pytest.approx((score(treated) - score(control)) / 2)
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(gaps, [2.5, 97.5]) / 2))


def test_the_interval_of_a_correlation_covers_the_truth():
    hits = 0
    for seed in range(60):
        low, high = bootstrap_interval(correlated(150, seed=seed), 500, statistic="pearson")
        hits += low <= math.sqrt(0.5) <= high
    assert hits >= 51  # 57 of 60 expected


def test_the_interval_of_a_ratio_is_the_normal_one():
    hits = np.arange(2000) % 4 == 0
    low, high = bootstrap_interval(np.stack([hits, np.ones(2000)], 1))
    half = 1.96 * math.sqrt(0.25 * 0.75 / 2000)
    assert (low, high) == pytest.approx((0.25 - half, 0.25 + half), abs=half / 10)
    large = np.tile(np.stack([hits, np.ones(2000)], 1), (11, 1))
    assert bootstrap_interval(large) == pytest.approx((0.25 - half / 11**0.5, 0.25 + half / 11**0.5), abs=half / 30)
    assert all(map(math.isnan, bootstrap_interval(np.empty((0, 2)))))


def test_the_order_of_a_large_test_set_does_not_change_its_interval():
    """It is resampled in groups; sorted items would make groups of neighbors as different as possible."""
    hits = np.sort(np.arange(80_000) % 4 == 0)
    low, high = bootstrap_interval(np.stack([hits, np.ones(len(hits))], 1), 4_000)
    half = 1.96 * math.sqrt(0.25 * 0.75 / len(hits))
    assert (low, high) == pytest.approx((0.25 - half, 0.25 + half), abs=half / 10)


@pytest.mark.parametrize("size", [300, 20_001])
def test_translations_are_resampled_together(size):
    """Two languages with opposite differences on every sentence: the mean difference is 0 on every resample."""
    rng = np.random.default_rng(0)
    a, b = (np.stack([rng.random(size) < share, np.ones(size)], 1).astype(float) for share in (0.5, 0.6))
    found = paired_bootstrap_mean([(a, b), (b, a)], 200)
    assert (found.low, found.high) == pytest.approx((0, 0), abs=1e-12)
    assert found.p == 1


def test_statistics_are_named():
    assert item_score([[1, 2], [0, 2]]) == 0.25
    assert item_score([[1, 10], [2, 30], [3, 20]], "spearman") == pytest.approx(0.5)
    assert math.isnan(item_score([[1, 10], [1, 30]], "pearson"))
    with pytest.raises(ValueError, match="unknown statistic 'kendall'"):
        item_score([[1, 2]], "kendall")
    with pytest.raises(ValueError, match="pairs of values"):
        item_score([1, 2], "pearson")
