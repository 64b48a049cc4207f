"""The memory limit of the statistical aligners."""

import tracemalloc
from math import ceil

import numpy as np
import pytest

from paralign.errors import UserError
from paralign.sources.specs import PairSpec
from paralign.words import memory
from paralign.words.base import AlignerOptions, WordPair, make_aligner
from paralign.words.bitext import Bitext
from paralign.words.candidates import CandidateSearch, score_candidates, train_on_candidates
from paralign.words.ibm_model import IbmParameters
from paralign.words.memory import MemoryLimit, Stage, format_size, hmm_stages, ibm_stages, parse_size
from paralign.words.saved_aligner import SavedAligner, TablePosteriors
from tests.words.test_candidates import PAIRS, ibm_posteriors
from tests.words.test_ibm_model import random_pairs

SIZES = {"hmm": ("7M", "12M"), "ibm": ("7M", "8M")}


def links_of(method, pairs, settings):
    aligner = make_aligner(method, AlignerOptions(PairSpec("en", "de", "text"), quiet=True), settings)
    aligner.read(WordPair((" ".join(source), " ".join(target)), (source, target)) for source, target in pairs)
    return aligner.align(len(pairs))


@pytest.mark.parametrize(
    ("text", "size"), [("500M", 500 * 2**20), ("2G", 2**31), ("1.5 GB", 3 * 2**29), ("64mib", 2**26)]
)
def test_sizes(text, size):
    assert parse_size(text) == size
    assert parse_size(format_size(size - 1)) == size


@pytest.mark.parametrize("text", ["2", "0M", "-1G", "1T", "G", "", "1e3M", "1.G"])
def test_what_is_not_a_size(text):
    with pytest.raises(ValueError, match="500M or 2G"):
        parse_size(text)
    with pytest.raises(UserError, match=r"'words.memory': must be a size with its unit, such as 500M or 2G"):
        make_aligner("hmm", AlignerOptions(PairSpec("en", "de", "text")), {"memory": text})


@pytest.mark.parametrize("most", [0, 10, 200, 1500, 10**6])
def test_no_more_candidates_than_fit_and_those_on_which_both_directions_agree(most):
    """Agreement: the geometric mean of both posteriors, each divided by the largest of its token."""
    bitext = Bitext.from_pairs(PAIRS)
    posteriors = ibm_posteriors(bitext, iterations=1, alpha=0.0)
    agreement = np.zeros(bitext.cells[-1])
    for row, k in enumerate(bitext.pair_of_row.tolist()):
        block, shape = slice(*bitext.cells[row : row + 2]), tuple(map(len, PAIRS[k]))
        forward, backward = (side[block].reshape(shape) for side in posteriors)
        relative = forward / forward.max(0, keepdims=True) * backward / backward.max(1, keepdims=True)
        agreement[block] = np.sqrt(relative).ravel()
    possible = np.maximum(*posteriors) > 0.01
    (side, other) = CandidateSearch(bitext, share=0.08, tension=4.0, threads=1).find(0.01, lambda ratio: most)
    assert len(side) == len(other) <= most
    kept = np.zeros(len(agreement), bool)
    kept[side.cell(bitext.cells)] = True
    assert possible[kept].all()
    dropped = agreement[~kept & possible]
    if most < possible.sum():
        assert agreement[kept].min(initial=2) > dropped.max() / 1.0001
        next_bin = dropped.max() / 2 ** (1 / 32) / 1.0001
        assert len(side) + (dropped > next_bin).sum() > most
    else:
        assert not len(dropped)


def test_the_number_of_candidates_is_the_largest_whose_stages_fit():
    limit = MemoryLimit("1M", "text")
    stages = [Stage(1000, 0, 0), Stage(20_000, 6, 0), Stage(5_000, 14, 16), Stage(300, 3, 72)]
    for ratio in (0.0, 0.05, 0.3, 1.0):
        most = limit.most_candidates(stages, ratio)
        sizes = [max(stage.size(count, ratio * count) for stage in stages) for count in (most, most + 1)]
        assert sizes[0] <= 2**20 < sizes[1]


