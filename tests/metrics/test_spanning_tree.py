import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paralign.metrics import spanning_tree
from tests.oracles import all_trees

INF = float("inf")


def matrices(entries):
    return st.integers(1, 5).flatmap(
        lambda n: st.lists(st.lists(entries, min_size=n + 1, max_size=n + 1), min_size=n, max_size=n)
    )


def checked(scores):
    """Our tree's exact sum, after checking that it is a tree."""
    heads = tuple(spanning_tree(scores).tolist())
    assert all_trees.is_tree(heads)
    return all_trees.total(scores, heads)


@settings(max_examples=250, deadline=None)
@given(matrices(st.one_of(st.integers(-2, 2), st.integers(-(2**40), 2**40)).map(float)))
def test_exactly_the_best_of_all_trees(scores):
    """Whole numbers, so that sums are exact; small ones tie, and multiple roots tempt."""
    assert checked(scores) == all_trees.best_total(scores)


@settings(max_examples=150, deadline=None)
@given(matrices(st.sampled_from([-INF, -INF, 0.0, 1.0, -3.0, 2.0**40])))
def test_forbidden_arcs(scores):
    best = all_trees.best_total(scores)
    if best == -INF:
        with pytest.raises(ValueError, match="every tree"):
            spanning_tree(scores)
    else:
        assert checked(scores) == best


@settings(max_examples=150, deadline=None)
@given(matrices(st.floats(-1e300, 1e300)))
def test_any_floats(scores):
    """Up to rounding, which is relative to the largest score."""
    largest = max(abs(x) for row in scores for x in row)
    assert checked(scores) >= all_trees.best_total(scores) - largest * 1e-13


def by_networkx(scores):
    """The best sum over single-rooted trees: each word in turn is the root of an arborescence of the words."""
    n = len(scores)
    sums = []
    for root in range(1, n + 1):
        graph = nx.DiGraph()
        graph.add_nodes_from(range(1, n + 1))
        for d in range(1, n + 1):
            if d != root:
                graph.add_weighted_edges_from((h, d, scores[d - 1, h]) for h in range(1, n + 1) if h != d)
        tree = nx.maximum_spanning_arborescence(graph)
        sums.append(scores[root - 1, 0] + sum(w for *_, w in tree.edges(data="weight")))
    return max(sums)


@pytest.mark.parametrize("seed", range(40))
def test_longer_sentences_against_networkx(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(6, 14))
    scores = np.round(rng.normal(size=(n, n + 1)) * rng.choice([1, 3, 100]))
    scores[:, 0] += rng.choice([-5, 0, 50])
    heads = spanning_tree(scores)
    assert all_trees.is_tree(tuple(heads.tolist()))
    assert scores[np.arange(n), heads].sum() == by_networkx(scores)


def test_cycles_within_cycles():
    """1-2 and 3-4 love each other, then the two pairs do; the one way in from the root is at word 4."""
    scores = np.full((4, 5), -100.0)
    scores[0, 2] = scores[1, 1] = scores[2, 4] = scores[3, 3] = 10
    scores[0, 3] = scores[2, 1] = 5  # between the pairs
    scores[3, 0] = 0
    # 4 from the root, 3 from 4 (10), 1 from 3 (5), 2 from 1 (10).
    assert spanning_tree(scores).tolist() == [3, 1, 4, 0]


def test_the_greedy_choice_where_it_is_a_tree():
    scores = np.zeros((3, 4))
    scores[[0, 1, 2], [2, 0, 2]] = 1
    assert spanning_tree(scores).tolist() == [2, 0, 2]


def test_one_root_word_though_two_would_score_more():
    """Both words want the root by far (100 and 90); the second takes the small 1 from word 1."""
    assert spanning_tree([[100, 0, -50], [90, 1, 0]]).tolist() == [0, 1]


def test_a_chain_200_words_long_of_nested_cycles():
    """Each word's best head is its neighbor, so that cycles grow one word at a time; only the last meets the root."""
    n = 200
    scores = np.full((n, n + 1), -1e4)
    for word in range(1, n):
        scores[word - 1, word + 1] = 1.0 + word  # from the right
        scores[word, word] = 0.5 + word  # from the left
    scores[n - 1, 0] = -50.0
    assert spanning_tree(scores).tolist() == [*range(2, n + 1), 0]
    scores[n - 1, 0], scores[0, 0] = -1e4, -50.0
    assert spanning_tree(scores).tolist() == [0, *range(1, n)]


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 30), st.integers(0, 2**31))
def test_always_a_single_rooted_tree_and_own_heads_and_input_untouched(n, seed):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 3, size=(n, n + 1)).astype(np.float32)
    before = scores.copy()
    heads = spanning_tree(scores)
    assert all_trees.is_tree(tuple(heads.tolist()))
    assert np.array_equal(scores, before)
    scores[np.arange(n), np.arange(n) + 1] = np.inf
    assert np.array_equal(spanning_tree(scores), heads)


def test_small_sentences():
    assert spanning_tree(np.zeros((0, 1))).tolist() == []
    assert spanning_tree([[-7.0, 3.0]]).tolist() == [0]


@pytest.mark.parametrize("shape", [(3, 3), (4, 3), (3,), (2, 3, 4)])
def test_shape(shape):
    with pytest.raises(ValueError, match="must be"):
        spanning_tree(np.zeros(shape))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_that_are_no_numbers(bad):
    scores = np.zeros((2, 3))
    scores[0, 2] = bad
    with pytest.raises(ValueError, match=r"must not be NaN or \+inf"):
        spanning_tree(scores)
