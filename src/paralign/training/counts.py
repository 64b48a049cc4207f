"""Number of terms of the losses in the batches of a run."""

from __future__ import annotations

import torch
from accelerate import Accelerator

from paralign.objectives.base import Batches
from paralign.training.learner import Learner

__all__ = ["mean_counts"]


def mean_counts(learner: Learner, batches: Batches, steps: int, accelerator: Accelerator) -> dict[str, float]:
    """Return the mean number of terms of each loss in the first global batches; a collective operation.

    Args:
        learner: the objectives.
        batches: the batches.
        steps: number of batches: those of a window, which together have rows of all lengths.
        accelerator: the other processes.
    """
    names = list(learner.weights())
    rank, ranks = accelerator.process_index, accelerator.num_processes
    local = [learner.counts(batches.batch(step, rank, ranks)) for step in range(min(steps, batches.steps_per_epoch))]
    totals = torch.tensor([sum(counts[name] for counts in local) for name in names], device=accelerator.device)
    shared = accelerator.reduce(totals, "sum").tolist()
    return {name: total / len(local) for name, total in zip(names, shared, strict=True)}
