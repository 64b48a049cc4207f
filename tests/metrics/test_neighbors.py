"""Cosines in tiles, and the nearest of both sides, against a sort of all cosines."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paralign.metrics.neighbors import cosine_tiles, nearest, nearest_both_ways, unit_rows


@settings(max_examples=80, deadline=None)
@given(
    st.integers(1, 30), st.integers(1, 30), st.integers(1, 12), st.integers(1, 9), st.integers(1, 9),
    st.integers(0, 2**31),
)  # fmt: skip
def test_the_nearest_of_both_sides(n, m, k, rows, columns, seed):
    rng = np.random.default_rng(seed)
    left, right = unit_rows(rng.normal(size=(n, 7)))[0], unit_rows(rng.normal(size=(m, 7)))[0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("paralign.metrics.neighbors._ROWS", rows)
        patch.setattr("paralign.metrics.neighbors._COLUMNS", columns)
        tiles = [(here, there) for here, there, _ in cosine_tiles(left, right)]
        found = nearest_both_ways(left, right, k)
        alone = nearest(left, right, k)
    seen = np.zeros((n, m), int)
    for here, there in tiles:
        seen[here, there] += 1
    assert (seen == 1).all()
    assert alone.index.tolist() == found[0].index.tolist()
    cosine = left @ right.T
    for neighbors, table in zip(found, (cosine, cosine.T), strict=True):
        width = min(k, table.shape[1])
        assert neighbors.index.shape == neighbors.cosine.shape == (len(table), width)
        for row, index, value in zip(table, neighbors.index, neighbors.cosine, strict=True):
            assert set(index.tolist()) == set(np.argsort(-row)[:width].tolist())
            assert value == pytest.approx(row[index], abs=1e-6)


def test_one_side_without_rows():
    some, none = np.ones((3, 1), np.float32), np.ones((0, 1), np.float32)
    assert [near.index.shape for near in nearest_both_ways(some, none, 4)] == [(3, 0), (0, 3)]
    assert [near.index.shape for near in nearest_both_ways(none, some, 4)] == [(0, 3), (3, 0)]
