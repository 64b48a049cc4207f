"""Alarms: collapse of the representation space, and losses that stay at chance level."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from paralign.training.callbacks import Callback, CallbackTrainer

__all__ = ["Alarms", "non_finite"]

_WARM_UP = 1000
"""Steps after which an encoder trained from scratch has learned to distinguish sentences."""


class Alarms(Callback):
    """Raises an alarm on collapse and on losses that stay at chance level.

    * Collapse: the mean cosine of vectors of different sentences is above ``cosine``, or their effective rank is below
      ``rank``, in ``patience`` consecutive log entries after the first fifth of the run (at most 1,000 steps).
    * Stuck: after the first fifth of the run a loss is still within 0.5 % of chance level, log(K+1) for MoCo.

    Args:
        chance: loss at chance level, by name; those of the trainer's objectives by default.
        steps: length of the run; the trainer's by default.
        cosine: threshold of collapse.
        rank: threshold of collapse.
        patience: number of consecutive log entries.
    """

    name = "alarms"

    def __init__(
        self,
        chance: Mapping[str, float] | None = None,
        steps: int | None = None,
        *,
        cosine: float = 0.98,
        rank: float = 2.0,
        patience: int = 3,
    ) -> None:
        self._chance, self._steps = chance, steps
        self._cosine, self._rank, self._patience = cosine, rank, patience
        self._streaks: dict[str, int] = {}
        self.raised: dict[str, str] = {}

    def on_train_start(self, trainer: CallbackTrainer) -> None:
        """Read chance levels and the length of the run from the trainer."""
        self._chance = trainer.learner.chance() if self._chance is None else self._chance
        self._steps = trainer.steps if self._steps is None else self._steps

    def on_log(self, trainer: CallbackTrainer, entry: Mapping[str, Any]) -> None:
        """Check an entry about a step; log the new alarms."""
        if "event" not in entry:
            for message in self.check(entry["step"], entry["losses"], entry["metrics"]):
                trainer.record(event="alarm", step=entry["step"], message=message)

    def check(self, step: int, losses: Mapping[str, float], metrics: Mapping[str, float]) -> list[str]:
        """Return the new alarms of a step, as sentences. Each is raised only once."""
        assert self._chance is not None
        assert self._steps is not None
        messages: dict[str, str] = {}
        for name, value in metrics.items() if step > min(self._steps / 5, _WARM_UP) else ():
            if name.endswith("mean_cosine") and value > self._cosine:
                messages[name] = f"collapse: different sentences have a mean cosine of {value:.3f} ({name})"
            if name.endswith("effective_rank") and value < self._rank:
                messages[name] = f"collapse: sentence vectors span only {value:.1f} dimensions ({name})"
        for name, chance in self._chance.items():
            if step > self._steps / 5 and name in losses and abs(losses[name] - chance) < 0.005 * abs(chance):
                messages[name] = f"stuck: the loss {name} is {losses[name]:.3f}, which is chance level ({chance:.3f})"
        self._streaks = {name: self._streaks.get(name, 0) + 1 for name in messages}
        new = [name for name in messages if self._streaks[name] >= self._patience and name not in self.raised]
        for name in new:
            self.raised[name] = f"step {step}: {messages[name]}"
        return [self.raised[name] for name in new]

    def alarms(self) -> list[str]:
        """Return all alarms raised so far."""
        return list(self.raised.values())

    def state_dict(self) -> dict[str, Any]:
        """Return the streaks and the alarms raised."""
        return {"signs": self._streaks, "raised": self.raised}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the streaks and the alarms raised."""
        self._streaks = {name: int(count) for name, count in state["signs"].items()}
        self.raised = {name: str(text) for name, text in state["raised"].items()}


def non_finite(values: Mapping[str, float]) -> list[str]:
    """Return the names of values that are infinite or not a number."""
    return [name for name, value in values.items() if not math.isfinite(value)]
