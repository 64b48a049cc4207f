"""The Gibbs sampler against every alignment of a small text."""

import numpy as np
import pytest

from paralign.words.bitext import Bitext
from paralign.words.cells import AlignmentCells
from paralign.words.compiled import MAX_LENGTH
from paralign.words.hmm import default_chains, default_sweeps
from paralign.words.ibm_model import train_ibm
from paralign.words.posteriors import IbmPosteriors, SampledPosteriors
from paralign.words.sampler import SamplerSettings, find_candidates, jump_probabilities, sample_alignments
from paralign.words.sampler_kernels import initialize, sweep
from tests.oracles import word_counts
from tests.words.test_ibm_model import random_pairs


def candidates_of(pairs, threshold=0.0):
    cells = AlignmentCells(Bitext.from_pairs(pairs))
    return cells, find_candidates(cells, threshold=threshold, iterations=1, tension=4.0, threads=1)


@pytest.mark.parametrize(
    ("pairs", "alpha"),
    [
        ([(["a", "b"], ["x", "y"]), (["b", "a"], ["x", "y"])], 0.5),
        ([(["a", "b", "a"], ["x", "y"]), (["c", "b"], ["z", "x"])], 0.1),  # c-z is the only cell of its pair
    ],
)
def test_samples_have_the_posterior_of_every_alignment(pairs, alpha):
    jumps = np.where(np.arange(-MAX_LENGTH - 1, MAX_LENGTH + 2) == 1, 0.5, 0.2).astype(np.float32)
    wanted = word_counts.every_alignment(
        pairs, alpha=alpha, null_alpha=0.3, share=0.4, jump=lambda d: 0.5 if d == 1 else 0.2
    )
    cells, (some, _) = candidates_of(pairs)
    source, target = some.direction.words
    size = len(set(target.tolist()))
    chosen, state = np.empty(len(target), np.int32), np.array([12345], np.uint64)
    initialize(some.entries, some.score, chosen, state)
    counts, totals = np.zeros(some.pairs + 1, np.int32), np.zeros(len(set(source.tolist())), np.int32)
    nulls = np.zeros(size + 1, np.int32)
    begin = np.repeat(some.direction.starts[0, :-1], np.diff(some.direction.starts[1]))
    for token, choice in enumerate(chosen.tolist()):
        if choice < 0:
            nulls[[target[token], size]] += 1
        else:
            entry = some.entries[token] + choice
            counts[some.pair[entry]] += 1
            totals[source[begin[token] + some.position[entry]]] += 1
    counts[0] = 0
    frequency, moves = np.zeros(len(some.pair), np.uint8), np.zeros(2 * MAX_LENGTH + 3, np.int64)
    seen, sweeps = np.zeros(len(some.pair)), 200
    for _ in range(400):
        frequency[:] = 0
        for _ in range(sweeps):
            sweep(
                (source, target), some.direction.starts, some.entries, some.position, some.pair,
                np.empty(0, np.float32), chosen, counts, totals, nulls,
                (alpha, alpha * size, 0.3, 0.3 * size, 0.4), jumps, moves, frequency, state,
            )  # fmt: skip
        seen += frequency
    assert counts[1:].sum() + nulls[size] <= len(target)
    for token in range(len(target)):
        k = int(np.searchsorted(some.direction.starts[1], token, side="right")) - 1
        for entry in range(some.entries[token], some.entries[token + 1]):
            link = (k, int(some.position[entry]), token - int(some.direction.starts[1, k]))
            assert seen[entry] / (400 * sweeps) == pytest.approx(wanted[link], abs=0.01)
    assert len(cells) == len(some.pair)


def test_candidates_are_the_cells_above_the_threshold_in_either_direction():
    pairs = random_pairs(60, seed=3)
    cells, everything = candidates_of(pairs)
    assert [len(side.pair) for side in everything] == [len(cells)] * 2
    _, some = candidates_of(pairs, 0.1)
    models = tuple(
        train_ibm(cells, side, iterations=1, alpha=0.0, share=0.08, tension=4.0) for side in cells.directions
    )
    forward, backward = IbmPosteriors(cells, models).block(0, len(pairs))
    kept = (forward >= 0.1) | (backward >= 0.1)
    assert [len(side.pair) for side in some] == [kept.sum()] * 2
    number = np.bincount(cells.ids[kept], minlength=cells.distinct)
    assert some[0].pairs == (number > 1).sum()
    assert (some[0].pair == 0).sum() == (number == 1).sum()
    for side in some:
        assert (np.diff(side.entries) >= 0).all()
        generating, generated = side.words()
        assert len(generating) == len(generated) == kept.sum()


@pytest.mark.parametrize("threads", [1, 3])
def test_samples_are_the_same_for_every_number_of_threads(threads):
    pairs = random_pairs(80, seed=5)
    cells, some = candidates_of(pairs)
    none = np.empty(0, np.float32)
    settings = SamplerSettings(chains=3, sweeps=12, kept=8, alpha=1e-3, null_alpha=1e-3, share=0.2)
    found, again = (sample_alignments(some, (none, none), settings, threads=number) for number in (2, threads))
    for first, second in zip(found, again, strict=True):
        assert np.array_equal(first.frequency, second.frequency)
        assert np.array_equal(first.jumps, second.jumps)
    forward, backward = SampledPosteriors(cells, found).block(0, len(pairs))
    assert len(forward) == len(backward) == len(cells)
    assert forward.max() <= 1
    # In each sample a target word is linked at most once.
    for k, (source, target) in enumerate(pairs):
        if source and target:
            block = forward[cells.cells[k] : cells.cells[k + 1]].reshape(len(source), len(target))
            assert (block.sum(0) <= 1 + 1e-5).all()
            block = backward[cells.cells[k] : cells.cells[k + 1]].reshape(len(source), len(target))
            assert (block.sum(1) <= 1 + 1e-5).all()


def test_long_jumps_share_the_probability_of_the_longest():
    counts = np.zeros(2 * MAX_LENGTH + 3, np.int64)
    counts[MAX_LENGTH + 1 + 1] = 10  # a jump of 1
    counts[-1] = 3  # a very long one
    found = jump_probabilities(counts)
    total = 13 + 0.5 * 81
    assert found[MAX_LENGTH + 2] == pytest.approx(10.5 / total, rel=1e-5)
    assert found[MAX_LENGTH + 1] == pytest.approx(0.5 / total, rel=1e-5)
    assert found[-1] == found[MAX_LENGTH + 1 + 40] == pytest.approx(3.5 / total, rel=1e-5)
    assert found[0] == found[MAX_LENGTH + 1 - 40]


def test_more_text_never_gets_more_work_per_cell():
    chains, sweeps = ([rule(10**k) for k in range(10)] for rule in (default_chains, default_sweeps))
    assert chains == sorted(chains, reverse=True)
    assert sweeps == sorted(sweeps, reverse=True)
    assert (chains[0], chains[6], chains[-1]) == (12, 5, 1)
    assert (sweeps[0], sweeps[-1]) == (28, 16)
