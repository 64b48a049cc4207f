"""Measures of a space, compared with slow loops and closed forms."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paralign.metrics import space


def drawn(n, d, seed=0, shift=0.0):
    return np.random.default_rng(seed).normal(size=(n, d)) + shift


def cosine(a, b):
    return float(a @ b / math.sqrt((a @ a) * (b @ b)))


def test_the_mean_cosine_is_that_of_all_different_pairs():
    rows = drawn(9, 4, shift=0.5)
    expected = np.mean([cosine(a, b) for i, a in enumerate(rows) for j, b in enumerate(rows) if i != j])
    assert space.mean_cosine(rows) == pytest.approx(expected, abs=1e-6)
    assert space.mean_cosine(np.eye(5)) == pytest.approx(0, abs=1e-7)
    assert space.mean_cosine(np.ones((5, 3))) == pytest.approx(1, abs=1e-6)


@given(st.integers(1, 6))
def test_the_effective_rank_of_equal_directions_is_their_number(d):
    rows = np.concatenate([np.eye(d), -np.eye(d)])
    assert space.effective_rank(np.pad(rows, ((0, 0), (0, 2)))) == pytest.approx(d)


def test_the_effective_rank_ignores_the_mean_and_the_scale():
    rows = drawn(30, 5)
    assert space.effective_rank(7 * rows + 3) == pytest.approx(space.effective_rank(rows))
    assert 1 < space.effective_rank(rows * [1, 1, 0.01, 0.01, 0.01]) < 2.2


@pytest.mark.parametrize("identify", [space.nearest_mean_identification, space.linear_identification])
def test_separate_languages_are_identified_and_equal_ones_are_not(identify):
    apart = {"en": drawn(80, 4), "de": drawn(80, 4, 1, shift=9.0), "fr": drawn(80, 4, 2, shift=-9.0)}
    assert all(found.all() and len(found) == 40 for found in identify(apart).values())
    same = {name: drawn(400, 4, seed) for seed, name in enumerate(("en", "de"))}
    assert 0.35 < np.mean(np.concatenate(list(identify(same).values()))) < 0.65


def test_the_nearest_mean_is_that_of_the_other_rows():
    vectors = {"en": drawn(20, 3), "de": drawn(20, 3, 1, shift=1.0)}
    found = space.nearest_mean_identification(vectors)
    means = {name: rows[::2].mean(0) for name, rows in vectors.items()}
    for name, rows in vectors.items():
        for right, row in zip(found[name], rows[1::2], strict=True):
            nearest = min(means, key=lambda other: math.dist(row, means[other]))
            assert right == (nearest == name)


def test_a_linear_probe_finds_what_means_do_not():
    """The languages differ in the sign of a small dimension; a large one that both share hides it from distances."""
    noise = np.random.default_rng(0).normal(size=(2, 200, 1))
    vectors = {name: np.concatenate([10 * noise[k], np.full((200, 1), sign)], 1)
               for k, (name, sign) in enumerate((("en", 1.0), ("de", -1.0)))}  # fmt: skip
    assert all(found.all() for found in space.linear_identification(vectors).values())
    assert not all(found.all() for found in space.nearest_mean_identification(vectors).values())


@pytest.mark.parametrize("k", [1, 3])
def test_hubness_is_the_skewness_of_occurrences(k):
    queries, items = drawn(12, 3), drawn(9, 3, 1)
    counts = [0] * 9
    for query in queries:
        for index in sorted(range(9), key=lambda j: -cosine(query, items[j]))[:k]:
            counts[index] += 1
    mean = sum(counts) / 9
    moments = [sum((c - mean) ** p for c in counts) / 9 for p in (2, 3)]
    assert space.hubness(queries, items, k) == pytest.approx(moments[1] / moments[0] ** 1.5)


def test_a_hub_gives_a_large_skewness_and_equal_occurrence_gives_none():
    assert space.hubness(np.eye(6), np.eye(6), 1) == 0
    items = np.concatenate([np.eye(6) - 1, np.ones((1, 6))])
    # All six queries are nearest to one of seven items: the skewness of a Bernoulli variable with p = 1/7.
    assert space.hubness(np.eye(6), items, 1) == pytest.approx(5 / math.sqrt(6))


def test_equal_rows_have_no_neighbors():
    rows = np.tile(np.arange(3.0), (40, 1))
    assert math.isnan(space.hubness(np.eye(3)[[0, 1, 2] * 9], rows))


def test_mutual_nearest_neighbors_are_the_greatest_of_row_and_column():
    first, second = drawn(14, 3), drawn(14, 3, 1) + drawn(14, 3)
    table = [[cosine(a, b) for b in second] for a in first]
    expected = [table[i][i] == max(table[i]) and table[i][i] == max(row[i] for row in table) for i in range(len(table))]
    assert 0 < sum(expected) < 14
    assert space.mutual_nearest(first, second).tolist() == expected


def test_equal_sentences_are_not_nearest():
    rows = np.array([[1.0, 0], [1.0, 0], [0, 1.0]])
    assert space.mutual_nearest(rows, rows).tolist() == [False, False, True]


def test_equal_sentences_are_ties_whatever_the_rounding():
    for seed in range(20):
        first = drawn(60, 64, seed).astype(np.float32)
        second = (first + 0.5 * drawn(60, 64, seed + 100)).astype(np.float32)
        first[1], second[1] = first[0], second[0] * np.float32(1 + 1e-7)
        assert space.mutual_nearest(first, second).tolist() == [False, False] + [True] * 58


def test_the_distance_of_languages_is_in_units_of_their_spread():
    a, b = drawn(50, 4), drawn(60, 4, 1, shift=2.0)
    spread = math.sqrt((a.var(0).sum() + b.var(0).sum()) / 2)
    assert space.language_distance(a, b) == pytest.approx(math.dist(a.mean(0), b.mean(0)) / spread)
    assert space.language_distance(10 * a, 10 * b) == pytest.approx(space.language_distance(a, b))
    assert math.isnan(space.language_distance(np.ones((3, 2)), np.ones((3, 2))))
