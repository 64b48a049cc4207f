"""Where the weights are: complete in every process, or sharded among processes (FSDP2)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
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
        together: whether reading the weights is a collective operation of all processes.
    """

    together = False

    def __init__(self, learner: Learner, module: nn.Module) -> None:
        self.learner, self.module = learner, module

    @contextmanager
    def whole(self, *, keep: bool = False) -> Iterator[Learner]:
        """Give the learner with all its weights in this process; a collective operation.

        Args:
            keep: keep what is changed in it.
        """
        yield self.learner

    def finish(self) -> None:
        """Copy the trained weights to the learner given at first."""


class Sharded(Placement):
    """A learner of which each process holds an equal part (torch's ``fully_shard``; Rajbhandari et al. 2020, ZeRO-3).

    Each layer of an encoder is gathered when it runs and sharded again afterwards; modules outside the layers
    (embeddings, heads, projections) are gathered for a whole step. All processes encode a view in the same number of
    chunks, otherwise they would deadlock.

    Args:
        given: the complete learner; it stays on the CPU between the calls of :meth:`whole`.
        device: the device of this process.
        processes: number of processes.
        largest: returns the largest of the numbers that the processes pass; a collective operation.
    """

    together = True

    def __init__(self, given: Learner, device: torch.device, processes: int, largest: Callable[[int], int]) -> None:
        self._given, self._device = given.cpu(), device
        learner = copy.deepcopy(given)
        mesh = init_device_mesh(device.type, (processes,))
        for part in list(learner.modules()):
            if isinstance(part, Encoder):
                part.sync_chunk_count = largest
                for layer in layer_stack(part.model):
                    fully_shard(layer, mesh=mesh)
        fully_shard(learner, mesh=mesh)
        super().__init__(learner, learner)

    @contextmanager
    def whole(self, *, keep: bool = False) -> Iterator[Learner]:
        """As :meth:`Placement.whole`."""
        self.finish()
        yield self._given
        if keep:
            own = self.learner.state_dict()
            for name, value in self._given.state_dict().items():
                own[name].copy_(like(value, own[name]))
        self._given.cpu()

    def finish(self) -> None:
        """As :meth:`Placement.finish`; the result is on the device."""
        own = self._given.to(self._device).state_dict()
        for name, value in self.learner.state_dict().items():
            own[name].copy_(whole(value))


def whole(value: Tensor) -> Tensor:
    """Return the complete tensor of one that may be sharded; a collective operation."""
    return value.full_tensor() if isinstance(value, DTensor) else value


def like(value: Tensor, own: Tensor) -> Tensor:
    """Return a complete tensor sharded as another one is, if that one is sharded."""
    if not isinstance(own, DTensor):
        return value
    return distribute_tensor(value.to(own.device), own.device_mesh, own.placements, src_data_rank=None)
