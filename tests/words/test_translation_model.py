"""The translation model against a slow oracle and worked examples."""

import errno
import math
import os
import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from paralign.errors import UserError
from paralign.words import alignment_cells
from paralign.words.alignment_cells import AlignmentCells
from paralign.words.bitext import Bitext
from paralign.words.decoding import decode
from paralign.words.ibm import IbmConfig
from paralign.words.jump_prior import JumpPrior
from paralign.words.translation_model import train
from tests.oracles import word_counts

HOUSE = [(["the", "house"], ["das", "Haus"]), (["the", "book"], ["das", "Buch"])]


def train_on(pairs, **config):
    bitext = Bitext.from_pairs(pairs)
    cells = AlignmentCells(bitext)
    return bitext, cells, train(cells, IbmConfig(**config))


def tables(bitext, cells, model):
    """Return {(given word, word): probability} of both directions."""
    source = cells.source_of(0, cells.distinct).tolist()
    owners, words = bitext.source.vocabulary, bitext.target.vocabulary
    pairs = [(owners[a], words[b]) for a, b in zip(source, cells.target.tolist(), strict=True)]
    forward, backward = (table[:-1].tolist() for table in model.lexical)
    return dict(zip(pairs, forward, strict=True)), {(b, a): p for (a, b), p in zip(pairs, backward, strict=True)}


@st.composite
def bitexts(draw, longest=5):
    sides = [st.lists(st.sampled_from(some), max_size=longest) for some in ("abcd", "wxyz")]
    return draw(st.lists(st.tuples(*sides), min_size=1, max_size=6).filter(lambda rows: any(a and b for a, b in rows)))


def test_two_sentences_by_hand():
    """Model 1 (no tension, none without a counterpart) after two passes: t(das | the) = 3/5, t(Haus | house) = 4/7."""
    forward, backward = tables(*train_on(HOUSE, iterations=2, agreement=False, alpha=0, null=1e-12, tension=1e-12))
    assert forward["the", "das"] == pytest.approx(3 / 5, rel=1e-5)
    assert forward["the", "Haus"] == pytest.approx(1 / 5, rel=1e-5)
    assert forward["house", "Haus"] == pytest.approx(4 / 7, rel=1e-5)
    assert forward["book", "das"] == pytest.approx(3 / 7, rel=1e-5)
    assert backward["das", "the"] == pytest.approx(3 / 5, rel=1e-5)


def test_the_directions_agree_by_hand():
    """Model 1: in the second pass the-Haus is counted 1/3 · 1/2, house-Haus 2/3 · 2/3..., the products of both ways."""
    forward, _ = tables(*train_on(HOUSE, iterations=2, agreement=True, alpha=0, null=1e-12, tension=1e-12))
    # t(Haus | the) = 1/4, t(Haus | house) = 1/2: Haus comes from the by 1/3; the comes from Haus by (1/4)/(1/4 + 1/2)
    # turned round: t(the | Haus) = 1/2 beside t(the | das) = 1/2, so by 1/2.
    the_haus, the_das, house_haus, house_das = 1 / 3 * 1 / 2, 1 / 2 * 1 / 2, 2 / 3 * 2 / 3, 1 / 2 * 1 / 3
    total = 2 * the_das + 2 * the_haus
    assert forward["the", "das"] == pytest.approx(2 * the_das / total, rel=1e-5)
    assert forward["house", "Haus"] == pytest.approx(house_haus / (house_haus + house_das), rel=1e-5)


