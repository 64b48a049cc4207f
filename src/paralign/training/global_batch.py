"""The first of two passes over a divided batch, for objectives that compare items of the whole batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from paralign.batches.views import Batch
from paralign.objectives.global_batch import GlobalObjective, Share
from paralign.training.learner import Learner

__all__ = ["global_shares"]


def global_shares(
    accelerator: Accelerator, learner: Learner, module: nn.Module, slices: Sequence[Batch], seed: Callable[[int], None]
) -> Iterator[dict[str, Share]]:
    """Yield for each slice of this process its shares of the losses of the whole batch, by objective.

    The slices are encoded without gradient. If there is no such objective or only one slice in all, nothing is encoded
    and there are no shares.

    Args:
        accelerator: autocast, and the other processes.
        learner: the encoder and the objectives.
        module: the module that runs a step: the learner, or a wrapper of it.
        slices: the slices of this process.
        seed: called with the number of a slice before it is encoded.

    Raises:
        UserError: see the objectives.
    """
    objectives = {n: o for n, o in learner.objectives_by_name().items() if isinstance(o, GlobalObjective)}
    if not objectives or len(slices) * accelerator.num_processes == 1:
        yield from ({} for _ in slices)
        return
    vectors: dict[str, list[Tensor]] = {name: [] for name in objectives}
    for number, batch in enumerate(slices):
        seed(number)
        with torch.no_grad(), accelerator.autocast():
            for name, rows in module(batch, represent=True).items():
                vectors[name].append(rows)
    shares: list[dict[str, Share]] = [{} for _ in slices]
    for name, objective in objectives.items():
        for number, share in enumerate(_shares(accelerator, objective, vectors[name], slices)):
            shares[number][objective.name] = share
    yield from shares


def _shares(
    accelerator: Accelerator, objective: GlobalObjective, vectors: Sequence[Tensor], slices: Sequence[Batch]
) -> list[Share]:
    """Return the shares of the slices of this process in the loss of one objective."""
    own = torch.cat(list(vectors))
    identities = np.concatenate([objective.identify(batch) for batch in slices])
    every, first = _gather(accelerator, own)
    of_all, _ = _gather(accelerator, torch.from_numpy(identities).to(own.device))
    every.requires_grad_()
    losses = objective.losses(every, of_all.cpu().numpy())
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
