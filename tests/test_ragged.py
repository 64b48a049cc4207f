"""Rows of different lengths, laid end to end."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from paralign.ragged import ranges, row_ids, row_keys, row_positions, row_starts

ROWS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 6)), max_size=8)


@pytest.mark.parametrize("array", [np.array, torch.tensor], ids=["numpy", "torch"])
@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8"])
@given(rows=ROWS)
def test_rows_are_those_of_python_ranges(array, dtype, rows):
    kind = getattr(np if array is np.array else torch, dtype)
    starts, lengths = (array([row[k] for row in rows], dtype=kind) for k in (0, 1))
    expected = {
        row_starts: [sum(length for _, length in rows[:k]) for k in range(len(rows))],
        row_ids: [k for k, (_, length) in enumerate(rows) for _ in range(length)],
        row_positions: [k for _, length in rows for k in range(length)],
    }
    for function, values in expected.items():
        result = function(lengths)
        assert type(result) is type(lengths)
        assert str(result.dtype).endswith("int64")
        assert result.tolist() == values
    result = ranges(starts, lengths)
    assert type(result) is type(lengths)
    assert str(result.dtype).endswith("int64")
    assert result.tolist() == [k for start, length in rows for k in range(start, start + length)]


@given(rows=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2**20), st.integers(0, 3)), max_size=8))
def test_keys_of_rows_are_ordered_like_rows(rows):
    keys = row_keys(np.array(rows, np.int64).reshape(-1, 3)).tolist()
    assert all((keys[i] < keys[j]) == (a < b) for i, a in enumerate(rows) for j, b in enumerate(rows))


def test_rows_too_large_for_a_key_are_refused():
    for rows in ([[2**32, 2**31]], [[0, -1]]):
        with pytest.raises(AssertionError):
            row_keys(np.array(rows))