@pytest.mark.parametrize("agreement", [False, True])
@pytest.mark.parametrize("alpha", [0.0, 0.01, 0.1])
@settings(max_examples=20, deadline=None)
@given(bitexts())
def test_model_2_equals_the_oracle(agreement, alpha, pairs):
    config = {"iterations": 3, "hmm": 0, "agreement": agreement, "alpha": alpha, "null": 0.08, "tension": 4.0}
    wanted, nones, places = word_counts.train(pairs, **config)
    bitext, cells, model = train_on(pairs, **config)
    for found, right in zip(tables(bitext, cells, model), wanted, strict=True):
        assert found == pytest.approx(right, rel=2e-3, abs=1e-6)
    assert [p.tension for p in model.priors] == pytest.approx([p.tension for p in places], rel=1e-3)
    assert [p.null for p in model.priors] == pytest.approx([p.null for p in places], rel=1e-3)
    for way, words in ((0, bitext.target.vocabulary), (1, bitext.source.vocabulary)):
        seen = {w for pair in pairs if pair[0] and pair[1] for w in pair[1 - way]}
        found = {w: p for w, p in zip(words, model.null[way].tolist(), strict=False) if w in seen}
        assert found == pytest.approx({w: nones[way][w] for w in seen}, rel=2e-3, abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(bitexts(longest=3), st.booleans())
def test_the_hidden_markov_model_equals_the_oracle(pairs, agreement):
    config = {"iterations": 1, "hmm": 2, "agreement": agreement, "alpha": 0.1, "null": 0.08, "tension": 4.0}
    wanted, _, places = word_counts.train(pairs, **config)
    bitext, cells, model = train_on(pairs, **config)
    for found, right in zip(tables(bitext, cells, model), wanted, strict=True):
        assert found == pytest.approx(right, rel=2e-3, abs=1e-6)
    for found, right in zip(model.priors, places, strict=True):
        assert found.weights.tolist() == pytest.approx(list(right.weights.values()), rel=1e-3)
        assert found.null == pytest.approx(right.null, rel=1e-3)


def test_long_jumps_have_the_probability_of_the_longest():
    emission = torch.rand(2, 9, 4, generator=torch.Generator().manual_seed(1)) + 0.1
    none = torch.full((2, 4), 0.05)
    ours, slow = JumpPrior(null=0.2, max_jump=2), word_counts.Jumps(0.2, farthest=2)
    found, rest = ours.posteriors(emission, none, None)
    for k in range(2):
        right, right_rest = slow.posteriors(emission[k].tolist(), none[k].tolist())
        assert np.allclose(found[k], right, atol=1e-5)
        assert np.allclose(rest[k], right_rest, atol=1e-5)


def random_pairs(count, seed=0, longest=14):
    draw = random.Random(seed)
    return [
        (
            [f"s{min(draw.randrange(40), draw.randrange(40))}" for _ in range(draw.randrange(longest))],
            [f"t{min(draw.randrange(30), draw.randrange(30))}" for _ in range(draw.randrange(longest))],
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize("sorted_at_once", [1, 50, 1 << 18])
def test_every_cell_has_the_right_word_pair_and_is_in_one_block(monkeypatch, sorted_at_once):
    monkeypatch.setattr(alignment_cells, "_SORT_CELLS", sorted_at_once)
    monkeypatch.setattr(alignment_cells, "_MIN_BLOCK_PAIRS", 3)
    monkeypatch.setattr(alignment_cells, "_BLOCK_CELLS", 200)
    pairs = random_pairs(150)
    bitext = Bitext.from_pairs(pairs)
    cells = AlignmentCells(bitext)
    known = list(zip(cells.source_of(0, cells.distinct).tolist(), cells.target.tolist(), strict=True))
    assert known == sorted(set(known))
    seen, kinds = set(), set()
    for block in cells:
        kinds.add(block.sizes is None)
        for k, row in enumerate(block.rows.tolist()):
            source, target = pairs[row]
            assert row not in seen
            seen.add(row)
            for i in range(block.ids.shape[1]):
                for j in range(block.ids.shape[2]):
                    at = int(block.ids[k, i, j])
                    if i >= len(source) or j >= len(target):
                        assert at == cells.distinct
                        continue
                    a, b = known[at]
                    assert (bitext.source.vocabulary[a], bitext.target.vocabulary[b]) == (source[i], target[j])
                    assert int(block.source[k, i]) == a
                    assert int(block.target[k, j]) == b
    assert seen == {row for row, (a, b) in enumerate(pairs) if a and b}
    assert kinds == {True, False}


@pytest.mark.parametrize("config", [{"iterations": 3}, {"iterations": 2, "hmm": 2}])
def test_results_do_not_depend_on_the_blocks(monkeypatch, config):
    pairs = random_pairs(200, seed=4)
    found = []
    for alike, block in ((2, 1 << 18), (10**9, 1 << 18), (1, 40)):
        monkeypatch.setattr(alignment_cells, "_MIN_BLOCK_PAIRS", alike)
        monkeypatch.setattr(alignment_cells, "_BLOCK_CELLS", block)
        bitext, cells, model = train_on(pairs, **config)
        found.append((torch.stack(model.lexical), list(decode(model, cells, bitext).links())))
    for words, links in found[1:]:
        assert torch.allclose(words, found[0][0], rtol=1e-3, atol=1e-6)
        assert sum(a != b for a, b in zip(links, found[0][1], strict=True)) <= 1


@pytest.mark.parametrize("config", [{"iterations": 3}, {"iterations": 2, "hmm": 2}])
def test_large_blocks_of_an_accelerator_give_the_same_result(monkeypatch, config):
    pairs = random_pairs(3_000, seed=5)
    bitext, cells, model = train_on(pairs, **config)
    blocks = len(list(cells))
    expected = torch.stack(model.lexical), list(decode(model, cells, bitext).links())
    plan = AlignmentCells._plan_blocks
    monkeypatch.setattr(AlignmentCells, "_plan_blocks", lambda self, large: plan(self, large=True))
    bitext, cells, model = train_on(pairs, **config)
    assert len(list(cells)) == 1 < blocks / 50
    assert all(block.sizes is not None for block in cells)
    assert sorted(row for block in cells for row in block.rows.tolist()) == [
        row for row, (a, b) in enumerate(pairs) if a and b
    ]
    assert torch.allclose(torch.stack(model.lexical), expected[0], rtol=1e-3, atol=1e-6)
    assert sum(a != b for a, b in zip(decode(model, cells, bitext).links(), expected[1], strict=True)) <= 3  # ties


@pytest.mark.parametrize("config", [{"iterations": 2}, {"iterations": 1, "hmm": 2}])
def test_a_block_of_very_different_lengths_has_finite_parameters(config):
    draw = random.Random(1)
    sizes = [(1, 1), (2, 60), (60, 2), (1, 60), (3, 1)]
    pairs = [
        ([f"s{draw.randrange(9)}" for _ in range(m)], [f"t{draw.randrange(9)}" for _ in range(n)]) for m, n in sizes
    ]
    bitext, cells, model = train_on(pairs * 3, **config, tension=14.0)
    for table in (*model.lexical, *model.null):
        assert torch.isfinite(table).all()
    assert sum(map(len, decode(model, cells, bitext).links())) > 0
    wanted, _, _ = word_counts.train(pairs * 3, iterations=2, hmm=0, agreement=True, alpha=0.1, null=0.08, tension=14.0)
    if "hmm" not in config:
        for found, right in zip(tables(bitext, cells, model), wanted, strict=True):
            assert found == pytest.approx(right, rel=5e-3, abs=1e-6)


def test_links_are_the_most_probable_words_of_each_direction():
    pairs = random_pairs(60, seed=7)
    bitext, cells, model = train_on(pairs, iterations=3)
    union, intersect = (list(decode(model, cells, bitext, method).links()) for method in ("union", "intersect"))
    for block in cells:
        found = model.posteriors(block, count=False)
        for k, row in enumerate(block.rows.tolist()):
            m, n = len(pairs[row][0]), len(pairs[row][1])
            forward = {
                (int(found.forward[k, :m, j].argmax()), j)
                for j in range(n)
                if found.forward[k, :m, j].max() > found.forward_null[k, j]
            }
            backward = {
                (i, int(found.backward[k, i, :n].argmax()))
                for i in range(m)
                if found.backward[k, i, :n].max() > found.backward_null[k, i]
            }
            assert set(union[row]) == forward | backward
            assert set(intersect[row]) == forward & backward


def test_training_is_deterministic_and_ids_are_sorted_by_frequency():
    pairs = random_pairs(100, seed=2)
    first, second = (train_on(pairs, iterations=2, hmm=2)[2] for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first.lexical, second.lexical, strict=True))
    bitext = Bitext.from_pairs([(["B", "b", "a"], []), (["b"], ["x"])], lowercase=True)
    assert bitext.source.vocabulary == ["b", "a"]
    assert bitext.source.ids.tolist() == [0, 0, 1, 0]
    assert bitext.source.lengths.tolist() == [3, 1]
    assert bitext.target.lengths.tolist() == [0, 1]


def test_ids_in_a_file_are_the_same_and_a_full_disk_is_an_error(monkeypatch):
    pairs = random_pairs(100, seed=2)
    here = train_on(pairs, iterations=2)[2]
    monkeypatch.setattr(alignment_cells, "_MEMORY_CELLS", 0)
    there = train_on(pairs, iterations=2)[2]
    assert all(torch.equal(a, b) for a, b in zip(here.lexical, there.lexical, strict=True))

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(UserError, match=r"No space left.*TMPDIR"):
        train_on(pairs, iterations=2)


def test_long_lines_are_cut_along_the_diagonal_and_linked():
    words = [f"w{k}" for k in range(1000)]
    short = [([word], [word.upper()]) for word in words] * 2
    bitext = Bitext.from_pairs([*short, (words, [word.upper() for word in words]), (words, ["W3"]), ([], words)])
    assert bitext.source.lengths.max() <= 400
    cells = AlignmentCells(bitext)
    links = list(decode(train(cells, IbmConfig(iterations=2)), cells, bitext).links())
    assert links[2000] == [(k, k) for k in range(1000)]
    assert len(links) == 2003
    assert links[2002] == []


def test_posteriors_of_links_are_geometric_means():
    pairs = random_pairs(80, seed=9)
    bitext, cells, model = train_on(pairs, iterations=3)
    links = decode(model, cells, bitext, "union", posteriors=True).links()
    for block in cells:
        found = model.posteriors(block, count=False)
        for k, row in enumerate(block.rows.tolist()):
            begin = int(links.starts[row])
            for at, (i, j) in enumerate(list(links)[row]):
                value = math.sqrt(float(found.forward[k, i, j]) * float(found.backward[k, i, j]))
                assert links.posterior[begin + at] == pytest.approx(value, abs=1e-5)
