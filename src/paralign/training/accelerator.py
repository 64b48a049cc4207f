"""The accelerator of a run: device, precision and processes."""

from __future__ import annotations

import warnings

from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.state import AcceleratorState
from torch import nn

from paralign.device import disconnect_at_exit, keep_memory, only_cpu

__all__ = ["averaging_gradients", "make_accelerator"]


def make_accelerator(precision: str) -> Accelerator:
    """Return the accelerator of a run.

    Args:
        precision: ``fp32`` or ``bf16``.
    """
    # One process may align and then fine-tune in another precision; accelerate would keep the first.
    AcceleratorState._reset_state()
    if only_cpu():
        keep_memory()
    accelerator = Accelerator(
        cpu=only_cpu(),
        mixed_precision="bf16" if precision == "bf16" else "no",
        # An objective need not reach all weights: `bilingual` no head, `static` no layer, an empty slice nothing.
        kwargs_handlers=[
            DistributedDataParallelKwargs(
                broadcast_buffers=False, gradient_as_bucket_view=True, find_unused_parameters=True
            )
        ],
    )
    disconnect_at_exit()
    return accelerator


def averaging_gradients(accelerator: Accelerator, module: nn.Module) -> nn.Module:
    """Return a module wrapped so that its gradients are averaged over processes; the module itself for one process."""
    with warnings.catch_warnings():  # accelerate has no name yet for what replaces `broadcast_buffers`
        warnings.filterwarnings("ignore", "`broadcast_buffers` is deprecated", FutureWarning)
        wrapped: nn.Module = accelerator.prepare_model(module)
    return wrapped
