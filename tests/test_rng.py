"""Random numbers as a function of their place."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from paralign.rng import random_bits, seed_for, uniform

KEY = st.integers(-(2**63), 2**63 - 1)


def test_one_key_is_the_first_output_of_splitmix64():
    # Reference values of the published generator for the seeds 0 and 1234567.
    assert int(random_bits(0)[0]) == 0xE220A8397B1DCDAF
    assert int(random_bits(1234567)[0]) == 6457827717110365317


@given(st.lists(KEY, min_size=1, max_size=5), st.lists(KEY, min_size=1, max_size=4))
def test_an_array_of_keys_draws_what_each_key_draws_alone(values, head):
    together = random_bits(*head, np.array(values, np.int64), 7)
    assert together.tolist() == [int(random_bits(*head, value, 7)[0]) for value in values]


def test_the_order_of_keys_counts_and_neighbors_share_nothing():
    grid = random_bits(np.arange(300)[:, None], np.arange(300)[None])
    assert grid.shape == (300, 300)
    assert len(np.unique(grid)) == 90_000
    bits = np.unpackbits((grid[1:] ^ grid[:-1]).view(np.uint8))
    assert abs(bits.mean() - 0.5) < 5 * 0.5 / len(bits) ** 0.5  # a neighbor flips half of all bits


def test_uniform_fills_the_unit_interval_evenly():
    numbers = uniform(3, np.arange(100_000))
    assert numbers.min() >= 0
    assert numbers.max() < 1
    counts = np.histogram(numbers, bins=50, range=(0, 1))[0]
    chi2 = ((counts - 2000) ** 2 / 2000).sum()
    assert chi2 < 49 + 5 * (2 * 49) ** 0.5


@given(KEY, KEY)
def test_seeds_fit_every_library(a, b):
    assert 0 <= seed_for(a, b) < 2**63
