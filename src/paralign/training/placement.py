"""Placement of the weights: complete in every process, or sharded over processes (FSDP2)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from paralign.encoder import Encoder
from paralign.encoder.hf import layer_stack
from paralign.training.learner import Learner

__all__ = ["Placement", "Sharded", "like", "whole"]


class Placement:
    """A learner that is complete in every process.

    Attributes:
        learner: the module that is trained, saved and resumed.
        module: the module that runs a step: the learner, wrapped so that gradients are averaged over processes.
        collective: whether reading the weights is a collective operation of all processes.
    """

    collective = False

    def __init__(self, learner: Learner, module: nn.Module) -> None:
        self.learner, self.module = learner, module

    @contextmanager
    def whole(self, *, keep: bool = False) -> Iterator[Learner]:
        """Yield the learner with all its weights in this process; a collective operation.

        Args:
            keep: whether changes to the learner are kept: those of the first process, since accelerators need not
                compute the same bits in all of them.
        """
        yield self.learner
        if keep:
            _take_from_first(self.learner)

    def finish(self) -> None:
        """Copy the trained weights to the learner that was passed in."""


class Sharded(Placement):
    """A learner of which each process holds an equal part (torch's ``fully_shard``; Rajbhandari et al. 2020, ZeRO-3).

    Each layer of an encoder is gathered when it runs and sharded again afterwards; modules outside the layers
    (embeddings, heads, projections) are gathered for a whole step. All processes encode a view in the same number of
    chunks, otherwise they would deadlock.

    Args:
        complete: the learner with all its weights; it stays on the CPU between calls of :meth:`whole`.
        device: the device of this process.
        processes: number of processes.
        maximum: returns the maximum of the numbers that the processes pass; a collective operation.
    """

    collective = True

    def __init__(self, complete: Learner, device: torch.device, processes: int, maximum: Callable[[int], int]) -> None:
        self._complete, self._device = complete.cpu(), device
        learner = copy.deepcopy(complete)
        mesh = init_device_mesh(device.type, (processes,))
        for part in list(learner.modules()):
            if isinstance(part, Encoder):
                part.sync_chunk_count = maximum
                for layer in layer_stack(part.model):
                    fully_shard(layer, mesh=mesh)
        fully_shard(learner, mesh=mesh)
        super().__init__(learner, learner)

    @contextmanager
    def whole(self, *, keep: bool = False) -> Iterator[Learner]:
        """As :meth:`Placement.whole`."""
        self.finish()
        yield self._complete
        if keep:
            _take_from_first(self._complete)
            parts = self.learner.state_dict()
            for name, value in self._complete.state_dict().items():
                parts[name].copy_(like(value, parts[name]))
        self._complete.cpu()

    def finish(self) -> None:
        """As :meth:`Placement.finish`; the result is on the device."""
        complete = self._complete.to(self._device).state_dict()
        for name, value in self.learner.state_dict().items():
            complete[name].copy_(whole(value))


@torch.no_grad()
def _take_from_first(module: nn.Module) -> None:
    """Copy parameters and buffers of the first process to the others; a collective operation."""
    if distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1:
        for value in (*module.parameters(), *module.buffers()):
            distributed.broadcast(value.detach(), 0)


def whole(value: Tensor) -> Tensor:
    """Return the complete tensor of one that may be sharded; a collective operation."""
    return value.full_tensor() if isinstance(value, DTensor) else value


def like(value: Tensor, reference: Tensor) -> Tensor:
    """Return a complete tensor, sharded in the same way as the reference if that one is sharded."""
    if not isinstance(reference, DTensor):
        return value
    return distribute_tensor(
        value.to(reference.device), reference.device_mesh, reference.placements, src_data_rank=None
    )
