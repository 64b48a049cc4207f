"""Symmetrization against the pseudo-code of the original, and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paralign.words.symmetrization import SYMMETRIZATIONS, symmetrize
from tests.oracles.grow_loops import symmetrize as by_loops


@st.composite
def directions(draw):
    """Draw two directed alignments of pairs of the same size."""
    m, n = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    k = draw(st.integers(1, 3))
    rows = st.lists(st.integers(-1, m - 1), min_size=n, max_size=n)
    columns = st.lists(st.integers(-1, n - 1), min_size=m, max_size=m)
    out = []
    for _ in range(k):
        forward = {(i, j) for j, i in enumerate(draw(rows)) if i >= 0}
        backward = {(i, j) for i, j in enumerate(draw(columns)) if j >= 0}
        out.append((forward, backward))
    return (m, n), out


def masks(size, links):
    out = np.zeros((len(links), *size), bool)
    for k, some in enumerate(links):
        for i, j in some:
            out[k, i, j] = True
    return out


def sets(mask):
    return [{(int(i), int(j)) for i, j in np.argwhere(one)} for one in mask]


@pytest.mark.parametrize("method", SYMMETRIZATIONS)
@settings(max_examples=150, deadline=None)
@given(directions())
def test_all_methods_equal_the_pseudo_code(method, given_):
    size, pairs = given_
    forward, backward = (masks(size, [pair[way] for pair in pairs]) for way in (0, 1))
    found = sets(symmetrize(forward, backward, method))
    assert found == [by_loops(a, b, size, method) for a, b in pairs]


def test_a_worked_example():
    # The intersection is 0-0; its neighbor 1-1 is grown; 3-4 touches nothing and joins with final only.
    forward, backward = {(0, 0), (1, 1), (3, 4)}, {(0, 0), (0, 3), (4, 4)}
    size = (5, 5)

    def links(method):
        return sets(symmetrize(masks(size, [forward]), masks(size, [backward]), method))[0]

    assert links("intersect") == {(0, 0)}
    assert links("union") == {(0, 0), (1, 1), (3, 4), (0, 3), (4, 4)}
    assert links("grow-diag") == {(0, 0), (1, 1)}
    # 0 has a link and 3 has none: final takes it, final-and does not; 4-4's column is taken by then.
    assert links("grow-diag-final") == {(0, 0), (1, 1), (3, 4), (0, 3), (4, 4)}
    assert links("grow-diag-final-and") == {(0, 0), (1, 1), (3, 4)}


def test_arguments_are_not_changed_and_unknown_methods_are_errors():
    forward, backward = masks((2, 2), [{(0, 0), (1, 1)}]), masks((2, 2), [{(0, 0), (0, 1)}])
    before = forward.copy(), backward.copy()
    for method in SYMMETRIZATIONS:
        symmetrize(forward, backward, method)
    assert (forward == before[0]).all()
    assert (backward == before[1]).all()
    with pytest.raises(ValueError, match="none of intersect"):
        symmetrize(forward, backward, "grow")
