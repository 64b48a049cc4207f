"""What a masked place contains: translations, positions that restart, types by language."""

from collections import Counter

import numpy as np
import pytest

from paralign.batches.masking import PieceTranslations, mask_view
from paralign.batches.rows import View
from paralign.batches.views import PairBatch, ViewsConfig
from paralign.corpus.build import build_store
from paralign.corpus.clean import FilterConfig
from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.languages.dictionary import Dictionary
from paralign.sources.specs import parse_pairs


@pytest.fixture(scope="module")
def twins(make_encoder):
    return make_encoder(twins=True).eval()


@pytest.fixture(scope="module")
def pairs(twins, tmp_path_factory):
    return build_store(
        [parse_pairs("en-en~trans+inv=smallworld:0-120")], twins.text_tokenizer, tmp_path_factory.mktemp("s") / "p",
        filter=FilterConfig(min_pieces=2),
    )  # fmt: skip


def batch(encoder, store, translations=None, **config):
    rows = np.arange(len(store))
    return PairBatch(store, rows, rows, template=encoder.template, config=ViewsConfig(**config), seed=0, epoch=0,
                     translations=translations)  # fmt: skip


def every_second(encoder):
    """The twins of every second piece."""
    ids = encoder.template.ordinary[::2]
    names = [str(i) for i in range(encoder.twin_offset)]
    return Dictionary.from_twins(names, ids.tolist(), encoder.twin_offset)


@pytest.mark.parametrize("way", ["input", "predict"])
def test_half_of_the_selected_pieces_with_a_translation_are_bilingual(twins, pairs, way):
    entries = every_second(twins).single_piece_entries()
    known = PieceTranslations(entries, twins.template.vocabulary)
    made = batch(twins, pairs, known, translate=way)
    plain, view = made.view("text"), made.view("translated")
    twin_of = dict(entries.tolist()) | dict(entries[:, ::-1].tolist())
    has = np.array([label in twin_of for label in plain.labels.tolist()])
    changed = (view.ids != plain.ids)[view.masked] if way == "input" else view.labels != plain.labels
    assert (view.masked == plain.masked).all()
    assert not changed[~has].any()
    # Of those whose piece stayed or was drawn as its own twin nothing is seen for "input": few.
    assert changed[has].mean() == pytest.approx(0.5, abs=0.08)
    for before, after, where in zip(
        plain.labels[changed], view.labels[changed], view.ids[view.masked][changed], strict=True
    ):
        if way == "input":
            assert (before, where) == (after, twin_of[after])
        else:
            assert (after, where) == (twin_of[before], twins.template.mask_id)
    same = np.setdiff1d(np.arange(len(view.ids)), view.masked)
    assert (view.ids[same] == plain.ids[same]).all()


def test_words_stay_whole_where_linked_words_are_not_masked_together(encoder):
    """One of two linked words is dropped with all its pieces, and each of both in about half of the cases."""
    template, config = encoder.template, ViewsConfig(mask_probability=0.7)
    ids = template.ordinary[:6].copy()  # words of 3, 1 and 2 pieces; the first is linked with the last
    none = np.zeros(0, np.int64)
    row = View(ids, np.zeros(6, np.int64), np.array([6]), np.zeros(1, np.int64), np.zeros(6, bool), none, none)
    starts, links = np.array([0, 0, 0, 3, 4, 4]), (np.array([0, 2]), np.array([4, 5]))
    seen = Counter()
    for seed in range(400):
        view = mask_view(row, template, config, np.zeros(1, np.int64), seed, word_starts=starts, apart=links)
        masked = set(view.masked.tolist())
        first, last = masked & {0, 1, 2}, masked & {4, 5}
        assert len(first) in (0, 3)
        assert len(last) in (0, 2)
        assert not (first and last)
        seen[bool(first), bool(last)] += 1
    assert 0.7 < seen[True, False] / seen[False, True] < 1.4


