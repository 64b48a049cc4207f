"""Settings of the loop."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from paralign.config import Config

__all__ = ["TrainingConfig"]


class TrainingConfig(Config):
    """Settings of the loop; defaults are PPA's (Pan et al. 2021, section 3.4)."""

    batch: int = Field(default=128, ge=1)
    """Records in a global batch: over all processes and accumulation steps."""
    epochs: float = Field(default=10, gt=0)
    steps: int | None = Field(default=None, ge=1)
    """Optimizer steps; overrides ``epochs``."""
    learning_rate: float = Field(default=3e-5, gt=0)
    """Peak of the schedule."""
    warmup: float = Field(default=0.1, ge=0)
    """Share of all steps below 1, else a number of steps."""
    weight_decay: float = Field(default=0.01, ge=0)
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = Field(default=1e-8, gt=0)
    clip: float = Field(default=1.0, gt=0)
    """Largest norm of the gradient."""
    accumulate: int = Field(default=1, ge=1)
    """Forward and backward passes a step, each over its share of the batch."""
    gradient_checkpointing: bool = False
    """Keep only what enters each layer and compute the rest again in the backward pass (Chen et al. 2016): less memory
    for a third more time, the same numbers."""
    shard: bool = False
    """Divide weights, gradients and moments between the processes (FSDP2) instead of keeping all in each: for encoders
    too large for one device. The same losses; nothing changes with one process."""
    compile: bool = False
    """Compile the layers (``torch.compile``): for GPUs, in long runs. Equal up to rounding."""
    dropout: float | None = Field(default=None, ge=0, lt=1)
    """Of states and attention in this run; the encoder's own by default. Its config keeps what it says."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """``auto``: bf16 autocast where the hardware multiplies bf16."""
    seed: int = Field(default=0, ge=0)
    """Of order, coins, masks, dropout and fresh weights."""
    temperature: float = Field(default=1.0, gt=0)
    """Of sampling over languages: 1 is proportional."""
    window: int = Field(default=50, ge=1)
    """Batches sorted by length together."""
    chunk_cost: int | None = Field(default=None, ge=0)
    """What one more chunk of rows costs, in positions: each view is encoded in as many chunks by length as make this
    and the padding the least together. By default 256 on a CPU, 2,048 on an accelerator."""
    heldout_every: int = Field(default=500, ge=1)
    """Steps between two looks at held-out text, where there is some."""
    log_every: int = Field(default=10, ge=1)
    """Steps."""
    checkpoint_every: int = Field(default=500, ge=1)
    """Steps."""
    keep: int = Field(default=2, ge=1)
    """Checkpoints kept."""

    def total_steps(self, steps_per_epoch: int) -> int:
        """Length of the run."""
        return self.steps or max(1, math.ceil(self.epochs * steps_per_epoch))

    def warmup_steps(self, steps: int) -> int:
        """Length of the warm-up."""
        return int(self.warmup * steps if self.warmup < 1 else min(self.warmup, steps))
