"""IBM model 2 against a slow oracle and worked examples, and the cells that all statistical aligners share."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paralign.words.bitext import Bitext
from paralign.words.cells import AlignmentCells
from paralign.words.ibm_kernels import expected_distance
from paralign.words.ibm_model import train_ibm
from paralign.words.posteriors import IbmPosteriors
from tests.oracles import word_counts

HOUSE = [(["the", "house"], ["das", "Haus"]), (["the", "book"], ["das", "Buch"])]


def train_on(pairs, *, iterations=3, alpha=0.01, null=0.08, tension=4.0):
    bitext = Bitext.from_pairs(pairs)
    cells = AlignmentCells(bitext)
    models = tuple(
        train_ibm(cells, side, iterations=iterations, alpha=alpha, share=null, tension=tension)
        for side in cells.directions
    )
    return bitext, cells, models


def distinct_pairs(bitext, cells):
    sources = np.repeat(np.arange(len(cells.rows) - 1), np.diff(cells.rows)).tolist()
    owners, words = bitext.source.vocabulary, bitext.target.vocabulary
    return [(owners[a], words[b]) for a, b in zip(sources, cells.target.tolist(), strict=True)]


def tables(bitext, cells, models):
    """Return {(generating word, generated word): probability} of both directions."""
    pairs = distinct_pairs(bitext, cells)
    forward, backward = (model.lexical.tolist() for model in models)
    return dict(zip(pairs, forward, strict=True)), {(b, a): p for (a, b), p in zip(pairs, backward, strict=True)}


@st.composite
def bitexts(draw, longest=5):
    sides = [st.lists(st.sampled_from(some), max_size=longest) for some in ("abcd", "wxyz")]
    return draw(st.lists(st.tuples(*sides), min_size=1, max_size=6).filter(lambda rows: any(a and b for a, b in rows)))


def random_pairs(count, seed=0, longest=14):
    draw = random.Random(seed)
    return [
        (
            [f"s{min(draw.randrange(40), draw.randrange(40))}" for _ in range(draw.randrange(longest))],
            [f"t{min(draw.randrange(30), draw.randrange(30))}" for _ in range(draw.randrange(longest))],
        )
        for _ in range(count)
    ]


def test_two_sentences_by_hand():
    """Model 1 (no tension, no null) after two passes: t(das | the) = 3/5, t(Haus | house) = 4/7."""
    forward, backward = tables(*train_on(HOUSE, iterations=2, alpha=0, null=1e-12, tension=1e-12))
    assert forward["the", "das"] == pytest.approx(3 / 5, rel=1e-5)
    assert forward["the", "Haus"] == pytest.approx(1 / 5, rel=1e-5)
    assert forward["house", "Haus"] == pytest.approx(4 / 7, rel=1e-5)
    assert forward["book", "das"] == pytest.approx(3 / 7, rel=1e-5)
    assert backward["das", "the"] == pytest.approx(3 / 5, rel=1e-5)


@pytest.mark.parametrize("alpha", [0.0, 0.01, 0.1])
@settings(max_examples=30, deadline=None)
@given(bitexts())
def test_parameters_and_posteriors_equal_the_oracle(alpha, pairs):
    config = {"iterations": 3, "alpha": alpha, "null": 0.08, "tension": 4.0}
    wanted, nones, places, right = word_counts.train(pairs, **config)
    bitext, cells, models = train_on(pairs, **config)
    for found, expected in zip(tables(bitext, cells, models), wanted, strict=True):
        assert found == pytest.approx(expected, rel=2e-3, abs=1e-6)
    assert [model.tension for model in models] == pytest.approx([some.tension for some in places], rel=1e-3)
    for way, words in ((0, bitext.target.vocabulary), (1, bitext.source.vocabulary)):
        seen = {w for pair in pairs if pair[0] and pair[1] for w in pair[1 - way]}
        found = {w: p for w, p in zip(words, models[way].null.tolist(), strict=True) if w in seen}
        assert found == pytest.approx({w: nones[way][w] for w in seen}, rel=2e-3, abs=1e-6)
    posteriors = IbmPosteriors(cells, models)
    for row, k in enumerate(bitext.pair_of_row.tolist()):
        source, target = pairs[k]
        forward, backward = (side.reshape(len(source), len(target)) for side in posteriors.block(row, row + 1))
        assert forward == pytest.approx(np.array(right[k][0]), rel=5e-3, abs=1e-5)
        assert backward == pytest.approx(np.array(right[k][1]).T, rel=5e-3, abs=1e-5)


def test_very_different_lengths_have_finite_parameters_that_equal_the_oracle():
    draw = random.Random(1)
    sizes = [(1, 1), (2, 60), (60, 2), (1, 60), (3, 1)]
    pairs = [
        ([f"s{draw.randrange(9)}" for _ in range(m)], [f"t{draw.randrange(9)}" for _ in range(n)]) for m, n in sizes
    ]
    bitext, cells, models = train_on(pairs * 3, iterations=2, alpha=0.1, tension=14.0)
    wanted, _, _, _ = word_counts.train(pairs * 3, iterations=2, alpha=0.1, null=0.08, tension=14.0)
    for found, right in zip(tables(bitext, cells, models), wanted, strict=True):
        assert found == pytest.approx(right, rel=5e-3, abs=1e-6)


def test_expected_distance_equals_its_definition():
    sizes = [(3, 4, 2), (1, 5, 1), (7, 2, 3)]
    total, words = 0.0, 0
    for m, n, times in sizes:
        for j in range(n):
            away = np.array([abs((i + 1) / m - (j + 1) / n) for i in range(m)])
            weights = np.exp(-3.0 * away)
            total += times * float((weights * away).sum() / weights.sum())
        words += n * times
    assert expected_distance(np.array(sizes), 3.0) == pytest.approx(total / words, rel=1e-9)


def test_every_cell_has_the_right_word_pair():
    pairs = random_pairs(150)
    bitext = Bitext.from_pairs(pairs)
    cells = AlignmentCells(bitext)
    known = distinct_pairs(bitext, cells)
    assert len(set(known)) == len(known) == cells.distinct
    assert len(cells) == sum(len(a) * len(b) for a, b in pairs)
    for row, k in enumerate(bitext.pair_of_row.tolist()):
        source, target = pairs[k]
        ids = cells.ids[cells.cells[row] : cells.cells[row + 1]].tolist()
        assert [known[id] for id in ids] == [(a, b) for a in source for b in target]


def test_ids_are_sorted_by_frequency_and_case_can_be_ignored():
    bitext = Bitext.from_pairs([(["B", "b", "a"], ["y"]), (["b"], ["x"])], lowercase=True)
    assert bitext.source.vocabulary == ["b", "a"]
    assert bitext.source.ids.tolist() == [0, 0, 1, 0]
    assert bitext.source.lengths.tolist() == [3, 1]
    assert bitext.target.lengths.tolist() == [1, 1]


@settings(max_examples=50, deadline=None)
@given(bitexts())
def test_rows_are_the_pairs_with_words_on_both_sides(pairs):
    """Others teach nothing: neither words nor lengths."""
    bitext = Bitext.from_pairs(pairs)
    assert bitext.pair_of_row.tolist() == [k for k, (source, target) in enumerate(pairs) if source and target]
    assert bitext.pairs == len(pairs)
    assert set(bitext.source.vocabulary) == {word for source, target in pairs if target for word in source}
    assert bitext.offsets.tolist() == [[0, 0]] * len(bitext.pair_of_row)
