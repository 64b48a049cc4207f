"""Small training runs that can be interrupted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from paralign.batches.views import ViewsConfig
from paralign.commands.arguments import as_overrides
from paralign.errors import Stopped
from paralign.runs.objectives import make_objectives
from paralign.runs.settings import run_settings
from paralign.training import CorpusBatches, Learner, Trainer

QUICK = {
    "batch": 12,
    "steps": 9,
    "learning_rate": 3e-3,
    "precision": "fp32",
    "log_every": 1,
    "checkpoint_every": 4,
}
CLOCK = ("time", "tokens_per_s", "pairs_per_s", "eta_s")


@contextmanager
def stopped_at(step: int) -> Iterator[None]:
    """Stop any run inside the context after this number of steps, as SIGTERM does."""
    optimize = Trainer._optimize

    def stop(self: Trainer, slices: Any) -> Any:
        if self.step >= step:
            self.signal.pending = 15
        return optimize(self, slices)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "_optimize", stop)
        with pytest.raises(Stopped):
            yield


@contextmanager
def crashed_at(
    step: int, error: BaseException | type[BaseException] = KeyboardInterrupt, *, seed: int | None = None
) -> Iterator[pytest.ExceptionInfo[BaseException]]:
    """Raise an error after this number of steps of any run inside the context, which catches it.

    Args:
        step: number of steps.
        error: what is raised.
        seed: only in the run with this seed. None: in all.
    """
    optimize = Trainer._optimize

    def crash(self: Trainer, slices: Any) -> Any:
        if self.step == step and seed in (None, self.config.seed):
            raise error
        return optimize(self, slices)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "_optimize", crash)
        with pytest.raises(error if isinstance(error, type) else type(error)) as caught:
            yield caught


class Interrupted:
    """Batches that call a function when the slices of a step are requested."""

    def __init__(self, batches: CorpusBatches, at: int | None, act: Callable[[], None]) -> None:
        self._batches, self._at, self._act = batches, at, act
        self.size, self.records = batches.size, batches.records
        self.steps_per_epoch, self.fingerprint = batches.steps_per_epoch, batches.fingerprint

    def batch(self, step: int, part: int = 0, parts: int = 1) -> Any:
        """Return a batch of the wrapped batches."""
        return self._batches.batch(step, part, parts)

    def slices(self, step: int, part: int, parts: int, count: int) -> Any:
        """Return slices of a batch of the wrapped batches."""
        if step == self._at:
            self._act()
        return self._batches.slices(step, part, parts, count)


def nothing() -> None:
    """Do nothing."""


def trainer(
    encoder: Any,
    store: Any,
    run: Path,
    *,
    objectives: str = "ppa",
    at: int | None = None,
    act: Callable[[], None] = nothing,
    settings: dict[str, Any] | None = None,
    **training: Any,
) -> Trainer:
    """Return a trainer of a new learner; ``act`` is called when the slices of step ``at`` are requested."""
    config = run_settings(objectives, as_overrides({"training": QUICK | training}))
    if "moco" in config.objectives:
        config = run_settings(
            objectives, as_overrides({"training": QUICK | training, "moco": {"queue": 30, "projection": 8}})
        )
    batches = CorpusBatches(store, encoder.template, ViewsConfig(), config.training, longest=encoder.max_pieces)
    learner = Learner(encoder, make_objectives(config, encoder))
    facts = settings if settings is not None else config.model_dump(mode="json")
    return Trainer(learner, Interrupted(batches, at, act), config.training, run=run, settings=facts, quiet=True)


def log_of(run: Path) -> list[dict[str, Any]]:
    """Return the log without values that depend on time."""
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in CLOCK} for line in lines]


def losses_of(run: Path) -> list[dict[str, float]]:
    """Return the losses of every logged step."""
    return [line["losses"] for line in log_of(run) if "losses" in line]


def module_bytes(run: Path, step: int) -> bytes:
    """Return the weights of a checkpoint as bytes."""
    return (run / "checkpoints" / f"step-{step:08d}" / "module.safetensors").read_bytes()
