"""The Gibbs sampler against every alignment of a small text."""

import numpy as np
import pytest

from paralign.words.bitext import Bitext
from paralign.words.candidates import CandidateSearch, score_candidates, train_on_candidates
from paralign.words.compiled import MAX_LENGTH
from paralign.words.hmm import default_chains, default_sweeps
from paralign.words.posteriors import CandidatePosteriors
from paralign.words.sampler import SamplerSettings, jump_probabilities, sample_alignments
from paralign.words.sampler_kernels import initialize, sweep
from tests.oracles import word_counts
from tests.words.test_ibm_model import random_pairs
from tests.words.test_memory import links_of


def candidates_of(pairs, threshold=0.0):
    """Return the text, the candidates of both directions, and their scores."""
    bitext = Bitext.from_pairs(pairs)
    some = CandidateSearch(bitext, share=0.08, tension=4.0, threads=1).find(threshold)
    settings = {"iterations": 1, "alpha": 0.1, "share": 0.08, "tension": 4.0}
    scores = tuple(score_candidates(side, train_on_candidates(side, **settings)) for side in some)
    return bitext, some, scores


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
    bitext, (some, _), (score, _) = candidates_of(pairs)
    source, target = some.direction.words
    size = len(set(target.tolist()))
    chosen, state = np.empty(len(target), np.int32), np.array([12345], np.uint64)
    counts, totals = np.zeros(some.repeated + 1, np.int32), np.zeros(len(set(source.tolist())), np.int32)
    nulls = np.zeros(size + 1, np.int32)
    text = ((source, target), some.direction.starts, some.entries, some.position, some.pair)
    initialize(*text, score, chosen, counts, totals, nulls, state)
    frequency, moves = np.zeros(len(some.pair), np.uint8), np.zeros(2 * MAX_LENGTH + 3, np.int64)
    seen, sweeps = np.zeros(len(some.pair)), 200
    for _ in range(400):
        frequency[:] = 0
        for _ in range(sweeps):
            sweep(
                *text, np.empty(0, np.float32), np.full(len(totals), -1, np.int32), chosen, counts, totals, nulls,
                (alpha, alpha * size, 0.3, 0.3 * size, 0.4, 1.0), jumps, moves, frequency, state,
            )  # fmt: skip
        seen += frequency
    assert counts[-1] == 0
    assert totals.sum() + nulls[size] == len(target)
    for token in range(len(target)):
        k = int(np.searchsorted(some.direction.starts[1], token, side="right")) - 1
        for entry in range(some.entries[token], some.entries[token + 1]):
            link = (k, int(some.position[entry]), token - int(some.direction.starts[1, k]))
            assert seen[entry] / (400 * sweeps) == pytest.approx(wanted[link], abs=0.01)
    assert len(some) == bitext.cells[-1]


@pytest.mark.parametrize("threads", [1, 3])
def test_samples_are_the_same_for_every_number_of_threads(threads):
    pairs = random_pairs(80, seed=5)
    bitext, some, scores = candidates_of(pairs)
    none = np.empty(0, np.float32)
    alike = tuple(np.full(side.direction.sizes[0], -1, np.int32) for side in some)
    settings = SamplerSettings(chains=3, sweeps=12, kept=8, alpha=1e-3, null_alpha=1e-3, share=0.2, same=1.0)
    found, again = (
        sample_alignments(some, scores, (none, none), alike, settings, threads=number) for number in (2, threads)
    )
    for first, second in zip(found, again, strict=True):
        assert np.array_equal(first.frequency, second.frequency)
        assert np.array_equal(first.jumps, second.jumps)
    posteriors = CandidatePosteriors(bitext, some, tuple(side.frequency for side in found), 24)
    forward, backward = posteriors.block(0, len(bitext.pair_of_row))
    assert len(forward) == len(backward) == bitext.cells[-1]
    assert forward.max() <= 1
    # In each sample a target word is linked at most once.
    for row, k in enumerate(bitext.pair_of_row.tolist()):
        cells, shape = slice(bitext.cells[row], bitext.cells[row + 1]), tuple(map(len, pairs[k]))
        assert (forward[cells].reshape(shape).sum(0) <= 1 + 1e-5).all()
        assert (backward[cells].reshape(shape).sum(1) <= 1 + 1e-5).all()


@pytest.mark.parametrize("method", ["hmm", "ibm"])
def test_pairs_with_an_empty_side_change_no_links(method):
    """Their words would count as words without a counterpart, and their ends as jumps."""
    pairs = [pair for pair in random_pairs(150, seed=6) if all(pair)]
    more = [part for pair in pairs for part in (pair, (pair[0], []), ([], pair[1]), ([], []))]
    plain, found = (links_of(method, some, {}) for some in (pairs, more))
    assert list(found)[::4] == list(plain)
    assert not any(list(found)[1::4] + list(found)[2::4] + list(found)[3::4])


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
    assert (chains[0], chains[-1]) == (12, 1)
    assert (sweeps[0], sweeps[-1]) == (28, 16)


def test_default_chains_and_sweeps_are_the_documented_ones():
    assert [default_chains(cells) for cells in (10**6, 10**7, 4 * 10**7)] == [5, 3, 2]
    assert [default_sweeps(cells) for cells in (10**7, 32 * 10**6)] == [20, 16]
