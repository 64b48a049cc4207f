"""Where a learner's weights are: whole in every process, or divided between them (FSDP2)."""

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
    """A learner that is whole in every process.

    Attributes:
        learner: what is trained, saved and resumed.
        module: what runs a step: the learner, wrapped so that gradients are averaged over processes.
        together: whether the weights can be read only by all processes together.
    """

    together = False

    def __init__(self, learner: Learner, module: nn.Module) -> None:
        self.learner, self.module = learner, module

    @contextmanager
    def whole(self, *, keep: bool = False) -> Iterator[Learner]:
        """The learner with all its weights in this process; all processes ask together.

        Args:
            keep: what is changed in it.
        """
        yield self.learner

    def finish(self) -> None:
        """Bring the weights to the learner this was made of."""


class Sharded(Placement):
    """A learner of which each process keeps an equal part (torch's ``fully_shard``; Rajbhandari et al. 2020, ZeRO-3).

    Each layer of an encoder is gathered when it runs and divided again; what stands around the layers (embeddings,
    heads, projections) is gathered for the length of a step. The number of chunks a view is encoded in is made the same
    in all processes, or they would wait for each other for ever.

    Args:
        given: the whole learner; waits on the CPU between the calls of :meth:`whole`.
        device: of this process.
        processes: how many there are.
        largest: of a number each process has, the largest; all call it together.
    """

    together = True

    def __init__(self, given: Learner, device: torch.device, processes: int, largest: Callable[[int], int]) -> None:
        self._given, self._device = given.cpu(), device
        learner = copy.deepcopy(given)
        mesh = init_device_mesh(device.type, (processes,))
        for part in list(learner.modules()):
            if isinstance(part, Encoder):
                part.together = largest
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
        """As :meth:`Placement.finish`; on the device."""
        own = self._given.to(self._device).state_dict()
        for name, value in self.learner.state_dict().items():
            own[name].copy_(whole(value))


def whole(value: Tensor) -> Tensor:
    """A tensor of which every process may have a part, whole; all processes ask together."""
    return value.full_tensor() if isinstance(value, DTensor) else value


def like(value: Tensor, own: Tensor) -> Tensor:
    """A whole tensor, divided as another one is, if it is."""
    if not isinstance(own, DTensor):
        return value
    return distribute_tensor(value.to(own.device), own.device_mesh, own.placements, src_data_rank=None)
