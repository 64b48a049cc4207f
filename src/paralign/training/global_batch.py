"""The first of two passes over a divided batch, for objectives that compare items of the whole batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from paralign.batches.views import Batch
from paralign.objectives.base import Share
from paralign.objectives.global_batch import GlobalObjective
from paralign.training.learner import Learner

__all__ = ["global_shares"]


def global_shares(
    accelerator: Accelerator, learner: Learner, module: nn.Module, slices: Sequence[Batch], seed: Callable[[int], None]
) -> Sequence[Callable[[GlobalObjective, Tensor], Share] | None]:
    """Return for each slice of this process a function that returns its shares of the losses of the whole batch.

    All slices but the first are encoded without gradient. The losses are computed when the first slice, which is
    encoded once, passes its vectors. If there is no such objective or only one slice in all, nothing is encoded, and
    the functions are None.

    Args:
        accelerator: autocast, and the other processes.
        learner: the encoder and the objectives.
        module: the module that runs a step: the learner, or a wrapper of it.
        slices: the slices of this process.
        seed: called with the number of a slice before it is encoded.

    Raises:
        UserError: see the objectives.
    """
    objectives = [o for o in learner.objectives_by_name().values() if isinstance(o, GlobalObjective)]
    if not objectives or len(slices) * accelerator.num_processes == 1:
        return [None] * len(slices)
    later: dict[str, list[Tensor]] = {o.name: [] for o in objectives}
    for number, batch in enumerate(slices[1:], 1):
        seed(number)
        with torch.no_grad(), accelerator.autocast():
            for name, rows in module(batch, represent=True).items():
                later[name].append(rows)
    shares: dict[str, list[Share]] = {}

    def share(number: int, objective: GlobalObjective, vectors: Tensor) -> Share:
        if number == 0:
            shares[objective.name] = _shares(accelerator, objective, [vectors, *later.pop(objective.name)], slices)
        return shares[objective.name][number]

    return [partial(share, number) for number in range(len(slices))]


def _shares(
    accelerator: Accelerator, objective: GlobalObjective, vectors: Sequence[Tensor], slices: Sequence[Batch]
) -> list[Share]:
    """Return the shares of the slices of this process in the loss of one objective."""
    own = torch.cat(list(vectors))
    identities = np.concatenate([objective.identify(batch) for batch in slices])
    every, first = _gather(accelerator, own)
    if accelerator.num_processes > 1:
        identities = _gather(accelerator, torch.from_numpy(identities).to(own.device))[0].cpu().numpy()
    every.requires_grad_()
    losses = objective.losses(every, identities)
    (gradient,) = torch.autograd.grad(losses.sum(), every)
    bounds = np.cumsum([first, *(len(rows) for rows in vectors)]).tolist()
    return [Share(losses[a:b].sum().detach(), gradient[a:b]) for a, b in pairwise(bounds)]


def _gather(accelerator: Accelerator, rows: Tensor) -> tuple[Tensor, int]:
    """Return the rows of all processes, which may have different numbers, and the index of this process's first."""
    if accelerator.num_processes == 1:
        return rows, 0
    sizes = accelerator.gather(torch.tensor([len(rows)], device=rows.device)).tolist()
    padded = rows.new_zeros(max(sizes), *rows.shape[1:])
    padded[: len(rows)] = rows
    parts = accelerator.gather(padded).split(max(sizes)) if max(sizes) else [rows] * len(sizes)
    every = torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])
    return every, sum(sizes[: accelerator.process_index])
