"""Rows packed with sentences: which sentences are in which row, and what the row looks like."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paralign.batches.batching import PackedPlan
from paralign.batches.packing import PackedBatch
from paralign.batches.views import ViewsConfig
from paralign.errors import UserError

SPECIAL_PIECES = (1, 1)


def plan(lengths, groups, **given):
    return PackedPlan(
        lengths, groups, **{"batch": 4, "seed": 3, "row": 40, "special_pieces": SPECIAL_PIECES, "window": 2} | given
    )


def text(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(1, 30, n), rng.integers(0, 3, n)


def epoch_of(made: PackedPlan, epoch: int = 0) -> tuple[list[list[int]], list[list[int]]]:
    """Sentences and rounds of all rows of an epoch."""
    rows, again = [], []
    for step in range(epoch * made.steps_per_epoch, (epoch + 1) * made.steps_per_epoch):
        sentences, rounds, sizes = made.rows(step, np.arange(made.batch))
        assert len(sizes) == made.batch
        ends = np.cumsum(sizes)[:-1]
        rows += [part.tolist() for part in np.split(sentences, ends)]
        again += [part.tolist() for part in np.split(rounds, ends)]
    return rows, again


@settings(max_examples=30, deadline=None)
@given(st.integers(60, 400), st.integers(32, 90), st.sampled_from([1.0, 2.0, 5.0]), st.integers(0, 5))
def test_rows_are_of_one_language_fit_and_hold_a_sentence_once_a_round(n, row, temperature, seed):
    lengths, groups = text(n, seed)
    made = plan(lengths, groups, row=row, temperature=temperature, seed=seed)
    rows, rounds = epoch_of(made)
    assert all(len({groups[s] for s in one}) == 1 for one in rows)
    assert max(SPECIAL_PIECES[0] + sum(lengths[s] + SPECIAL_PIECES[1] for s in one) for one in rows) <= row
    pairs = [pair for one, again in zip(rows, rounds, strict=True) for pair in zip(one, again, strict=True)]
    # A row may come twice in a tiny corpus; otherwise no sentence does in the same round.
    if len({tuple(one) + tuple(again) for one, again in zip(rows, rounds, strict=True)}) == len(rows):
        assert len(set(pairs)) == len(pairs)
    if temperature == 1.0:
        assert not any(again for one in rounds for again in one)


def test_an_epoch_is_nearly_all_of_the_text_and_epochs_differ():
    lengths, groups = text(4000)
    made = plan(lengths, groups, row=128)
    epochs = [epoch_of(made, epoch)[0] for epoch in range(3)]
    for rows in epochs:
        seen = [s for row in rows for s in row]
        assert len(set(seen)) == len(seen) > 0.9 * 4000
    assert epochs[0] != epochs[1]
    # What is left out differs from epoch to epoch.
    assert len(set().union(*({s for row in rows for s in row} for rows in epochs))) > 0.998 * 4000
    pieces = (lengths + 1).sum()
    assert made.steps_per_epoch == int(pieces / 127) // 4


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(-20, 90), min_size=1, max_size=6))
def test_a_batch_is_a_function_of_the_step_and_slices_make_it_up(steps):
    lengths, groups = text(300)
    one, other = plan(lengths, groups, temperature=2.0), plan(lengths, groups, temperature=2.0)
    every = np.arange(one.batch)
    wandering = [[part.tolist() for part in one.rows(step, every)] for step in steps]
    assert wandering[::-1] == [[part.tolist() for part in other.rows(step, every)] for step in steps[::-1]]
    whole, halves = one.rows(steps[0], every), [one.rows(steps[0], every[part::2]) for part in (0, 1)]
    cut = [np.split(s, np.cumsum(n)[:-1]) for s, _, n in (whole, *halves)]
    assert [row.tolist() for row in cut[0][0::2]] == [row.tolist() for row in cut[1]]
    assert [row.tolist() for row in cut[0][1::2]] == [row.tolist() for row in cut[2]]


def test_small_languages_are_drawn_by_tempered_shares():
    groups = np.repeat([0, 1, 2], [9000, 900, 100])
    made = plan(np.full(10_000, 9), groups, row=101, temperature=2.0, batch=10)
    drawn = np.bincount(groups[[s for row in epoch_of(made)[0] for s in row]], minlength=3) / 10_000
    expected = np.sqrt([0.9, 0.09, 0.01])
    assert np.allclose(drawn, expected / expected.sum(), atol=0.01)


def test_what_does_not_fit_is_told():
    with pytest.raises(UserError, match=r"39 pieces does not fit into a row of 40.*max_pieces=38"):
        plan(np.array([39] * 50), np.zeros(50, np.int64))
    with pytest.raises(UserError, match=r"fills 2 rows of 40 pieces, less than one batch of 4"):
        plan(np.array([9] * 10), np.zeros(10, np.int64))


class Lines:
    """Sentences of one side: piece ids, and every second piece continues a word."""

    sides = 1

    def __init__(self, lines):
        self.lines = lines

    def gather(self, records, sides):
        assert not sides.any()
        some = [self.lines[r] for r in records.tolist()]
        return np.concatenate(some), np.array([len(line) for line in some])

    def gather_word_positions(self, records, sides):
        _, lengths = self.gather(records, sides)
        return np.concatenate([np.arange(n) % 2 for n in lengths.tolist()]), lengths


def packed(encoder, config, *, keys=None, epoch=0):
    ordinary = encoder.template.ordinary
    lines = Lines([ordinary[start : start + 3 + start] for start in range(6)])
    sentences, sizes = np.array([4, 0, 2, 5, 3]), np.array([2, 1, 2])
    batch = PackedBatch(
        lines,
        sentences,
        sentences if keys is None else keys,
        sizes,
        np.arange(3),
        template=encoder.template,
        config=config,
        seed=1,
        epoch=epoch,
    )
    return lines.lines, batch


@pytest.mark.parametrize("arch", ["bert:2x32", "roberta:2x32"])
def test_a_row_is_one_prefix_and_each_sentence_with_its_suffix(make_encoder, arch):
    encoder = make_encoder(arch)
    lines, batch = packed(encoder, ViewsConfig(mask_probability=1e-9))
    (cls,), (sep,) = encoder.template.single
    view = batch.view("text")
    expected = [[cls, *lines[4], sep, *lines[0], sep], [cls, *lines[2], sep], [cls, *lines[5], sep, *lines[3], sep]]
    assert view.ids.tolist() == [piece for row in expected for piece in row]
    assert view.lengths.tolist() == [len(row) for row in expected]
    assert view.special.tolist() == [piece in (cls, sep) for row in expected for piece in row]
    assert (batch.size, batch.positions.tolist(), view.rows.tolist()) == (3, [0, 1, 2], [0, 1, 2])
    assert batch.view("text") is view
    with pytest.raises(KeyError, match="joint"):
        batch.view("joint")


def test_masks_go_by_the_key_of_a_row(encoder):
    config = ViewsConfig(mask_probability=0.5)
    first, same, epoch, again = (
        packed(encoder, config, keys=keys, epoch=epoch)[1].view("text")
        for keys, epoch in ((None, 0), (None, 0), (None, 1), (np.array([4, 0, 2, 5, 3]) + 6, 0))
    )
    assert first.masked.tolist() == same.masked.tolist()
    assert first.masked.tolist() != epoch.masked.tolist()
    assert first.masked.tolist() != again.masked.tolist()


def test_whole_words_are_selected_whole_in_packed_rows(encoder):
    chosen = 0
    for epoch in range(20):
        lines, batch = packed(encoder, ViewsConfig(mask_probability=0.4, whole_words=True), epoch=epoch)
        view = batch.view("text")
        masked = np.zeros(len(view.ids), bool)
        masked[view.masked] = True
        assert not masked[view.special].any()
        for part in np.split(masked[~view.special], np.cumsum([len(lines[s]) for s in (4, 0, 2, 5)])):
            words = [part[k : k + 2] for k in range(0, len(part), 2)]
            assert all(word.all() or not word.any() for word in words)
            chosen += sum(len(word) == 2 and bool(word.all()) for word in words)
    assert chosen > 20
