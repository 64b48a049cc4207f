"""The order of a corpus in sections: that of one plan if there is one section; blocks, memory and coverage if not."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paralign.batches import sections
from paralign.batches.batching import BatchPlan
from paralign.batches.sections import BLOCKS, SectionPlan
from paralign.batches.views import ViewsConfig
from paralign.corpus.store import TokenStore
from paralign.errors import UserError
from paralign.training import CorpusBatches, TrainingConfig
from tests.batches.test_batching import lengths_like_text


class Corpus:
    """Lengths and groups, and the ranges that were read."""

    def __init__(self, records: int) -> None:
        self.lengths, self.groups = lengths_like_text(records), np.arange(records) % 7 // 5
        self.read: list[tuple[int, int]] = []

    def __call__(self, start: int, stop: int) -> Any:
        self.read.append((start, stop))
        return self.lengths[start:stop], self.groups[start:stop]


def plan(corpus: Corpus, shuffle: int, **options: Any) -> SectionPlan:
    options = {"batch": 8, "seed": 5, "window": 4, "temperature": 1.0, **options}
    return SectionPlan(len(corpus.lengths), corpus, shuffle=shuffle, **options)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_one_section_equals_one_plan(temperature):
    corpus = Corpus(500)
    made = plan(corpus, shuffle=500, temperature=temperature)
    one = BatchPlan(corpus.lengths, corpus.groups, batch=8, seed=5, window=4, temperature=temperature)
    assert made.steps_per_epoch == one.steps_per_epoch
    for step in (0, 3, 61, 62, 200, -4):
        np.testing.assert_array_equal(made.records(step), one.records(step))
        np.testing.assert_array_equal(made.rounds(step), one.rounds(step))


@pytest.mark.parametrize(("records", "shuffle"), [(4000, 1000), (4001, 1000), (5000, 1300), (1001, 1000)])
def test_every_record_comes_at_most_once_an_epoch(records, shuffle):
    made = plan(Corpus(records), shuffle)
    count = -(-records // shuffle)
    left = []
    for epoch in range(3):
        steps = range(epoch * made.steps_per_epoch, (epoch + 1) * made.steps_per_epoch)
        order = np.concatenate([made.records(step) for step in steps])
        assert len(np.unique(order)) == len(order) == made.steps_per_epoch * 8
        assert order.min() >= 0
        assert order.max() < records
        assert records - len(order) < count * (8 + BLOCKS)
        left.append(frozenset(range(records)) - {*order.tolist()})
    assert len(set(left)) == 3


def test_a_section_consists_of_random_blocks_of_consecutive_records():
    corpus = Corpus(64_000)
    made = plan(corpus, 16_000, batch=10)
    sections_of_epochs = []
    for epoch in range(2):
        for section in range(4):
            corpus.read.clear()
            first = epoch * 6400 + section * 1600
            order = np.concatenate([made.records(step) for step in range(first, first + 1600)])
            assert {stop - start for start, stop in corpus.read} == {250}
            assert len(corpus.read) == 64
            expected = np.concatenate([np.arange(*block) for block in corpus.read])
            assert sorted(order.tolist()) == expected.tolist()
            sections_of_epochs.append(frozenset(corpus.read))
    assert len(set(sections_of_epochs)) == 8
    assert len(frozenset.union(*sections_of_epochs[:4])) == len(frozenset.union(*sections_of_epochs[4:])) == 256


@given(steps=st.lists(st.integers(-300, 1500), min_size=1, max_size=8), temperature=st.sampled_from([1.0, 3.0]))
def test_a_batch_is_a_function_of_the_step_whatever_was_asked_before(steps, temperature):
    one, other = (plan(Corpus(4000), 1000, temperature=temperature) for _ in range(2))
    wandering = [(one.records(step).tolist(), one.rounds(step).tolist()) for step in steps]
    assert wandering[::-1] == [(other.records(step).tolist(), other.rounds(step).tolist()) for step in steps[::-1]]


def test_repeated_records_are_numbered():
    made = plan(Corpus(4000), 1000, temperature=5.0)
    seen = Counter[int]()
    for step in range(made.steps_per_epoch):
        for record, number in zip(made.records(step).tolist(), made.rounds(step).tolist(), strict=True):
            assert number == seen[record]
            seen[record] += 1
    assert max(seen.values()) > 1


def test_groups_are_sampled_by_temperature_within_a_section():
    corpus = Corpus(40_000)
    made = plan(corpus, 10_000, temperature=1e9, batch=100)
    records = np.concatenate([made.records(step) for step in range(made.steps_per_epoch)])
    assert corpus.groups.mean() == pytest.approx(2 / 7, abs=0.01)
    assert corpus.groups[records].mean() == pytest.approx(1 / 2, abs=0.02)


def test_a_batch_has_records_of_similar_length():
    corpus = Corpus(4000)
    made = plan(corpus, 1000, window=25)
    spreads = [np.ptp(corpus.lengths[made.records(step)]) for step in range(made.steps_per_epoch)]
    assert np.median(spreads) < 0.1 * np.ptp(corpus.lengths)


def test_sections_smaller_than_a_batch_are_refused():
    with pytest.raises(UserError, match=r"raise training\.shuffle"):
        plan(Corpus(4000), 100, batch=128)
    with pytest.raises(UserError, match="less than one batch"):
        plan(Corpus(7), 100)


def test_sections_of_a_store_have_the_right_lengths(store: TokenStore, encoder, monkeypatch):
    monkeypatch.setattr(sections, "BLOCKS", 4)
    config = TrainingConfig(batch=8, shuffle=60, window=3, temperature=2.0)
    made = CorpusBatches(store, encoder.template, ViewsConfig(), config, longest=encoder.max_pieces)
    assert made.steps_per_epoch == 4 * (len(store) // 16 * 4 // 8)
    special = sum(map(len, encoder.template.pair))
    for step in range(made.steps_per_epoch):
        batch = made.batch(step)
        view = batch.view("pair")
        np.testing.assert_array_equal(view.lengths, store.lengths[batch.ids].sum(1) + special)
        for part in (0, 1):
            np.testing.assert_array_equal(made.batch(step, part, 2).ids, batch.ids[part::2])
