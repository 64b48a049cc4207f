"""Margin-based mining, against loops over its definition."""

import math
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paralign.metrics.margin import best_threshold, extraction_items, mine
from paralign.metrics.ratios import ratio
from tests.oracles import margin_loops

MARGINS = ("ratio", "distance", "absolute")
STRATEGIES = ("max", "intersect", "forward", "backward")


def two_sides(n, m, d, seed):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(n, d)) + 0.7
    b = rng.normal(size=(m, d)) + 0.7
    shared = min(n, m) // 2
    b[:shared] = a[:shared] + 0.3 * rng.normal(size=(shared, d))
    return a, b


def as_list(found):
    return list(zip(found.source.tolist(), found.target.tolist(), found.score.tolist(), strict=True))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 14), st.integers(1, 14), st.integers(2, 5), st.integers(1, 6),
    st.sampled_from(MARGINS), st.sampled_from(STRATEGIES), st.integers(0, 2**31),
)  # fmt: skip
def test_against_the_definition(n, m, d, k, margin, strategy, seed):
    a, b = two_sides(n, m, d, seed)
    found = as_list(mine(a, b, k=k, margin=margin, strategy=strategy))
    wanted = margin_loops.mine(a.tolist(), b.tolist(), k, margin, strategy)
    assert {pair[:2] for pair in found} == {pair[:2] for pair in wanted}
    assert [s for *_, s in found] == sorted((s for *_, s in found), reverse=True)
    value = {pair[:2]: pair[2] for pair in wanted}
    assert all(s == pytest.approx(value[i, j], rel=1e-4, abs=1e-6) for i, j, s in found)


def test_the_ratio_by_hand():
    """Both sides lie at 0 and 60 degrees."""
    a = b = np.array([[1, 0], [0.5, math.sqrt(3) / 2]])
    # Every row has cosines 1 and 1/2 with the other side: the average around any pair is 3/4.
    assert sorted(as_list(mine(a, b, k=2))) == [(0, 0, pytest.approx(4 / 3)), (1, 1, pytest.approx(4 / 3))]
    assert mine(a, b, k=2, margin="distance").score.tolist() == pytest.approx([0.25, 0.25])
    assert mine(a, b, k=2, margin="absolute").score.tolist() == pytest.approx([1, 1])
    # k = 1: nothing but the pair itself is near, and every pair is as good as its surroundings.
    assert mine(a, b, k=1).score.tolist() == pytest.approx([1, 1])


def test_a_hub_has_a_high_cosine_and_a_low_margin():
    """b[0] is near every source; the pair far from all others has the lower cosine and the higher margin."""
    degrees = {"a": [0, 4, 8, 90], "b": [4, 110]}
    a, b = (np.stack([np.cos(np.radians(v)), np.sin(np.radians(v))], 1) for v in degrees.values())
    absolute = mine(a, b, k=3, margin="absolute")
    assert (absolute.source[0], absolute.target[0]) == (1, 0)  # cosine 1 against cos 20 = .94
    ratio = mine(a, b, k=3)
    assert (ratio.source[0], ratio.target[0]) == (3, 1)


def test_max_uses_every_sentence_once_and_intersect_is_part_of_forward():
    a, b = two_sides(40, 25, 6, 5)
    found = mine(a, b)
    assert len(set(found.source.tolist())) == len(found.source) == len(set(found.target.tolist()))
    both, forth, back = (
        {(i, j) for i, j, _ in as_list(mine(a, b, strategy=s))} for s in ("intersect", "forward", "backward")
    )
    assert both == forth & back
    assert len(forth) == 40
    assert len(back) == 25


@pytest.mark.parametrize("tile", [(3, 7), (1, 1), (1000, 1000)])
def test_tiles_and_scale_change_nothing(tile, monkeypatch):
    a, b = two_sides(31, 47, 12, 2)
    whole = as_list(mine(a, b))
    monkeypatch.setattr("paralign.metrics.neighbors._ROWS", tile[0])
    monkeypatch.setattr("paralign.metrics.neighbors._COLUMNS", tile[1])
    monkeypatch.setattr(sys.modules["paralign.metrics.margin"], "_ROWS", tile[0])
    scale = np.random.default_rng(0).uniform(1e-20, 1e20, (47, 1))
    parts = as_list(mine(a, b * scale))
    assert [p[:2] for p in parts] == [p[:2] for p in whole]
    assert [p[2] for p in parts] == pytest.approx([p[2] for p in whole], rel=1e-5)


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_vectors_without_direction_are_as_if_not_there(bad, strategy):
    a, b = two_sides(12, 9, 4, 1)
    a[[2, 5]] = b[[0, 7]] = bad
    rest_a, rest_b = [i for i in range(12) if i not in (2, 5)], [j for j in range(9) if j not in (0, 7)]
    without = as_list(mine(a[rest_a], b[rest_b], strategy=strategy))
    found = as_list(mine(a, b, strategy=strategy))
    assert found == [(rest_a[i], rest_b[j], pytest.approx(s)) for i, j, s in without]


