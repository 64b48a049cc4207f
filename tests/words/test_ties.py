"""Ties between similarities: the first word wins."""

import pytest
import torch

from paralign.words.matching import best_matches


@pytest.mark.parametrize("size", [3, 40, 300])
def test_the_first_of_equal_similarities_is_the_best_of_its_row_and_column(size):
    values = torch.full((2, size, size), 0.5)
    values[1, 1:, 1:] = 0.7  # so that the first maximum is not at 0
    forward, backward = best_matches(values, torch.ones_like(values, dtype=torch.bool))
    assert forward[0].nonzero().tolist() == [[0, j] for j in range(size)]
    assert backward[0].nonzero().tolist() == [[i, 0] for i in range(size)]
    assert forward[1].nonzero().tolist() == [[0, 0], *([1, j] for j in range(1, size))]
    assert backward[1].nonzero().tolist() == [[0, 0], *([i, 1] for i in range(1, size))]


def test_padding_never_wins_a_tie():
    values = torch.full((1, 3, 3), -1.0)
    inside = torch.tensor([[[False, False, False], [False, True, True], [False, True, True]]])
    forward, backward = best_matches(values, inside)
    assert forward[0].nonzero().tolist() == [[1, 1], [1, 2]]
    assert backward[0].nonzero().tolist() == [[1, 1], [2, 1]]
