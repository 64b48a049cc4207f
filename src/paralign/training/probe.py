"""What a step would cost: a few of them, to be thrown away."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import torch

from paralign.training.memory import ADAM, peak_memory
from paralign.training.trainer import Trainer

__all__ = ["Probed", "probe"]

_STEPS = 4


@dataclass(frozen=True)
class Probed:
    """Of one optimizer step.

    Attributes:
        seconds: median.
        pieces: encoded in it, by all processes, mean.
        peak: bytes; on a CPU of the whole process, on an accelerator what torch held there.
        whole: bytes of weights, gradients and Adam's moments.
        fixed: this process's part of them, a part of ``peak``.
    """

    seconds: float
    pieces: float
    peak: int
    whole: int
    fixed: int


def probe(trainer: Trainer) -> Probed:
    """Prepare and run a few steps; the learner is spoilt by it.

    Args:
        trainer: nothing of it has run.
    """
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    seconds = []
    trainer.begin()
    for _ in range(min(_STEPS, trainer.steps)):
        began = time.monotonic()
        trainer.once()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        seconds.append(time.monotonic() - began)
    whole = sum(p.numel() * p.element_size() * (1 + ADAM * p.requires_grad) for p in trainer.learner.parameters())
    fixed = whole // (trainer.ranks if trainer.placed.together else 1)
    # The first step pays for what is made once.
    return Probed(
        statistics.median(seconds[1:] or seconds), trainer.pieces_seen / trainer.step, peak_memory(), whole, fixed
    )
