"""The cost of a training step, measured on a few steps that are discarded."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import torch

from paralign.device import uses_cuda
from paralign.training.head import fit_new_head
from paralign.training.memory import ADAM, peak_memory
from paralign.training.trainer import Trainer

__all__ = ["StepCost", "probe"]

_STEPS = 4
_PREPARE = 3
"""Number of batches of the preparation that are measured, after one that includes one-time costs."""


@dataclass(frozen=True)
class StepCost:
    """The cost of one optimizer step.

    Attributes:
        seconds: median duration.
        pieces: mean number of tokenizer pieces encoded by all processes.
        peak: peak memory in bytes: of the process on a CPU, of PyTorch on an accelerator.
        whole: bytes of weights, gradients and Adam's moments.
        fixed: the part of them that this process holds; included in ``peak``.
        prepare: seconds before the first step of a run, in which a new vocabulary head is trained alone and MoCo fills
            its queue.
    """

    seconds: float
    pieces: float
    peak: int
    whole: int
    fixed: int
    prepare: float


def probe(trainer: Trainer) -> StepCost:
    """Measure a few steps, and a few batches of the preparation before them. The learner cannot be used afterwards.

    Args:
        trainer: a trainer that has not run yet.
    """
    if uses_cuda():
        torch.cuda.reset_peak_memory_stats()
    prepare = _probe_head(trainer) + _probe_preparation(trainer)
    seconds = []
    for _ in range(min(_STEPS, trainer.steps)):
        began = time.monotonic()
        trainer.train_step()
        if uses_cuda():
            torch.cuda.synchronize()
        seconds.append(time.monotonic() - began)
    whole = sum(p.numel() * p.element_size() * (1 + ADAM * p.requires_grad) for p in trainer.learner.parameters())
    fixed = whole // (trainer.ranks if trainer.placement.collective else 1)
    # The first step includes one-time costs.
    return StepCost(
        statistics.median(seconds[1:] or seconds),
        trainer.pieces_seen / trainer.step,
        peak_memory(),
        whole,
        fixed,
        prepare,
    )


def _probe_head(trainer: Trainer) -> float:
    """Train a new vocabulary head for a few steps; return the estimated seconds of all of them."""
    steps = trainer.config.head_steps
    fit_new_head(trainer, min(1, steps))  # includes one-time costs
    began = time.monotonic()
    measured = len(fit_new_head(trainer, min(_PREPARE, steps)))
    return (time.monotonic() - began) * steps / measured if measured else 0.0


def _probe_preparation(trainer: Trainer) -> float:
    """Prepare the objectives with few batches; return the estimated seconds of the whole preparation."""
    objectives = list(trainer.learner.objectives_by_name().values())
    total = sum(objective.prepare_batches(trainer.batches) for objective in objectives)
    seconds = 0.0
    for maximum in (1, _PREPARE) if total else (_PREPARE,):
        began = time.monotonic()
        trainer.prepare_objectives(maximum)
        if uses_cuda():
            torch.cuda.synchronize()
        seconds = time.monotonic() - began
    measured = sum(min(_PREPARE, objective.prepare_batches(trainer.batches)) for objective in objectives)
    return seconds * max(1.0, total / max(1, measured))
