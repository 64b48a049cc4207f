"""The encoder as it was at the start of a run, shared by the objectives that compare with it."""

from __future__ import annotations

from weakref import WeakKeyDictionary, ref

import torch

from paralign.encoder import Encoder

__all__ = ["frozen_copy"]

_copies: WeakKeyDictionary[Encoder, ref[Encoder]] = WeakKeyDictionary()


def frozen_copy(encoder: Encoder) -> Encoder:
    """Return a copy of an encoder without vocabulary head, whose weights get no gradient and must not be changed.

    Objectives that are created for the same encoder before it is trained get the same copy, so that a run holds one,
    however many of them it combines. Checkpoints do not contain it: a run is resumed with the same encoder only.

    Args:
        encoder: the encoder that will be trained.
    """
    known = _copies.get(encoder)
    copy = known() if known is not None else None
    if copy is None or not _equal(copy, encoder):
        copy = encoder.copy_without_head()
        copy.in_checkpoints = False
        _copies[encoder] = ref(copy)
    return copy


def _equal(copy: Encoder, encoder: Encoder) -> bool:
    """Return whether an encoder still has the weights and the place that it had when it was copied."""
    before, now = copy.base_parameters(), encoder.base_parameters()
    same = (a.device == b.device and torch.equal(a, b) for a, b in zip(before, now, strict=False))
    return len(before) == len(now) and all(same)
