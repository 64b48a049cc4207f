"""Callbacks, which the trainer calls at fixed points of a run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar, Protocol

from paralign.objectives.base import Batches
from paralign.training.config import TrainingConfig
from paralign.training.learner import Learner

__all__ = ["Callback", "CallbackTrainer", "DevelopmentScore", "HeldOutEvaluation"]


class CallbackTrainer(Protocol):
    """What callbacks may use of :class:`paralign.training.trainer.Trainer`.

    Attributes:
        learner: encoder and objectives.
        batches: the training data.
        config: settings of the loop.
        settings: everything that decides the result, as JSON values.
        run_dir: folder of the run.
        title: shown in the progress line.
        step, steps: steps done, and length of the run.
        ranks: number of processes.
    """

    learner: Learner
    batches: Batches
    config: TrainingConfig
    settings: dict[str, Any]
    run_dir: Path
    title: str
    step: int
    steps: int
    ranks: int

    def record(self, **entry: Any) -> None:
        """Append an entry to the log and pass it to the callbacks."""

    def show(self, note: str) -> None:
        """Show a note in the progress line."""

    def evaluation(self) -> AbstractContextManager[Callable[[], float]]:
        """Give this process all weights for an evaluation; yields a function that returns the seconds it took."""
        ...

    def whole_weights(self) -> AbstractContextManager[Learner]:
        """Give this process all weights; changes to them are kept. Yields the learner."""
        ...

    def from_main_process(self, value: float) -> float:
        """Return the value of the first process."""
        ...

    def save_best(self) -> None:
        """Keep the current weights as the best of the run."""

    def load_best(self, step: int) -> None:
        """Restore the weights that :meth:`save_best` kept at a step."""


class Callback:
    """Base class of callbacks. Override the methods that are needed.

    Order of the calls: :meth:`load_state_dict` if the run is resumed, :meth:`on_train_start`; for each step
    :meth:`on_log` (every ``training.log_every`` steps), :meth:`on_step_end`, and :meth:`state_dict` if a checkpoint is
    saved; then :meth:`on_train_end`, :meth:`close` and :meth:`alarms`. Several callbacks are called in the order in
    which the trainer received them. All processes of a distributed run make the same calls.

    Attributes:
        name: key of the callback's state in a checkpoint; must be unique. Empty (the default): it has no state.
    """

    name: ClassVar[str] = ""

    def on_train_start(self, trainer: CallbackTrainer) -> None:
        """Called before the first step, after a checkpoint was loaded."""

    def on_step_end(self, trainer: CallbackTrainer) -> None:
        """Called after every optimizer step, before a checkpoint is saved."""

    def on_log(self, trainer: CallbackTrainer, entry: Mapping[str, Any]) -> None:
        """Called with every entry of the log: ``losses``, ``metrics``, ... of a step, or an ``event``."""

    def on_train_end(self, trainer: CallbackTrainer) -> None:
        """Called after the last step. Not called if the run was stopped or failed."""

    def close(self) -> None:
        """Called when the run ends, however it ends."""

    def alarms(self) -> list[str]:
        """Return the alarms raised so far, for the run's summary."""
        return []

    def state_dict(self) -> dict[str, Any]:
        """Return the state that a resumed run needs, as JSON values."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the state that :meth:`state_dict` returned."""


class HeldOutEvaluation(Callback):
    """Logs losses on held-out text every ``training.heldout_every`` steps and after the last one.

    Args:
        evaluate: returns the losses by name.
    """

    def __init__(self, evaluate: Callable[[], Mapping[str, float]]) -> None:
        self._evaluate = evaluate

    def on_step_end(self, trainer: CallbackTrainer) -> None:
        """Evaluate if it is time to."""
        if trainer.step % trainer.config.heldout_every and trainer.step < trainer.steps:
            return
        with trainer.evaluation() as clock:
            losses = dict(self._evaluate())
        trainer.record(event="heldout", step=trainer.step, losses=losses, seconds=round(clock(), 2))
        trainer.show("held out  " + "  ".join(f"{name} {value:.3f}" for name, value in losses.items()))


class DevelopmentScore(Callback):
    """Scores the model after every epoch; the weights of the best epoch become the result of the run.

    Of equal scores the first is the best. A score that is undefined (NaN) is worse than all others.

    Args:
        score: evaluates the model on development data.

    Attributes:
        lower_is_better: whether smaller scores are better; ``score`` sets it, because the metric is known only then.
    """

    name = "best"

    def __init__(self, score: Callable[[], float]) -> None:
        self._score = score
        self.lower_is_better = False
        self.best: dict[str, Any] = {"step": 0, "score": None}  # step 0: no weights were kept
        self._undefined: list[int] = []

    def on_step_end(self, trainer: CallbackTrainer) -> None:
        """Score at the end of an epoch, and keep the weights if they are the best so far."""
        if trainer.step % trainer.batches.steps_per_epoch and trainer.step < trainer.steps:
            return
        with trainer.evaluation():
            value = trainer.from_main_process(self._score())
        score = None if math.isnan(value) else value  # JSON has no NaN
        trainer.record(event="score", step=trainer.step, score=score)
        if score is None:
            self._undefined.append(trainer.step)
        if self.best["step"] == 0 or self._is_better(score):
            self.best = {"step": trainer.step, "score": score}
            trainer.save_best()

    def _is_better(self, score: float | None) -> bool:
        best = self.best["score"]
        if score is None or best is None:
            return score is not None
        return bool(score < best if self.lower_is_better else score > best)

    def on_train_end(self, trainer: CallbackTrainer) -> None:
        """Restore the best weights."""
        trainer.load_best(self.best["step"])

    def alarms(self) -> list[str]:
        """Return a warning if development scores were undefined."""
        if not self._undefined:
            return []
        steps = ", ".join(map(str, self._undefined))
        return [f"the development score is undefined after step {steps}; kept: the weights of step {self.best['step']}"]

    def state_dict(self) -> dict[str, Any]:
        """Return step and score of the best epoch, and the steps after which the score was undefined."""
        return {**self.best, "undefined": self._undefined}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self.best = {"step": state["step"], "score": state["score"]}
        self._undefined = list(state["undefined"])
