"""Which checkpoint to return to after a run diverged: the last one before the loss rose."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from paralign.errors import UserError
from paralign.training.checkpoint import path_of

__all__ = ["CheckpointLosses", "Diverged"]

_FACTOR, _MARGIN = 1.5, 0.5
_HINT = "lower training.learning_rate in a new run"


class Diverged(UserError):
    """A loss or the gradient became infinite or NaN.

    Args:
        message: which, and when.
        run: folder of the run.
        checkpoint: the last good checkpoint. None: there is none.
    """

    def __init__(self, message: str, run: Path, checkpoint: Path | None) -> None:
        super().__init__(message, where=run, hint=_HINT)
        self._checkpoint = checkpoint

    def of_align(self) -> UserError:
        """Return the error of a run of ``align``, which can start from the last good checkpoint."""
        found = f"the last good checkpoint is {self._checkpoint}, see align --from-checkpoint"
        hint = f"{_HINT}; {found if self._checkpoint else 'no checkpoint is good'}"
        return UserError(self.message, where=self.where, hint=hint)


class CheckpointLosses:
    """The loss of the first batch after each checkpoint, which is computed with exactly the weights in the checkpoint.

    A checkpoint is good if this loss is at most 1.5 times the lowest of them (the start included) plus 0.5. The loss
    of exploded weights is far above that, and the difference between two batches is smaller.
    """

    def __init__(self) -> None:
        self._in_checkpoint = True
        self._losses: dict[int, float] = {}

    def add(self, step: int, loss: float) -> None:
        """Add the loss of a batch, computed with the weights after ``step`` steps. Only the first one is kept."""
        if self._in_checkpoint:
            self._losses[step] = loss if math.isfinite(loss) else math.inf
        self._in_checkpoint = False

    def saved(self) -> None:
        """Note that a checkpoint has been written: the next loss is that of its weights."""
        self._in_checkpoint = True

    def last_good(self) -> int | None:
        """Return the last step whose checkpoint is good, 0 for the start. None: there is none."""
        lowest = min(self._losses.values(), default=math.inf)
        limit = max(lowest, lowest * _FACTOR) + _MARGIN
        good = [step for step, loss in self._losses.items() if loss <= limit and math.isfinite(loss)]
        return max(good, default=None)

    def needed(self) -> int | None:
        """Return the step of a checkpoint to keep although newer ones exist, because the newest known loss is bad."""
        good = self.last_good()
        return None if not self._losses or good == max(self._losses) else good

    def diverged(self, losses: Sequence[str], step: int, run: Path) -> Diverged:
        """Return the error of a run that diverged.

        Args:
            losses: names of the losses that are not finite.
            step: the step, counted from 1.
            run: folder of the run.
        """
        path = path_of(run / "checkpoints", self.last_good() or 0)
        message = f"{', '.join(losses)} became infinite or NaN at step {step:,}"
        return Diverged(message, run, path if path.is_dir() else None)

    def state_dict(self) -> dict[str, float | None]:
        """Return the losses by step; JSON has no infinity."""
        return {str(step): loss if math.isfinite(loss) else None for step, loss in self._losses.items()}

    def load_state_dict(self, state: Mapping[str, float | None]) -> None:
        """Restore the losses."""
        self._losses = {int(step): math.inf if loss is None else float(loss) for step, loss in state.items()}
