"""Alarms: collapse of the representation space, losses that stay at chance level, and objectives without work."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from paralign.batches.views import Batch
from paralign.errors import UserError
from paralign.training.callbacks import Callback, CallbackTrainer

__all__ = ["Alarms", "non_finite"]

_SIMILAR, _RANK = 0.98, 2.0
"""Mean cosine above which, and effective rank below which, vectors have collapsed."""
_PATIENCE = 3
"""Consecutive log entries that must agree."""
_COLLAPSED = 0.999
"""Mean cosine that is a collapse, whatever it was in the first entry."""
_WARM_UP = 1000
"""Steps after which an encoder trained from scratch has learned to distinguish sentences."""


class Alarms(Callback):
    """Raises an alarm on collapse, on losses that stay at chance level, and on objectives that have nothing to do.

    * Collapse: the mean cosine of vectors of different sentences is above 0.98, or their effective rank is below 2, in
      three consecutive log entries after the first fifth of the run (at most 1,000 steps). Vectors of some trained
      encoders, such as XLM-R, are that similar from the start: of these, the distance of the mean cosine from 1 must
      also be less than a fifth of what it was in the first entry, or below 0.001.
    * Stuck: after the first fifth of the run a loss is still within 0.5 % of chance level, log(K+1) for MoCo.
    * Nothing to do: a loss was exactly 0 in all log entries so far, three or all of a shorter run, as without word
      links; or at least half of the pairs of the first batch have equal sides.

    Args:
        chance: loss at chance level, by name; those of the trainer's objectives by default.
        steps: length of the run; the trainer's by default.
        trained: whether the encoder was trained before.
    """

    name = "alarms"

    def __init__(
        self,
        chance: Mapping[str, float] | None = None,
        steps: int | None = None,
        *,
        trained: bool = False,
    ) -> None:
        self._chance, self._steps, self._trained = chance, steps, trained
        self._initial: dict[str, float] = {}  # mean cosines of the first entry
        self._streaks: dict[str, int] = {}
        self._active: set[str] = set()  # losses that were not 0 in some entry
        self.raised: dict[str, str] = {}

    def on_train_start(self, trainer: CallbackTrainer) -> None:
        """Read chance levels and the length of the run from the trainer, and check the sides of its first batch."""
        self._chance = trainer.learner.chance() if self._chance is None else self._chance
        self._steps = trainer.steps if self._steps is None else self._steps
        if "equal sides" not in self.raised and not {"joint", "first", "second"}.isdisjoint(trainer.learner.requests):
            share = _equal_sides(trainer.batches.batch(0))
            if share >= 0.5:
                text = f"{share:.0%} of the pairs of the first batch have equal sides, so there is little to align"
                self.raised["equal sides"] = f"step {trainer.step}: {text}"
                trainer.record(event="alarm", step=trainer.step, message=self.raised["equal sides"])

    def on_log(self, trainer: CallbackTrainer, entry: Mapping[str, Any]) -> None:
        """Check an entry about a step; log the new alarms."""
        if "event" not in entry:
            weights = trainer.learner.weights()
            losses = {name: value for name, value in entry["losses"].items() if weights[name]}
            for message in self.check(entry["step"], losses, entry["metrics"]):
                trainer.record(event="alarm", step=entry["step"], message=message)

    def check(self, step: int, losses: Mapping[str, float], metrics: Mapping[str, float]) -> list[str]:
        """Return the new alarms of a step, as sentences. Each is raised only once."""
        assert self._chance is not None
        assert self._steps is not None
        messages: dict[str, str] = {}
        cosines = {name: value for name, value in metrics.items() if name.endswith("mean_cosine")}
        self._initial = cosines | self._initial
        for name, value in metrics.items() if step > min(self._steps / 5, _WARM_UP) else ():
            if name in cosines and value > _SIMILAR and self._has_collapsed(name, value):
                messages[name] = f"collapse: different sentences have a mean cosine of {value:.3f} ({name})"
            if name.endswith("effective_rank") and value < _RANK:
                messages[name] = f"collapse: sentence vectors span only {value:.1f} dimensions ({name})"
        for name, chance in self._chance.items():
            if step > self._steps / 5 and name in losses and abs(losses[name] - chance) < 0.005 * abs(chance):
                messages[name] = f"stuck: the loss {name} is {losses[name]:.3f}, which is chance level ({chance:.3f})"
        self._active |= {name for name, loss in losses.items() if loss}
        idle = {f"{name} = 0": name for name in losses if name not in self._active}
        for key, name in idle.items():
            messages[key] = f"no effect: the loss {name} has been 0 from the start, as if there were no links or pairs"
        self._streaks = {name: self._streaks.get(name, 0) + 1 for name in messages}
        enough = {name for name in messages if self._streaks[name] >= _PATIENCE}
        enough |= idle.keys() if step >= self._steps else set()
        new = [name for name in messages if name in enough and name not in self.raised]
        for name in new:
            self.raised[name] = f"step {step}: {messages[name]}"
        return [self.raised[name] for name in new]

    def _has_collapsed(self, name: str, cosine: float) -> bool:
        return not self._trained or cosine > _COLLAPSED or 1 - cosine < (1 - self._initial[name]) / 5

    def alarms(self) -> list[str]:
        """Return all alarms raised so far."""
        return list(self.raised.values())

    def state_dict(self) -> dict[str, Any]:
        """Return the streaks, the alarms raised, the losses that were not 0, and the first mean cosines."""
        active = sorted(self._active)
        return {"signs": self._streaks, "raised": self.raised, "active": active, "initial": self._initial}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the streaks and the alarms raised."""
        self._streaks = {name: int(count) for name, count in state["signs"].items()}
        self.raised = {name: str(text) for name, text in state["raised"].items()}
        self._active = set(state["active"])
        self._initial = {name: float(value) for name, value in state.get("initial", {}).items()}


def _equal_sides(batch: Batch) -> float:
    """Return the share of the pairs of a batch whose sides are the same pieces in the same order."""
    first = batch.view("first")
    try:
        second = batch.view("second")
    except UserError:  # plain text has one side
        return 0.0
    equal = 0
    for a, b, m, n in zip(first.starts, second.starts, first.lengths, second.lengths, strict=True):
        equal += int(m == n and np.array_equal(first.ids[a : a + m], second.ids[b : b + n]))
    return equal / max(1, batch.size)


def non_finite(values: Mapping[str, float]) -> list[str]:
    """Return the names of values that are infinite or not a number."""
    return [name for name, value in values.items() if not math.isfinite(value)]