def test_a_share_of_none_and_of_all(twins, pairs):
    known = PieceTranslations(every_second(twins).single_piece_entries(), twins.template.vocabulary)
    none = batch(twins, pairs, known, translate_share=0)
    assert (none.view("translated").ids == none.view("text").ids).all()
    every = batch(twins, pairs, known, translate_share=1, translate="predict")
    has = known.has(every.view("text").labels)
    assert ((every.view("translated").labels != every.view("text").labels) == has).all()
    with pytest.raises(UserError, match="needs a dictionary"):
        batch(twins, pairs).view("translated")


def test_translations_go_both_ways_and_are_drawn_from_all(twins):
    known = PieceTranslations(np.array([[5, 8], [5, 9], [6, 9]]), 12)
    assert known.has(np.arange(12)).tolist() == [k in (5, 6, 8, 9) for k in range(12)]
    drawn = known.sample(np.full(60, 9), np.arange(60, dtype=np.uint64))
    assert sorted(set(drawn.tolist())) == [5, 6]


def test_a_share_of_the_pairs_stands_side_by_side(twins, pairs):
    whole, some = batch(twins, pairs).view("joint"), batch(twins, pairs, joint_share=0.25).view("joint")
    assert 0.1 * len(pairs) < len(some.rows) < 0.4 * len(pairs)
    for k, row in enumerate(some.rows):
        a, b = (v.ids[v.starts[r] : v.starts[r] + v.lengths[r]] for v, r in ((some, k), (whole, row)))
        assert (a == b).all()


def test_positions_restart_and_types_are_languages(twins, pairs):
    made = batch(twins, pairs, restart_positions=True, language_types=True)
    view = made.view("joint")
    size, template = twins.twin_offset, twins.template
    assert template.special_ids == (0, 1, 2, 3, 4)
    swapped = set()
    for row, (start, length) in enumerate(zip(view.starts, view.lengths, strict=True)):
        where = slice(start, start + length)
        places, kinds = view.positions[where], view.types[where]
        again = int(np.flatnonzero(places == 0)[1])
        assert places.tolist() == [*range(again), *range(length - again)]
        assert (kinds[:again] == kinds[0]).all()
        assert (kinds[again:] == 1 - kinds[0]).all()
        side = slice(start + 1, start + again - 1)
        own = view.ids[side][view.ids[side] >= len(template.special_ids)]
        assert ((own >= size) == kinds[0]).all()
        swapped.add(int(kinds[0]))
        assert made.swapped[row] == kinds[0]
    assert swapped == {0, 1}


def test_the_encoder_reads_positions(twins, pairs):
    plain, restarted = (batch(twins, pairs, restart_positions=r).view("joint") for r in (False, True))
    assert plain.positions is None
    a, b = twins.encode(plain).flat, twins.encode(restarted).flat
    assert not np.allclose(a.detach(), b.detach(), atol=1e-4)
    from dataclasses import replace

    counted = replace(plain, positions=np.arange(len(plain.ids)) - np.repeat(plain.starts, plain.lengths))
    assert np.allclose(twins.encode(counted).flat.detach(), a.detach(), atol=1e-6)


def test_positions_of_roberta_begin_behind_its_padding(sentences, make_encoder):
    from paralign.encoder import train_tokenizer

    made = Encoder.from_scratch("roberta:1x32", train_tokenizer(sentences, kind="bpe", size=400, family="roberta"),
                                max_length=140, dropout=0.0).eval()  # fmt: skip
    from dataclasses import replace

    from paralign.encoder.sentences import sentence_view

    view = sentence_view(made, [ids for ids, _ in made.tokenize(["The dog sleeps.", "A cat."], None)], None)
    counted = replace(view, positions=np.arange(len(view.ids)) - np.repeat(view.starts, view.lengths))
    assert np.allclose(made.encode(view).flat.detach(), made.encode(counted).flat.detach(), atol=1e-6)


def test_languages_as_types_need_two_and_an_encoder_with_types(encoder, store, twins, pairs):
    with pytest.raises(UserError, match="3 languages"):
        batch(encoder, store, language_types=True).view("joint")
    from dataclasses import replace

    flat = PairBatch(pairs, np.arange(4), np.arange(4), seed=0, epoch=0, config=ViewsConfig(language_types=True),
                     template=replace(twins.template, pair_types=(0, 0, 0, 0, 0)))  # fmt: skip
    with pytest.raises(UserError, match="without token types"):
        flat.view("joint")
