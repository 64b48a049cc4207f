"""Seen against a set, and the filter's bounds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from paralign.corpus.clean import FilterConfig
from paralign.corpus.deduplicate import HashSet, hash_texts, sentence_hashes


@given(st.lists(st.lists(st.integers(0, 60) | st.integers(0, 2**64 - 1), max_size=20), max_size=30))
def test_seen_is_a_set(batches: list[list[int]]) -> None:
    seen, oracle = HashSet(), set()
    for batch in batches:
        wanted = []
        for value in batch:
            wanted.append(value not in oracle)
            oracle.add(value)
        assert seen.add_new(np.array(batch, np.uint64)).tolist() == wanted
        assert len(seen) == len(oracle)
    asked = [*sorted(oracle), 61, 2**63 + 1]
    assert seen.contains(np.array(asked, np.uint64)).tolist() == [value in oracle for value in asked]


def test_seen_keeps_few_runs_of_eight_bytes_a_record() -> None:
    seen, rng = HashSet(), np.random.default_rng(0)
    for _ in range(200):
        seen.add_new(rng.integers(0, 2**63, 50).astype(np.uint64))
    assert len(seen) == 10_000
    assert sum(run.nbytes for run in seen._runs) == 80_000
    assert len(seen._runs) <= np.log2(10_000)


def test_hashes() -> None:
    a, b, c = hash_texts(["x", "y", "x"])
    assert a == c != b
    hi, same, other, none = sentence_hashes(["Hi, Tom!", "hi tom", "Hi Tim", "..."])
    assert hi == same != other
    assert none == 0


def test_filter_bounds() -> None:
    assert (FilterConfig().min_pieces, FilterConfig().max_pieces) == (10, 128)
    for wrong in ({"min_pieces": 0}, {"max_pieces": 5}, {"limit": 0}, {"lenient": True}):
        with pytest.raises(ValidationError):
            FilterConfig(**wrong)
