"""Stretches laid end to end."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from paralign.ragged import ramp, stretches


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 6)), max_size=8))
def test_places_are_those_of_ranges(rows):
    starts, sizes = np.array([row[0] for row in rows], np.int64), np.array([row[1] for row in rows], np.int64)
    assert stretches(starts, sizes).tolist() == [k for start, size in rows for k in range(start, start + size)]
    assert ramp(sizes).tolist() == [k for _, size in rows for k in range(size)]
