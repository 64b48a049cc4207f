"""Ranks of translations, against sorting by the definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paralign.metrics.lexicon import chance_precision, precision_items, translation_ranks
from tests.oracles import lexicon_loops


def words(n, m, d, seed):
    rng = np.random.default_rng(seed)
    queries, candidates = rng.normal(size=(n, d)) + 0.5, rng.normal(size=(m, d)) + 0.5
    gold = {(int(rng.integers(n)), int(rng.integers(m))) for _ in range(n + 2)}
    return queries, candidates, gold


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 14), st.integers(1, 14), st.integers(2, 5), st.sampled_from([None, 1, 3, 10]), st.integers(0, 2**31)
)
def test_against_the_definition(n, m, d, csls_k, seed):
    queries, candidates, gold = words(n, m, d, seed)
    ranks = translation_ranks(queries, candidates, sorted(gold), csls_k)
    for k in (1, 2, 5, 10):
        wanted = lexicon_loops.precision_at(k, queries.tolist(), candidates.tolist(), gold, csls_k)
        assert precision_items(ranks, k)[:, 0].tolist() == wanted
        assert (precision_items(ranks, k)[:, 1] == 1).all()


def test_ranks_by_hand():
    """Candidates at 10, 20, 30 and 40 degrees from the first query."""
    angles = np.radians([10, 20, 30, 40])
    candidates = np.stack([np.cos(angles), np.sin(angles)], 1)
    queries = np.array([[1.0, 0], [0, 1], [1, 0]])
    # Query 0 is right with 30 and 20 degrees (2nd place); query 1 sees them the other way round; query 2 has none.
    assert translation_ranks(queries, candidates, [(0, 2), (1, 0), (0, 1)]).tolist() == [2, 4, 0]


def test_csls_pushes_a_hub_down():
    """The example of CSLS in the tests of retrieval: by cosine candidate 2 is nearest to all three queries."""
    degrees = {"queries": [0, 40, 20], "candidates": [-25, 62, 21]}
    queries, candidates = (np.stack([np.cos(np.radians(v)), np.sin(np.radians(v))], 1) for v in degrees.values())
    gold = [(0, 0), (1, 1), (2, 2)]
    assert translation_ranks(queries, candidates, gold).tolist() == [2, 2, 1]
    assert translation_ranks(queries, candidates, gold, 2).tolist() == [1, 1, 1]


@pytest.mark.parametrize("csls_k", [None, 10])
@pytest.mark.parametrize("d", [77, 128, 768])
def test_equal_candidates_stand_in_their_order(d, csls_k):
    """Words a tokenizer cannot tell apart: luck in rounding must not make one of them the first."""
    rng = np.random.default_rng(0)
    for n in (5, 18, 33):
        queries, same = rng.normal(size=(n, d)), np.tile(rng.normal(size=(1, d)), (n, 1))
        assert translation_ranks(queries, same, [(i, i) for i in range(n)], csls_k).tolist() == list(range(1, n + 1))


@pytest.mark.parametrize("csls_k", [None, 3, 10])
@pytest.mark.parametrize("bad", [0.0, np.nan])
def test_vectors_without_direction_neither_find_nor_are_found(bad, csls_k):
    queries, candidates = np.random.default_rng(4).normal(size=(2, 12, 3))  # many cosines below 0
    queries = queries[:9]
    gold = [(i, i) for i in range(9)]
    queries[1], candidates[[3, 11]] = bad, bad
    ranks = translation_ranks(queries, candidates, gold, csls_k)
    assert ranks[[1, 3]].tolist() == [0, 0]
    rest = [0, 2, 4, 5, 6, 7, 8]
    kept = [j for j in range(12) if j not in (3, 11)]
    others = [i for i in range(9) if i != 1]
    alone = translation_ranks(
        queries[others], candidates[kept], [(others.index(i), kept.index(i)) for i in rest], csls_k
    )
    assert ranks[rest].tolist() == alone[[others.index(i) for i in rest]].tolist()


@pytest.mark.parametrize("csls_k", [None, 4])
def test_chunks_change_nothing(monkeypatch, csls_k):
    queries, candidates, gold = words(53, 31, 8, 3)
    whole = translation_ranks(queries, candidates, sorted(gold), csls_k)
    monkeypatch.setattr("paralign.metrics.neighbors._CELLS", 31 * 4)
    assert translation_ranks(queries, candidates, sorted(gold), csls_k).tolist() == whole.tolist()
    assert len(set(whole.tolist())) > 5


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 5), st.integers(1, 7), st.data())
def test_chance_is_the_share_of_orders(candidates, k, data):
    right = data.draw(st.lists(st.integers(0, candidates), min_size=1, max_size=4))
    assert chance_precision(right, candidates, k) == pytest.approx(lexicon_loops.chance(right, candidates, k))


def test_refuses():
    for queries, candidates, gold, k in (
        (np.ones((2, 3)), np.ones((2, 4)), [], None),
        (np.ones((2, 3)), np.ones((2, 3)), [(0, 2)], None),
        (np.ones((2, 3)), np.ones((2, 3)), [(-1, 0)], None),
        (np.ones((2, 3)), np.ones((2, 3)), [], 0),
    ):
        with pytest.raises(ValueError, match=r"dimensions|does not exist|csls_k"):
            translation_ranks(queries, candidates, gold, k)