@pytest.mark.parametrize("method", ["hmm", "ibm"])
def test_arrays_of_the_training_stay_within_the_limit(method, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(memory, "PROGRAM", 2 << 20)  # tables of constant size, and blocks of links:
    monkeypatch.setattr("paralign.words.posteriors._BLOCK_CELLS", 1 << 14)
    pairs = random_pairs(3000, seed=1, longest=40)
    settings = {"chains": 1, "sweeps": 10} if method == "hmm" else {}
    plain = list(links_of(method, pairs, settings))
    found = []
    for size in SIZES[method]:
        links_of(method, pairs, {"memory": size, **settings})  # compiles the loops, which takes memory once
        tracemalloc.start()
        try:
            links = links_of(method, pairs, {"memory": size, **settings})
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak <= parse_size(size)
        found.append(list(links))
    assert found[0] != found[1] != plain  # each limit leaves out links


@pytest.mark.parametrize("method", ["hmm", "ibm"])
def test_a_limit_that_is_not_reached_changes_nothing(method):
    pairs = random_pairs(200, seed=2)
    plain = links_of(method, pairs, {})
    limited = links_of(method, pairs, {"memory": "1G"})
    for name in ("starts", "source", "target"):
        assert np.array_equal(getattr(plain, name), getattr(limited, name))


@pytest.mark.parametrize("method", ["hmm", "ibm"])
def test_the_smallest_limit_is_named_and_works(method, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    pairs = random_pairs(300, seed=2)
    bitext = Bitext.from_pairs(pairs)
    stages = (
        hmm_stages(bitext, samples=96, threads=1, save=False) if method == "hmm" else ibm_stages(bitext, save=False)
    )
    fewest = ceil(1.1 * sum(len(side.ids) for side in (bitext.source, bitext.target)))
    distinct = min(fewest, 40 * 30)  # there are no more word pairs in this vocabulary
    smallest = format_size(max(stage.size(fewest, distinct) for stage in stages))
    with pytest.raises(UserError) as error:
        links_of(method, pairs, {"memory": "100M"})
    assert f"words.memory is 100M, but this text needs at least {smallest}" in str(error.value)
    links = links_of(method, pairs, {"memory": smallest})
    assert sum(map(len, links)) > 0


def test_text_that_does_not_fit_as_numbers_is_not_read_to_its_end():
    read = []

    def pairs():
        for number in range(10**9):
            read.append(number)
            yield WordPair(("", ""), (["a"] * 1000, ["b"] * 1000))

    aligner = make_aligner("ibm", AlignerOptions(PairSpec("en", "de", "text"), quiet=True), {"memory": "1M"})
    with pytest.raises(UserError, match=r"words.memory is 1M, but even the first 128 pairs of this text need more"):
        aligner.read(pairs())
    assert len(read) == 128


def test_an_encoder_is_not_limited():
    options = AlignerOptions(PairSpec("en", "de", "text"), model="encoder")
    with pytest.raises(UserError, match=r"words.memory and --model cannot be combined"):
        make_aligner("hmm", options, {"memory": "1G"})


def test_an_aligner_trained_on_candidates_gives_their_posteriors_to_other_text():
    bitext = Bitext.from_pairs(PAIRS)
    settings = {"iterations": 3, "alpha": 0.01, "share": 0.08, "tension": 4.0}
    candidates = CandidateSearch(bitext, share=0.08, tension=4.0, threads=1).find(0.0)
    models = [train_on_candidates(side, **settings) for side in candidates]
    pairs = candidates[0].pair_words()
    tables = [
        IbmParameters(model.probabilities(words), model.null, model.share, model.tension)
        for model, words in zip(models, pairs, strict=True)
    ]
    saved = SavedAligner.from_ibm(tuple(tables), pairs, bitext, {})
    found = TablePosteriors(saved, bitext).block(0, len(bitext.pair_of_row))
    for side, model, right in zip(candidates, models, found, strict=True):
        score = score_candidates(side, model, np.uint16) / 65535
        assert score == pytest.approx(right[side.cell(bitext.cells)], abs=2e-4)
        assert (score > 0.01).mean() > 0.3
