"""Views of a batch against rows built one at a time by the tokenizer itself."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paralign.batches.rows import row_hashes
from paralign.batches.views import PairBatch, ViewsConfig
from paralign.errors import UserError
from paralign.text.words import piece_words, word_spans

PLAIN = ViewsConfig(mask_probability=1e-9)  # nothing is selected: the rows as they are
ROWS = np.array([3, 170, 41, 0, 199])


def batch_of(store, encoder, records=ROWS, *, config=PLAIN, seed=1, epoch=0):
    return PairBatch(
        store,
        np.asarray(records),
        np.arange(len(records)),
        template=encoder.template,
        config=config,
        seed=seed,
        epoch=epoch,
    )


def rows_of(view, values=None):
    return [row.tolist() for row in np.split(view.ids if values is None else values, np.cumsum(view.lengths)[:-1])]


@pytest.mark.parametrize("shuffle", [True, False])
def test_views_are_what_the_tokenizer_makes_of_each_row_alone(store, encoder, shuffle):
    config = PLAIN.model_copy(update={"shuffle": shuffle})
    batch = batch_of(store, encoder, config=config)
    assert shuffle or not batch.swapped.any()
    sides = [(store.text(r, int(s)), store.text(r, 1 - int(s))) for r, s in zip(ROWS, batch.swapped, strict=True)]
    tokenizer = encoder.tokenizer

    pairs = [tokenizer(a, b, return_token_type_ids=True, return_special_tokens_mask=True) for a, b in sides]
    joint = batch.view("joint")
    assert rows_of(joint) == [pair["input_ids"] for pair in pairs]
    assert rows_of(joint, joint.types) == [pair["token_type_ids"] for pair in pairs]
    template_pieces = [
        [int(i in (tokenizer.cls_token_id, tokenizer.sep_token_id)) for i in p["input_ids"]] for p in pairs
    ]
    assert rows_of(joint, joint.special.astype(int)) == template_pieces

    assert rows_of(batch.view("first")) == [tokenizer(a)["input_ids"] for a, _ in sides]
    assert rows_of(batch.view("second")) == [tokenizer(b)["input_ids"] for _, b in sides]
    text = batch.view("text")
    assert rows_of(text) == [tokenizer(store.text(r, s))["input_ids"] for r in ROWS for s in (0, 1)]
    assert text.rows.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert [view.ids[view.starts].tolist() for view in (joint, text)] == [[tokenizer.cls_token_id] * n for n in (5, 10)]


def test_a_view_is_made_once_and_an_unknown_one_refused(store, encoder):
    batch = batch_of(store, encoder, config=ViewsConfig())
    assert batch.view("joint") is batch.view("joint")
    with pytest.raises(KeyError, match="example"):
        batch.view("example")


def test_coins_are_fair_and_flipped_anew_each_epoch(store, encoder):
    coins = np.array([batch_of(store, encoder, np.arange(200), epoch=epoch).swapped for epoch in range(50)])
    sigma = 0.5 / coins.size**0.5
    assert abs(coins.mean() - 0.5) < 5 * sigma
    assert 0.4 < np.abs(np.diff(coins, axis=0)).mean() < 0.6  # half of the coins change
    assert (np.abs(coins.mean(0) - 0.5) < 5 * 0.5 / 50**0.5).all()  # for every pair


def masks(store, encoder, name, config, epochs=60):
    """Every view of some epochs, masked and (by the same records) unmasked."""
    everything = np.arange(200)
    for epoch in range(epochs):
        batch = batch_of(store, encoder, everything, config=config, epoch=epoch)
        plain = batch_of(store, encoder, everything, config=PLAIN, epoch=epoch)
        yield batch.view(name), plain.view(name)


@pytest.mark.parametrize("name", ["joint", "text"])
def test_masking_shares_are_15_and_80_10_10(store, encoder, name):
    special = np.array(encoder.template.special_ids)
    pieces = selected = masked = kept = swapped = 0
    replacements = []
    for view, plain in masks(store, encoder, name, ViewsConfig()):
        assert not view.special[view.masked].any()
        assert np.array_equal(view.labels, plain.ids[view.masked])
        untouched = np.setdiff1d(np.arange(len(view.ids)), view.masked)
        assert np.array_equal(view.ids[untouched], plain.ids[untouched])
        now = view.ids[view.masked]
        hidden = now == encoder.template.mask_id
        other = ~hidden & (now != view.labels)
        replacements.append(now[other])
        pieces += int((~view.special).sum())
        selected += len(now)
        masked += int(hidden.sum())
        swapped += int(other.sum())
        kept += int((now == view.labels).sum())
    ordinary = len(encoder.template.ordinary)

    def near(count, total, share):
        return abs(count - share * total) < 5 * (total * share * (1 - share)) ** 0.5

    assert near(selected, pieces, 0.15)
    assert near(masked, selected, 0.8)
    # A random piece is the old one once in as many draws as there are pieces.
    assert near(swapped, selected, 0.1 * (1 - 1 / ordinary))
    assert near(kept, selected, 0.1 * (1 + 1 / ordinary))
    drawn = np.concatenate(replacements)
    assert not np.isin(drawn, special).any()
    assert len(np.unique(drawn)) > 0.9 * min(ordinary, len(drawn) / 10)  # from the whole vocabulary


@pytest.mark.parametrize(("mask", "random"), [(1.0, 0.0), (0.0, 1.0), (0.0, 0.0)])
def test_shares_are_settings(store, encoder, mask, random):
    config = ViewsConfig(mask_share=mask, random_share=random)
    for view, _ in masks(store, encoder, "joint", config, epochs=3):
        now = view.ids[view.masked]
        assert (now == encoder.template.mask_id).all() == (mask == 1)
        assert (now == view.labels).all() == (mask == random == 0)


def test_masks_are_drawn_anew_each_epoch_and_differ_between_views_and_seeds(store, encoder):
    def where(**place):
        batch = batch_of(store, encoder, np.arange(200), config=ViewsConfig(shuffle=False), **place)
        return batch.view("text").masked.tolist()

    assert where() == where()
    assert where() != where(epoch=1)
    assert where() != where(seed=2)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_masks_and_coins_do_not_depend_on_how_a_batch_is_cut(store, encoder, data):
    records = data.draw(st.permutations(list(range(200))).map(lambda p: p[:12]))
    cut = data.draw(st.integers(1, 11))
    epoch = data.draw(st.integers(-5, 5))
    name = data.draw(st.sampled_from(["joint", "text", "first", "second"]))
    whole, *parts = (
        batch_of(store, encoder, part, config=ViewsConfig(), epoch=epoch).view(name)
        for part in (records, records[:cut], records[cut:])
    )
    assert rows_of(whole) == [row for part in parts for row in rows_of(part)]
    assert whole.labels.tolist() == [label for part in parts for label in part.labels.tolist()]


@pytest.mark.parametrize("settings", [{"mask_share": 0.95}, {"mask_probability": 0.0}, {"random_share": -0.1}])
def test_impossible_shares_are_refused(settings):
    with pytest.raises(ValueError, match=r"mask_|random_"):
        ViewsConfig(**settings)


def test_plain_text_refuses_the_views_of_pairs(encoder):
    class OneSide:
        sides = 1

        def gather(self, records, sides):
            raise AssertionError("nothing is to be read")

    rows = np.arange(2)
    batch = PairBatch(OneSide(), rows, rows, template=encoder.template, config=ViewsConfig(), seed=0, epoch=0)
    for name in ("joint", "second"):
        with pytest.raises(UserError, match="no view"):
            batch.view(name)


def test_whole_words_are_selected_whole_and_as_often_as_pieces(store, encoder):
    config = ViewsConfig(mask_probability=0.3, whole_words=True)
    everything = np.arange(len(store))
    count = total = several = 0
    for name in ("joint", "text"):
        view = batch_of(store, encoder, everything, config=config).view(name)
        masked = np.zeros(len(view.ids), bool)
        masked[view.masked] = True
        assert not masked[view.special].any()
        count, total = count + masked.sum(), total + (~view.special).sum()
        plain = batch_of(store, encoder, everything, config=PLAIN).view(name)
        for ids, hit in zip(rows_of(plain), np.split(masked, np.cumsum(view.lengths)[:-1]), strict=True):
            pieces = encoder.tokenizer.convert_ids_to_tokens(ids)
            for place, piece in enumerate(pieces):
                if piece.startswith("##"):  # of the same word as the piece before, in text without hyphens
                    several += hit[place]
                    assert hit[place] == hit[place - 1]
    assert several > 20
    assert abs(count / total - 0.3) < 0.02


def test_the_place_of_a_piece_in_its_word(store):
    records, sides = np.array([3, 170, 41]), np.array([0, 1, 1])
    places, lengths = store.gather_word_positions(records, sides)
    expected = []
    for record, side in zip(records, sides, strict=True):
        words = piece_words(store.offsets(record, side), word_spans(store.text(record, side))).tolist()
        expected += [place - words.index(word) if word >= 0 else 0 for place, word in enumerate(words)]
    assert places.tolist() == expected
    assert lengths.tolist() == [store.lengths[r, s] for r, s in zip(records, sides, strict=True)]


def test_keys_decide_draws(store, encoder):
    config = ViewsConfig(mask_probability=0.5)
    views = [
        PairBatch(store, ROWS, np.arange(5), template=encoder.template, config=config, seed=1, epoch=0, keys=keys)
        .view("text").masked.tolist()
        for keys in (None, ROWS, ROWS + len(store))
    ]  # fmt: skip
    assert views[0] == views[1] != views[2]


def test_rows_have_equal_hashes_if_their_pieces_are_equal(store, encoder):
    records = np.array([3, 0, 1, 3, 2, 0])
    config = ViewsConfig(shuffle=False)
    batch = PairBatch(store, records, np.arange(6), template=encoder.template, config=config, seed=0, epoch=0)
    hashes = row_hashes(batch.view("first"))
    assert (hashes[:, None] == hashes).tolist() == (records[:, None] == records).tolist()
    turned = replace(batch.view("first"), ids=batch.view("first").ids[::-1], lengths=batch.view("first").lengths[::-1])
    assert not set(row_hashes(turned)) & set(hashes)
