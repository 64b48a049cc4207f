"""The precision of matrix products: bf16 where hardware and model support it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal
from weakref import WeakKeyDictionary

import numpy as np
import torch

from paralign.console import echo
from paralign.device import has_bf16
from paralign.encoder.encoder import Encoder
from paralign.encoder.families import first_line
from paralign.encoder.sentences import encoded
from paralign.errors import UserError

__all__ = ["choose_precision"]

_CHECKED: WeakKeyDictionary[Encoder, str] = WeakKeyDictionary()
"""Encoders that were computed in bf16, and the type of the device: an evaluation asks for every data set."""


def choose_precision(
    wanted: str, encoders: Iterable[Encoder], *, option: str = "--precision fp32", quiet: bool = False
) -> Literal["bf16", "fp32"]:
    """Return the precision to compute in. For bf16, each encoder encodes two short rows under autocast once as a check.

    Args:
        wanted: ``bf16``, ``fp32`` or ``auto``: bf16 if the hardware has bf16 matrix products and the encoders support
            it, else fp32.
        encoders: the encoders.
        option: what chooses fp32, for messages.
        quiet: print no note if an encoder does not support what ``auto`` would choose.

    Raises:
        UserError: for ``bf16`` if an encoder does not support it, as DeBERTa (v1).
    """
    if wanted == "fp32" or (wanted == "auto" and not has_bf16()):
        return "fp32"
    for encoder in encoders:
        if _CHECKED.get(encoder) == encoder.device.type:
            continue
        try:
            with torch.no_grad(), torch.autocast(encoder.device.type, torch.bfloat16):
                for _ in encoded(encoder, [np.arange(3), np.arange(2)], None, [encoder.layers], budget=16):
                    pass
        except Exception as error:  # families raise errors of all types
            message = f"{encoder.family} models cannot be computed in bf16: {first_line(error)}"
            if wanted == "bf16":
                raise UserError(message, where=encoder.name or None, hint=f"use {option}") from error
            echo(f"note: {message}; the precision is fp32", quiet=quiet)
            return "fp32"
        _CHECKED[encoder] = encoder.device.type
    return "bf16"
