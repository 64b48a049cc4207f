"""Work that the main process of a run does before the others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import torch

from paralign.device import only_cpu
from paralign.errors import UserError

__all__ = ["main_process_first"]

T = TypeVar("T")
_LONGEST_WAIT = timedelta(days=7)
"""Time that processes wait for the main one, which may have a large text to tokenize or to align."""


def main_process_first(function: Callable[[], T]) -> T:
    """Call a function in the main process first (to build a store, for example), then in the others (to open it)."""
    from accelerate import PartialState

    state = PartialState(cpu=only_cpu())
    if state.num_processes == 1:
        return function()
    # A group of its own, so that the one of training can keep a short timeout.
    group = torch.distributed.new_group(backend="gloo", timeout=_LONGEST_WAIT)
    failed = torch.ones(1)
    try:
        if state.is_main_process:
            result = function()
            failed.zero_()
    finally:
        torch.distributed.broadcast(failed, 0, group)
        torch.distributed.destroy_process_group(group)
    if failed:
        raise UserError("the first process has failed", hint="see its message above")
    return result if state.is_main_process else function()
