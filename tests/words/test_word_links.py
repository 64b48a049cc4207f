"""Word links as arrays."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from paralign.words.word_links import WordLinks

LINKS = st.lists(st.sets(st.tuples(st.integers(0, 70_000), st.integers(0, 9)), max_size=5), max_size=6)


@given(LINKS)
def test_rows_are_packed_in_order(rows):
    found = WordLinks.from_rows(rows)
    assert len(found) == len(rows)
    assert list(found) == [sorted(row) for row in rows] == [found[k] for k in range(len(rows))]


@given(LINKS, st.randoms())
def test_arrays_in_any_order_give_the_same_links(rows, random):
    flat = [(k, i, j) for k, row in enumerate(rows) for i, j in row]
    random.shuffle(flat)
    which, first, second = (np.array([link[side] for link in flat], np.int64) for side in range(3))
    assert list(WordLinks.from_arrays(len(rows), [which], [first], [second])) == list(WordLinks.from_rows(rows))
