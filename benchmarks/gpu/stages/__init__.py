"""The stages, most important first. A stage is a module with ``measurements(context) -> list[Measurement]``."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["STAGES", "Stage", "stage_of"]


@dataclass(frozen=True)
class Stage:
    """A stage of the campaign; it runs in a process of its own.

    Attributes:
        name: name on the command line and in the results.
        seconds: time limit.
        tiny: time limit with ``--tiny``.
        module: module with its measurements.
    """

    name: str
    seconds: float
    tiny: float
    module: str


STAGES = (
    Stage("correct", 100, 60, "stages.correct"),
    Stage("step", 180, 60, "stages.step"),
    Stage("rates", 110, 75, "stages.rates"),
    Stage("words", 60, 40, "stages.words"),
)


def stage_of(name: str) -> Stage:
    """Return the stage with this name."""
    return next(stage for stage in STAGES if stage.name == name)
