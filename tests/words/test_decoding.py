"""From posteriors to links; saved aligners on new text."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paralign.words.bitext import Bitext
from paralign.words.compiled import MAX_LENGTH
from paralign.words.decoding import best_threshold, decode
from paralign.words.posteriors import IbmPosteriors, Posteriors
from paralign.words.saved_aligner import SavedAligner, TablePosteriors
from tests.oracles import word_counts
from tests.words.test_ibm_model import random_pairs, train_on


class Given(Posteriors):
    """Posteriors of one pair."""

    def __init__(self, forward, backward):
        m, n = np.shape(forward)
        super().__init__(np.array([[0, m], [0, n]]), np.array([0, m * n]))
        self.sides = tuple(np.array(side, np.float32).reshape(-1) for side in (forward, backward))

    def block(self, first, stop):
        return self.sides


def links_of(forward, backward, method, threshold=0.5):
    m, n = np.shape(forward)
    bitext = Bitext.from_pairs([(["a"] * m, ["b"] * n)])
    return next(iter(decode(Given(forward, backward), bitext, method, pairs=1, threshold=threshold)))


def test_the_first_of_equally_probable_words_is_linked():
    same = [[0.4, 0.4], [0.4, 0.4]]
    assert links_of(same, same, "union") == [(0, 0), (0, 1), (1, 0)]
    assert links_of(same, same, "intersect") == [(0, 0)]


def test_a_word_that_is_as_probably_unlinked_is_not_linked():
    assert links_of([[0.5, 0.6], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]], "union") == [(0, 1)]
    assert links_of([[0.0, 0.0], [0.0, 0.0]], [[0.5, 0.0], [0.6, 0.0]], "union") == [(1, 0)]


def test_links_by_posterior_have_a_mean_at_the_threshold():
    forward, backward = [[0.9, 0.1], [0.5, 0.8]], [[0.3, 0.1], [0.4, 0.2]]
    assert links_of(forward, backward, "posterior", 0.5) == [(0, 0), (1, 1)]
    assert links_of(forward, backward, "posterior", 0.44) == [(0, 0), (1, 0), (1, 1)]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 1000), min_size=1, max_size=30))
def test_the_threshold_has_the_best_expected_f1(permille):
    """Means in the middle of a bin, so that rounding does not decide."""
    means = [(value + 0.5) / 1001 for value in permille]
    posteriors = Given([means], [means])
    found = best_threshold(posteriors, 1)
    total = sum(means)

    def expected(threshold):
        chosen = [p for p in means if p >= threshold]
        return 2 * sum(chosen) / (len(chosen) + total)

    assert expected(found) == pytest.approx(max(expected(k / 1000) for k in range(1, 1001)), rel=1e-5)


def test_links_are_the_most_probable_words_of_each_direction():
    pairs = random_pairs(60, seed=7)
    bitext, cells, models = train_on(pairs)
    _, _, _, right = word_counts.train(pairs, iterations=3, alpha=0.01, null=0.08, tension=4.0)
    posteriors = IbmPosteriors(cells, models)
    union, intersect = (
        list(decode(posteriors, bitext, method, pairs=60, threshold=0.5)) for method in ("union", "intersect")
    )
    compared = 0
    for k, (source, target) in enumerate(pairs):
        if not source or not target:
            assert union[k] == []
            continue
        best, clear = [], True
        for side, axis in ((np.array(right[k][0]), 0), (np.array(right[k][1]).T, 1)):
            with_null = np.insert(side, 0, 1 - side.sum(axis), axis)
            ordered = np.sort(with_null, axis)
            first, second = (ordered.take(-place, axis) for place in (1, 2))
            clear &= bool((first - second > 1e-4).all())  # float32 decides ties
            chosen = with_null.argmax(axis).tolist()
            found = [(i - 1, j) if axis == 0 else (j, i - 1) for j, i in enumerate(chosen) if i]
            best.append(set(found))
        if clear:
            compared += 1
            assert set(union[k]) == best[0] | best[1]
            assert set(intersect[k]) == best[0] & best[1]
    assert compared > 40


def test_probabilities_of_links_are_means_and_only_the_first_pairs_are_linked():
    pairs = random_pairs(80, seed=9)
    bitext, cells, models = train_on(pairs)
    posteriors = IbmPosteriors(cells, models)
    links = decode(posteriors, bitext, "union", pairs=50, threshold=0.5, probabilities=True)
    assert len(links) == 50
    forward, backward = posteriors.block(0, len(bitext.pair_of_row))
    row_of = {k: row for row, k in enumerate(bitext.pair_of_row.tolist())}
    for k, of_pair in enumerate(links):
        for at, (i, j) in enumerate(of_pair):
            cell = cells.cells[row_of[k]] + i * len(pairs[k][1]) + j
            value = (forward[cell] + backward[cell]) / 2
            assert links.posterior[links.starts[k] + at] == pytest.approx(value, abs=1e-6)


def test_long_lines_are_cut_along_the_diagonal_and_linked():
    words = [f"w{k}" for k in range(1000)]
    short = [([word], [word.upper()]) for word in words] * 2
    pairs = [*short, (words, [word.upper() for word in words]), (words, ["W3"]), ([], words)]
    bitext, cells, models = train_on(pairs)
    assert bitext.source.lengths.max() <= MAX_LENGTH
    links = list(decode(IbmPosteriors(cells, models), bitext, "posterior", pairs=2003, threshold=0.5))
    assert links[2000] == [(k, k) for k in range(1000)]
    assert len(links) == 2003
    assert links[2002] == []


def test_a_saved_model_has_the_posteriors_of_the_trained_one(tmp_path):
    pairs = random_pairs(60, seed=7)
    bitext, cells, models = train_on(pairs)
    saved = SavedAligner.from_ibm(models, cells.pair_words(), bitext, {})
    rows = len(bitext.pair_of_row)
    found = TablePosteriors(saved, bitext).block(0, rows)
    for first, second in zip(found, IbmPosteriors(cells, models).block(0, rows), strict=True):
        assert first == pytest.approx(second, rel=1e-3, abs=1e-4)


def hmm_tables(jumps):
    """An aligner with two words on each side; the pair a-y is not in the tables, nor is the word z."""
    shape = np.arange(-MAX_LENGTH - 1, MAX_LENGTH + 2)
    weights = np.array([jumps(d) for d in shape], np.float32)
    tables = {
        "rows": np.array([0, 1, 3]), "target": np.array([0, 0, 1], np.int32),
        "forward": np.array([0.7, 0.2, 0.6], np.float32), "backward": np.array([0.5, 0.3, 0.8], np.float32),
        "forward_other": np.array([0.01, 0.02, 0.1], np.float32),
        "backward_other": np.array([0.03, 0.04, 0.1], np.float32),
        "forward_null": np.array([0.2, 0.3, 0.05], np.float32), "backward_null": np.array([0.1, 0.4, 0.06], np.float32),
        "forward_jumps": weights, "backward_jumps": weights[::-1].copy(),
    }  # fmt: skip
    positions = [{"null": 0.2}, {"null": 0.3}]
    return SavedAligner((["a", "b"], ["x", "y"]), tables, {"positions": positions, "same": 5.0})


@pytest.mark.parametrize(
    ("source", "target"),
    [("ab", "xy"), ("a", "xyx"), ("bab", "y"), ("azb", "yxw"), ("aqb", "qx"), ("a", "x")],
)
def test_the_hidden_markov_model_equals_every_path(source, target):
    def jump(d):
        return 0.5 if d == 1 else 0.1 + 0.02 * max(-3, min(3, d))

    lexical = {
        ("a", "x"): (0.7, 0.5), ("b", "x"): (0.2, 0.3), ("b", "y"): (0.6, 0.8),
    }  # fmt: skip
    forward_other, backward_other = {"a": 0.01, "b": 0.02}, {"x": 0.03, "y": 0.04}
    nulls = {"x": 0.2, "y": 0.3}, {"a": 0.1, "b": 0.4}
    t = [[lexical.get((a, b), (forward_other.get(a, 0.1), backward_other.get(b, 0.1))) for b in target] for a in source]
    t = [
        [tuple(5 * p if a == b else p for p in cell) for b, cell in zip(target, row, strict=True)]
        for a, row in zip(source, t, strict=True)
    ]
    forward = word_counts.every_path(
        [[cell[0] for cell in row] for row in t], [nulls[0].get(b, 0.05) for b in target], 0.2, jump
    )
    turned = [[row[j][1] for row in t] for j in range(len(target))]
    backward = word_counts.every_path(turned, [nulls[1].get(a, 0.06) for a in source], 0.3, lambda d: jump(-d))
    # Together with another pair: the result of a pair depends on the pair alone.
    bitext = Bitext.from_pairs([(["b", "a", "a"], ["x", "y"]), (list(source), list(target))])
    found = TablePosteriors(hmm_tables(jump), bitext).block(1, 2)
    shape = len(source), len(target)
    assert found[0].reshape(shape) == pytest.approx(np.array(forward), rel=1e-4, abs=1e-6)
    assert found[1].reshape(shape) == pytest.approx(np.array(backward).T, rel=1e-4, abs=1e-6)
