"""Vectors of linked words, shared by the objectives that align words."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from paralign.corpus.link_store import LinkedWords
from paralign.device import on_device
from paralign.objectives.base import Step
from paralign.ragged import row_ids, row_starts

__all__ = ["linked_word_ids", "linked_word_vectors"]

Ints = npt.NDArray[np.int64]


def linked_word_vectors(step: Step, linked: LinkedWords, layer: float = -1) -> tuple[Tensor, Tensor]:
    """Return the vectors of the two words of each link between the views ``first`` and ``second``.

    The vector of a word is the mean of the hidden states of its pieces.

    Args:
        step: the slice.
        linked: its l links.
        layer: the hidden state that is read; see :meth:`paralign.encoder.Encoder.layer_number`. Default: the last.

    Returns:
        Two fp32 tensors (fp64 if the states are) of shape [l, d].
    """
    first = _means(step.hidden("first", layer).at(linked.first), linked.first_sizes)
    return first, _means(step.hidden("second", layer).at(linked.second), linked.second_sizes)


def _means(states: Tensor, sizes: Ints) -> Tensor:
    word = on_device(row_ids(sizes), states.device)
    states = states.to(torch.promote_types(states.dtype, torch.float32))
    total = states.new_zeros(len(sizes), states.shape[1]).index_add(0, word, states)
    return total / on_device(sizes, states.device).unsqueeze(1)


def linked_word_ids(linked: LinkedWords) -> tuple[Ints, Ints]:
    """Return an id for each word of each link: the position of its first piece. Two arrays of shape [l]."""
    first = linked.first[row_starts(linked.first_sizes)]
    return first, linked.second[row_starts(linked.second_sizes)]
