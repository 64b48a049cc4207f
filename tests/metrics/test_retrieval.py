import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paralign.metrics import retrieval as retrieve
from tests.oracles import retrieval_loops


def noisy_pair(n, d, noise, seed):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(n, d)) + 0.7  # a common direction, as real encoders have
    return a, a + noise * rng.normal(size=(n, d))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 25), st.integers(2, 6), st.sampled_from([None, 1, 3, 10]), st.integers(0, 2**31))
def test_against_the_definition(n, d, k, seed):
    a, b = noisy_pair(n, d, 1.0, seed)
    forth, back = retrieve(a, b, csls_k=k)
    assert forth.tolist() == retrieval_loops.hits(a.tolist(), b.tolist(), k)
    assert back.tolist() == retrieval_loops.hits(b.tolist(), a.tolist(), k)


def test_csls_moves_a_hub_out_of_the_way():
    """b[2] lies amid the queries and is nearest to all; its neighborhood is dense, so CSLS discounts it."""
    degrees = {"a": [0, 40, 20], "b": [-25, 62, 21]}
    a, b = (np.stack([np.cos(np.radians(v)), np.sin(np.radians(v))], 1) for v in degrees.values())
    assert retrieve(a, b)[0].tolist() == [False, False, True]
    # By hand: cos 25 = .906, 22: .927, 21: .934, 19: .946, 45: .707, 1: 1.000, 62: .469, 42: .743, 65: .423.
    # r(b), k = 2: (.906 + .707)/2 = .807, (.927 + .743)/2 = .835, (1.000 + .946)/2 = .973.
    # Query 0: 1.813 - .807 = 1.006 | .939 - .835 | 1.867 - .973 = .894 -> b[0].
    # Query 1: .845 - .807 | 1.854 - .835 = 1.019 | 1.891 - .973 = .918 -> b[1].
    # Query 2: 1.414 - .807 = .608 | 1.486 - .835 = .651 | 2.000 - .973 = 1.027 -> b[2].
    assert retrieve(a, b, csls_k=2)[0].tolist() == [True, True, True]


@pytest.mark.parametrize("k", [None, 10])
@pytest.mark.parametrize("d", [77, 128, 300, 768])
def test_of_equal_rows_only_the_first_is_found(k, d):
    """A collapsed encoder, in sizes where a matrix product rounds equal rows differently at its edges."""
    rng = np.random.default_rng(0)
    for n in range(2, 40):
        queries, same = rng.normal(size=(n, d)), np.tile(rng.normal(size=(1, d)), (n, 1))
        assert retrieve(queries, same, csls_k=k)[0].tolist() == [True] + [False] * (n - 1)


@pytest.mark.parametrize("k", [None, 3])
@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf])
def test_vectors_without_direction_are_as_if_not_there(bad, k):
    """Pairs 2 and 5 bad on both sides: the others hit as they do without them, those two never."""
    a, b = noisy_pair(12, 3, 1.0, 1)
    a[[2, 5]] = b[[2, 5]] = bad
    rest = [i for i in range(12) if i not in (2, 5)]
    for hits, without in zip(retrieve(a, b, csls_k=k), retrieve(a[rest], b[rest], csls_k=k), strict=True):
        assert 0 < without.mean() < 1
        assert hits[rest].tolist() == without.tolist()
        assert not hits[[2, 5]].any()


def test_a_zero_vector_is_not_found_by_a_query_far_from_all():
    """Every candidate lies behind query 0; zero would beat them with a cosine of 0."""
    a = np.array([[1.0, 0], [0, 1], [-1, 0.2]])
    b = np.array([[-0.5, 0.1], [0, 0], [-1, 0.4]])
    forth, back = retrieve(a, b)
    assert forth.tolist() == [False, False, False]  # query 0 finds b[2] (-.93 > -.98), query 2 finds b[0]
    assert back.tolist() == [False, False, True]
    assert retrieve(b, a)[0].tolist() == back.tolist()


def test_all_bad():
    assert [h.tolist() for h in retrieve(np.zeros((2, 3)), np.ones((2, 3)), csls_k=5)] == [[False, False]] * 2


@pytest.mark.parametrize("k", [None, 4])
def test_chunking_and_scale_change_nothing(monkeypatch, k):
    a, b = noisy_pair(57, 16, 1.0, 3)
    whole = retrieve(a, b, csls_k=k)
    monkeypatch.setattr("paralign.metrics.neighbors._ROWS", 5)
    monkeypatch.setattr("paralign.metrics.neighbors._COLUMNS", 9)
    scale = np.random.default_rng(0).uniform(1e-20, 1e20, (57, 1))
    parts = retrieve(a * scale, b, csls_k=k)
    assert 0 < whole[0].mean() < 1
    assert [h.tolist() for h in parts] == [h.tolist() for h in whole]


def test_identity_is_perfect_and_nothing_is_empty():
    a = np.random.default_rng(0).normal(size=(50, 8))
    assert all(h.all() for h in retrieve(a, 3 * a, csls_k=10))
    assert [h.shape for h in retrieve(np.zeros((0, 8)), np.zeros((0, 8)), csls_k=10)] == [(0,), (0,)]


@pytest.mark.parametrize(
    ("a", "b", "k", "message"),
    [
        ((3, 2), (4, 2), None, r"the shapes are \[3, 2\] and \[4, 2\]"),
        ((3, 2), (3, 4), None, r"the shapes are \[3, 2\] and \[3, 4\]"),
        ((3,), (3,), None, r"vectors must be \[n, d\], not \[3\]"),
        ((3, 2), (3, 2), 0, "csls_k must be at least 1, not 0"),
    ],
)
def test_refuses_what_does_not_pair(a, b, k, message):
    with pytest.raises(ValueError, match=message):
        retrieve(np.ones(a), np.ones(b), csls_k=k)
