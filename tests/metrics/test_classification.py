"""Macro F1 is scikit-learn's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from paralign.metrics import item_score
from paralign.metrics.bootstrap import bootstrap_interval, paired_bootstrap
from paralign.metrics.classification import macro_f1

LABELS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=30)


@given(LABELS)
def test_it_is_that_of_scikit_learn(pairs):
    gold, predicted = zip(*pairs, strict=True)
    wanted = f1_score(gold, predicted, average="macro", zero_division=0)
    assert macro_f1(gold, predicted) == pytest.approx(wanted)
    assert item_score(np.array(pairs), "macro_f1") == pytest.approx(wanted)


@given(st.lists(LABELS.filter(lambda pairs: len(pairs) >= 4).map(lambda pairs: pairs[:4]), min_size=1, max_size=5))
def test_rows_are_scored_alone(tables):
    rows = np.array(tables)
    assert macro_f1(rows[..., 0], rows[..., 1]) == pytest.approx([float(macro_f1(r[:, 0], r[:, 1])) for r in rows])


def test_by_hand():
    """F1 of 0 and of 1 is 2/3: one is right, of two gold and one predicted, and the reverse; of 2 and 3 it is 0."""
    assert macro_f1([0, 0, 1, 2], [0, 3, 1, 1]) == pytest.approx((2 / 3 + 2 / 3 + 0 + 0) / 4)


def test_without_items_it_is_undefined_and_shapes_must_agree():
    assert np.isnan(macro_f1([], []))
    with pytest.raises(ValueError, match="one shape"):
        macro_f1([1], [1, 2])


def test_a_better_system_is_better_on_resamples():
    rng = np.random.default_rng(0)
    gold = rng.integers(0, 7, 200)
    good, bad = (np.where(rng.random(200) < right, gold, rng.integers(0, 7, 200)) for right in (0.8, 0.2))
    items = [np.stack([gold, answers], 1) for answers in (good, bad)]
    found = paired_bootstrap(*items, resamples=500, statistic="macro_f1")
    assert found.difference == pytest.approx(float(macro_f1(gold, good) - macro_f1(gold, bad)))
    assert 0 < found.low < found.difference < found.high
    low, high = bootstrap_interval(items[0], 500, statistic="macro_f1")
    assert low < float(macro_f1(gold, good)) < high
