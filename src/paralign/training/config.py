"""Settings of the training loop."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from paralign.config import Config
from paralign.errors import UserError

__all__ = ["TrainingConfig"]

Beta = Annotated[float, Field(ge=0, lt=1)]


class TrainingConfig(Config):
    """Settings under ``[training]``; defaults are PPA's (Pan et al. 2021, section 3.4)."""

    model_config = ConfigDict(allow_inf_nan=False)

    batch: int = Field(default=128, ge=1)
    """Number of records per optimizer step, summed over processes and accumulation steps."""
    epochs: float = Field(default=10, gt=0)
    """Number of passes over the data; ignored if ``steps`` is set."""
    steps: int | None = Field(default=None, ge=1)
    """Number of optimizer steps. None: computed from ``epochs``."""
    learning_rate: float = Field(default=3e-5, gt=0)
    """Peak learning rate of the linear schedule."""
    warmup: float = Field(default=0.1, ge=0)
    """Linear warm-up: below 1 a fraction of all steps, rounded down but at least one step; otherwise a number of steps.
    0: none."""
    weight_decay: float = Field(default=0.01, ge=0)
    """Weight decay of AdamW; biases and norms are not decayed."""
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    """Coefficients of AdamW's moving averages."""
    eps: float = Field(default=1e-8, gt=0)
    """Epsilon of AdamW."""
    clip: float = Field(default=1.0, gt=0)
    """Maximum norm of the gradient."""
    accumulate: int = Field(default=1, ge=1)
    """Gradient accumulation: number of forward and backward passes per step, each over its share of the batch."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass (Chen et al. 2016): less memory, a third more time, same results."""
    shard: bool = False
    """Shard weights, gradients and moments over the processes (FSDP2), for encoders too large for one device. Same
    losses; no effect with one process."""
    compile: bool = False
    """Compile the layers with ``torch.compile``: for long runs on GPUs. Equal up to rounding."""
    dropout: float | None = Field(default=None, ge=0, lt=1)
    """Every dropout inside the encoder in this run: of embeddings, hidden states, attention and activations. Heads of
    tasks keep theirs. None: those of the encoder's config, which is not changed."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """``auto``: bf16 autocast if the hardware has bf16 matrix products and the encoder supports it, else fp32."""
    seed: int = Field(default=0, ge=0)
    """Seed of the order of batches, input shuffling, masking, dropout and new weights."""
    temperature: float = Field(default=1.0, ge=0.01)
    """Temperature of sampling over languages: 1 is proportional to size, higher values favor small languages."""
    window: int = Field(default=50, ge=1)
    """Number of batches whose records are sorted by length together."""
    shuffle: int = Field(default=4_194_304, ge=1)
    """Number of records that are shuffled together. A larger corpus is read in sections of at most this size, each of
    64 random blocks of consecutive records, so that memory for the order does not grow with the corpus. Not used for
    ``views.pack``."""
    chunk_cost: int | None = Field(default=None, ge=0)
    """Cost of an additional chunk, in positions. Rows of similar length are encoded in chunks, in the number that
    minimizes this cost plus padding. None: 256 on a CPU, 8,192 on an accelerator."""
    heldout_every: int = Field(default=500, ge=1)
    """Number of steps between evaluations on held-out text, if there is any."""
    log_every: int = Field(default=10, ge=1)
    """Number of steps between log entries."""
    gradient_cosine_every: int = Field(default=0, ge=0)
    """Number of steps between measurements of the cosine between the gradients of each pair of losses, by layer, on the
    first slice of the first process. Each costs a backward pass per loss and the memory of its gradients. 0: never."""
    checkpoint_every: int = Field(default=500, ge=1)
    """Number of steps between checkpoints. A single process also writes one 15 minutes after the last."""
    head_steps: int = Field(default=300, ge=0)
    """Number of batches on which a vocabulary head that the encoder did not have is trained alone before the run, if an
    objective needs one. 0: training starts with a random head."""
    keep: int = Field(default=2, ge=1)
    """Number of checkpoints kept; an older one is removed when a newer one is complete. With 1, there is no other to
    resume from if it is damaged later."""

    @model_validator(mode="after")
    def _measurable(self) -> Self:
        other = next((name for name in ("shard", "compile") if getattr(self, name)), None)
        if self.gradient_cosine_every and other:
            raise ValueError(f"gradient_cosine_every cannot be combined with {other}: remove one of them")
        return self

    def check_division(self, ranks: int) -> None:
        """Check that the batch can be divided among processes and accumulation steps.

        Raises:
            UserError: if it cannot.
        """
        if self.batch % (ranks * self.accumulate):
            raise UserError(
                f"training.batch = {self.batch} is not divisible by {ranks} processes x "
                f"{self.accumulate} accumulation steps",
                hint="change training.batch or training.accumulate",
            )

    def total_steps(self, steps_per_epoch: int) -> int:
        """Return the number of optimizer steps of a run."""
        steps = math.ceil(round(self.epochs * steps_per_epoch, 6))  # 0.07 * 100 is 7.000000000000001
        return self.steps or max(1, steps)

    def warmup_steps(self, steps: int) -> int:
        """Return the number of warm-up steps of a run of ``steps`` steps."""
        if 0 < self.warmup < 1:
            return max(1, int(round(self.warmup * steps, 6)))  # 0.29 * 100 is 28.999999999999996
        return int(min(self.warmup, steps))
