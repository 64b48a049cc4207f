"""Which records make up which batch."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paralign.batches.batching import CHUNKS, BatchPlan, batches_by_length, cut_by_length, padded_size, split_by_length
from paralign.errors import UserError


def lengths_like_text(n: int, seed: int = 0) -> np.ndarray:
    """Log-normal sentence lengths, as news and speeches have them: median 27, from 3 to 128."""
    return np.clip(np.random.default_rng(seed).lognormal(3.3, 0.6, n), 3, 128).astype(np.int64)


def plan(n: int = 240, batch: int = 8, **settings) -> BatchPlan:
    return BatchPlan(lengths_like_text(n), np.zeros(n, np.int64), batch=batch, **{"seed": 5, "window": 4} | settings)


def test_every_record_comes_exactly_once_an_epoch_and_epochs_differ():
    made = plan()
    epochs = [[made.records(step) for step in range(e * 30, e * 30 + 30)] for e in range(3)]
    for epoch in epochs:
        assert all(len(batch) == 8 for batch in epoch)
        assert sorted(np.concatenate(epoch).tolist()) == list(range(240))
    assert not np.array_equal(epochs[0], epochs[1])


def test_a_remainder_is_left_out_once_and_not_the_same_records_each_epoch():
    made = plan(n=247)
    left = []
    for epoch in range(4):
        seen = np.concatenate([made.records(s) for s in range(epoch * 30, epoch * 30 + 30)])
        assert len(set(seen.tolist())) == 240
        left.append(frozenset(range(247)) - set(seen.tolist()))
    assert len(set(left)) == 4


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(-70, 200), min_size=1, max_size=8), st.sampled_from([1.0, 3.0]))
def test_a_batch_is_a_function_of_the_step_whatever_was_asked_before(steps, temperature):
    groups = (np.arange(240) % 5 == 0).astype(np.int64)
    one, other = (
        BatchPlan(lengths_like_text(240), groups, batch=8, seed=5, window=4, temperature=temperature) for _ in range(2)
    )
    wandering = [one.records(step) for step in steps]
    assert [a.tolist() for a in wandering[::-1]] == [other.records(step).tolist() for step in steps[::-1]]


def test_another_seed_is_another_order():
    assert plan(seed=1).records(0).tolist() != plan(seed=2).records(0).tolist()


@pytest.mark.parametrize("temperature", [1.0, 2.0, 5.0, 1e9])
def test_groups_are_drawn_in_proportion_to_their_share_to_the_power_of_1_over_t(temperature):
    sizes = np.array([9000, 900, 100])
    groups = np.repeat(np.arange(3), sizes)
    made = BatchPlan(np.full(10_000, 9), groups, batch=100, seed=0, temperature=temperature)
    drawn = np.concatenate([made.records(step) for step in range(100)])
    expected = (sizes / 10_000) ** (1 / temperature)
    expected = expected / expected.sum() * 10_000
    counts = np.bincount(groups[drawn], minlength=3)
    assert np.abs(counts - expected).max() <= 3  # rounded up, then cut to an epoch
    # Small groups repeat evenly: no record twice more often than another.
    for group in range(3):
        times = Counter(drawn[groups[drawn] == group].tolist())
        if counts[group] >= sizes[group]:
            assert set(times.values()) <= {
                max(times.values()),
                max(times.values()) - 1,
                max(times.values()) - 2,
            }


def test_too_small_a_corpus_is_told():
    with pytest.raises(UserError, match=r"7 records, less than one batch of 8"):
        plan(n=7)


def padded_by_hand(lengths, parts):
    return sum(max(lengths[i] for i in part) * len(part) for part in parts)


@given(st.lists(st.integers(1, 60), min_size=1, max_size=40), st.integers(1, 6))
def test_chunks_hold_every_row_once_and_waste_is_what_padding_each_to_its_longest_costs(lengths, chunks):
    parts = cut_by_length(np.array(lengths), chunks)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(lengths)))
    assert len(parts) == min(chunks, len(lengths))
    assert padded_size(np.array(lengths), parts) == padded_by_hand(lengths, parts)


@given(st.lists(st.integers(1, 60), min_size=1, max_size=80), st.integers(0, 300))
def test_the_cheapest_chunks(lengths, cost):
    parts = split_by_length(np.array(lengths), cost)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(lengths)))
    ways = [cut_by_length(np.array(lengths), chunks) for chunks in CHUNKS if chunks <= len(lengths)]
    assert padded_by_hand(lengths, parts) + cost * len(parts) == min(
        padded_by_hand(lengths, way) + cost * len(way) for way in ways
    )


def test_batches_of_similar_length_within_a_budget():
    assert list(batches_by_length([3, 5, 2, 5, 1], 10)) == [[1, 3], [0, 2, 4]]
    assert list(batches_by_length([3, 5, 2, 5, 1], 4)) == [[1], [3], [0], [2, 4]]
    assert list(batches_by_length([])) == []


def test_windows_and_chunks_keep_padding_below_5_percent():
    # Two sides whose lengths go together but are not equal, batches of 128 as in PPA.
    rng = np.random.default_rng(1)
    first = lengths_like_text(12_800, seed=2)
    second = np.maximum(3, (first * rng.normal(1.1, 0.15, len(first))).astype(np.int64))
    made = BatchPlan(first + second, np.zeros(len(first), np.int64), batch=128, seed=0)

    def waste(cost: int, view: np.ndarray, batches: BatchPlan = made) -> float:
        rows = [view[batches.records(step)] for step in range(100)]
        return 1 - view.sum() / sum(padded_size(row, split_by_length(row, cost)) for row in rows)

    for view in (first + second + 3, first + 2, second + 2):
        assert waste(0, view) < waste(256, view) < waste(1 << 20, view)
        assert waste(0, view) < 0.05
    shuffled = BatchPlan(first + second, np.zeros(len(first), np.int64), batch=128, seed=0, window=1)
    assert waste(1 << 20, first + second, shuffled) > 0.3  # what sorting saves


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_rounds_count_how_often_a_record_came_before_in_its_epoch(temperature):
    groups = np.repeat([0, 1], [900, 60])
    made = BatchPlan(lengths_like_text(960), groups, batch=8, seed=1, temperature=temperature)
    for epoch in (0, 1):
        steps = range(epoch * made.steps_per_epoch, (epoch + 1) * made.steps_per_epoch)
        seen: Counter[int] = Counter()
        for step in steps:
            for record, round_ in zip(made.records(step).tolist(), made.rounds(step).tolist(), strict=True):
                assert round_ == seen[record]
                seen[record] += 1
        assert (max(seen.values()) > 1) == (temperature > 1)


@pytest.mark.parametrize("window", [10, 30])
def test_the_batches_of_a_window_are_in_no_order_of_length(window):
    """Only the records of a batch are sorted: a curriculum from short to long would be another method."""
    made = plan(n=4800, batch=8, window=window)
    means = np.array([made.lengths[made.records(step)].mean() for step in range(made.steps_per_epoch)])
    orders = []
    for start in range(0, len(means), window):
        part = means[start : start + window]
        assert len(set(part.tolist())) == window
        orders.append(tuple(np.argsort(part).tolist()))
        assert abs(np.corrcoef(np.arange(window), part)[0, 1]) < 0.9
    rising = np.mean([np.corrcoef(np.arange(window), np.array(order))[0, 1] for order in orders])
    assert abs(rising) < 0.2
    assert len(set(orders)) == len(orders)  # each window has its own order
    second = [made.lengths[made.records(step + len(means))].mean() for step in range(window)]
    assert tuple(np.argsort(second).tolist()) not in orders
