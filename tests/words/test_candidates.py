"""Candidate links against IBM model 2 over all cells."""

import numpy as np
import pytest

from paralign.words.bitext import Bitext
from paralign.words.candidates import CandidateSearch, score_candidates, train_on_candidates
from paralign.words.cells import AlignmentCells
from paralign.words.ibm_model import train_ibm
from paralign.words.posteriors import IbmPosteriors
from tests.words.test_ibm_model import random_pairs

PAIRS = [*random_pairs(80, seed=3), ([], ["t1"]), (["s1"], []), *random_pairs(5, seed=4, longest=60)]


def candidates_of(bitext, threshold, threads=1):
    return CandidateSearch(bitext, share=0.08, tension=4.0, threads=threads).find(threshold)


def ibm_posteriors(bitext, *, iterations, alpha):
    cells = AlignmentCells(bitext)
    models = [
        train_ibm(cells, side, iterations=iterations, alpha=alpha, share=0.08, tension=4.0) for side in cells.directions
    ]
    return IbmPosteriors(cells, tuple(models)).block(0, len(bitext.pair_of_row))


@pytest.mark.parametrize("threshold", [0.02, 0.1, 0.5])
def test_candidates_are_the_cells_above_the_threshold_in_either_direction(threshold):
    bitext = Bitext.from_pairs(PAIRS)
    best = np.maximum(*ibm_posteriors(bitext, iterations=1, alpha=0.0))
    for side in candidates_of(bitext, threshold):
        cell = side.cell(bitext.cells)
        kept = np.zeros(len(best), bool)
        kept[cell] = True
        assert kept.sum() == len(cell) == len(side)
        assert kept[best > threshold * 1.0001].all()
        assert not kept[best < threshold * 0.9999].any()
        assert 0 < kept.sum() < len(kept)


def test_candidates_of_both_directions_are_the_same_cells_with_the_same_numbers():
    bitext = Bitext.from_pairs(PAIRS)
    cells = AlignmentCells(bitext)
    found = []
    for side in candidates_of(bitext, 0.1):
        assert side.entries[[0, -1]].tolist() == [0, len(side)]
        assert (np.diff(side.entries) >= 0).all()
        cell = side.cell(bitext.cells)
        found.append(sorted(zip(cell.tolist(), side.pair.tolist(), strict=True)))
        number_of, pair_of = {}, {}
        for id, number in zip(cells.ids[cell].tolist(), side.pair.tolist(), strict=True):
            assert number_of.setdefault(id, number) == number
            assert pair_of.setdefault(number, id) == id
        assert sorted(pair_of) == list(range(side.distinct))
        times = np.bincount(side.pair)
        assert (times[: side.repeated] > 1).all()
        assert (times[side.repeated :] == 1).all()
        source, target = side.pair_words()
        owners = np.repeat(np.arange(len(cells.rows) - 1), np.diff(cells.rows))
        ids = [pair_of[number] for number in range(side.distinct)]
        assert source.tolist() == owners[ids].tolist()
        assert target.tolist() == cells.target[ids].tolist()
    assert found[0] == found[1]


def test_the_number_of_threads_changes_nothing():
    bitext = Bitext.from_pairs(PAIRS)
    for one, two in zip(candidates_of(bitext, 0.1), candidates_of(bitext, 0.1, threads=2), strict=True):
        for name in ("entries", "position", "pair", "types"):
            assert np.array_equal(getattr(one, name), getattr(two, name))


@pytest.mark.parametrize(("alpha", "iterations"), [(0.0, 2), (0.1, 1), (0.1, 3)])
def test_scores_of_all_cells_are_the_posteriors_of_ibm_model_2(alpha, iterations):
    bitext = Bitext.from_pairs(PAIRS)
    wanted = ibm_posteriors(bitext, iterations=iterations, alpha=alpha)
    for side, right in zip(candidates_of(bitext, 0.0), wanted, strict=True):
        assert len(side) == bitext.cells[-1]
        settings = {"iterations": iterations, "alpha": alpha, "share": 0.08, "tension": 4.0}
        score = score_candidates(side, train_on_candidates(side, **settings), np.uint16)
        assert score / 65535 == pytest.approx(right[side.cell(bitext.cells)], abs=2e-4)