def test_nothing_to_mine():
    for a, b in ((np.zeros((0, 3)), np.ones((4, 3))), (np.ones((4, 3)), np.zeros((2, 3)))):
        assert all(as_list(mine(a, b, strategy=s)) == as_list(mine(b, a, strategy=s)) == [] for s in STRATEGIES)


def test_an_average_that_is_not_positive():
    """All cosines are below 0: a plain ratio would prefer the least similar pair, -.98 / -.77 to -.17 / -.42."""
    degrees = {"a": [0, 10], "b": [110, 200]}
    a, b = (np.stack([np.cos(np.radians(v)), np.sin(np.radians(v))], 1) for v in degrees.values())
    assert [pair[:2] for pair in as_list(mine(a, b, k=2))] == [(1, 0), (0, 1)]


def test_nearest_first_and_no_more_than_there_are():
    found = mine([[1.0, 0]], [[0.0, 1], [2, 0], [0, 0], [-1, 0]], k=5, margin="absolute", strategy="backward")
    assert found.target.tolist() == [1, 0, 3]
    assert found.score.tolist() == [1, 0, -1]


@pytest.mark.parametrize(
    ("a", "b", "settings", "message"),
    [
        ((3, 2), (3, 4), {}, "vectors of 2 and 4 dimensions cannot be compared"),
        ((3,), (3, 2), {}, r"vectors must be \[n, d\], not \[3\]"),
        ((3, 2), (3, 2), {"k": 0}, "k must be at least 1, not 0"),
        ((3, 2), (3, 2), {"margin": "log"}, "unknown margin 'log'"),
        ((3, 2), (3, 2), {"strategy": "best"}, "or strategy 'best'"),
    ],
)
def test_refuses(a, b, settings, message):
    with pytest.raises(ValueError, match=message):
        mine(np.ones(a), np.ones(b), **settings)


# -- thresholds and scores


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_no_threshold_is_better_than_the_best(data):
    # Few distinct scores, so that ties are common.
    scores = data.draw(st.lists(st.integers(0, 8).map(lambda s: s / 4), min_size=1, max_size=12))
    right = data.draw(st.lists(st.booleans(), min_size=len(scores), max_size=len(scores)))
    gold = sum(right) + data.draw(st.integers(0, 3))
    threshold = best_threshold(scores, right, gold)
    if not any(right):
        assert threshold == math.inf
        return
    kept = [s >= threshold for s in scores]
    hits = sum(k and r for k, r in zip(kept, right, strict=True))
    assert 2 * hits / (sum(kept) + gold) == pytest.approx(float(margin_loops.best_f1(scores, right, gold)))


def test_the_threshold_is_halfway_to_the_first_left_out():
    assert best_threshold([1.0, 1.5, 1.2, 1.1], [False, True, True, False], 2) == pytest.approx(1.15)
    assert best_threshold([1.2, 1.5], [True, True], 2) == 1.2  # nothing is left out
    between = np.nextafter(1.0, 2)
    assert best_threshold([between, 1.0], [True, False], 1) == between  # no number lies between the two
    assert best_threshold([3.0, 2.0, 1.0], [True, False, False], 1) == 2.5
    assert best_threshold([], [], 3) == math.inf


@settings(max_examples=250, deadline=None)
@given(
    st.frozensets(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12),
    st.frozensets(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12),
)
def test_ratios_of_sums_are_the_scores_of_the_sets(extracted, gold):
    pairs = sorted(extracted)
    items = extraction_items(6, [i for i, _ in pairs], [p in gold for p in pairs], [i for i, _ in gold])
    wanted = margin_loops.f1(set(extracted), set(gold))
    for metric, value in zip(("f1", "precision", "recall"), wanted, strict=True):
        assert items[metric].shape == (6, 2)
        found = ratio(items[metric])
        assert (0.0 if math.isnan(found) else found) == pytest.approx(float(value))
