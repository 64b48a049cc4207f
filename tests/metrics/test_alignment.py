"""Alignment error rate."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paralign.metrics.alignment import alignment_score

LINKS = st.sets(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=6)


def test_by_hand():
    """Och and Ney (2003), section 6: A = 4 links of which 2 are sure and 1 more possible; S = 3."""
    links = {(0, 0), (1, 1), (2, 2), (3, 3)}
    sure, possible = {(0, 0), (1, 1), (4, 4)}, {(0, 0), (1, 1), (4, 4), (2, 2)}
    score = alignment_score([(links, sure, possible)])
    assert score.precision == 3 / 4
    assert score.recall == 2 / 3
    assert score.aer == pytest.approx(1 - (2 + 3) / (4 + 3))
    # Sums over all pairs, not a mean of pairs' rates.
    assert alignment_score([(links, sure, possible), ([], {(0, 0)}, [])]).aer == pytest.approx(1 - 5 / 8)


@given(st.lists(st.tuples(LINKS, LINKS), max_size=5))
def test_where_all_is_sure_it_is_the_opposite_of_f1(pairs):
    score = alignment_score([(links, sure, sure) for links, sure in pairs])
    if any(links or sure for links, sure in pairs):
        assert score.aer == pytest.approx(1 - score.f1)
        same = sum(len(links & sure) for links, sure in pairs)
        assert score.f1 == pytest.approx(2 * same / sum(len(a) + len(b) for a, b in pairs))


@given(st.lists(st.tuples(LINKS, LINKS, LINKS), max_size=5))
def test_sure_links_are_possible_whether_they_are_listed_so_or_not(pairs):
    with_them = [(links, sure, sure | possible) for links, sure, possible in pairs]
    assert alignment_score(pairs) == alignment_score(with_them)
    assert 0 <= alignment_score(pairs).aer <= 1


def test_nothing_at_all_is_perfect_and_links_where_there_are_none_are_wrong():
    assert alignment_score([]).aer == 0
    assert alignment_score([([(0, 0)], [], [])]).precision == 0
    assert alignment_score([([(0, 0)], [], [])]).aer == 1
    assert alignment_score([([], [(0, 0)], [])]).recall == 0
