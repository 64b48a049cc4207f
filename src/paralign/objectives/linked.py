"""Vectors of linked words: what the objectives that align words share."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from paralign.device import on_device
from paralign.objectives.base import Step
from paralign.text.linked import LinkedWords

__all__ = ["word_keys", "word_vectors"]

Ints = npt.NDArray[np.int64]


def word_vectors(step: Step, linked: LinkedWords, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """[l, d] and [l, d] the two words of each link of ``first`` and ``second``: the mean of their pieces' states."""
    first = _means(step.hidden("first").at(linked.first), linked.first_sizes, dtype)
    return first, _means(step.hidden("second").at(linked.second), linked.second_sizes, dtype)


def _means(states: Tensor, sizes: Ints, dtype: torch.dtype) -> Tensor:
    group = on_device(np.repeat(np.arange(len(sizes)), sizes), states.device)
    states = states.to(torch.promote_types(states.dtype, dtype))
    total = states.new_zeros(len(sizes), states.shape[1]).index_add(0, group, states)
    return total / on_device(sizes, states.device).unsqueeze(1)


def word_keys(linked: LinkedWords) -> tuple[Ints, Ints]:
    """[l] and [l] an identity of each word: the place of its first piece."""
    first = linked.first[np.cumsum(linked.first_sizes) - linked.first_sizes]
    return first, linked.second[np.cumsum(linked.second_sizes) - linked.second_sizes]
