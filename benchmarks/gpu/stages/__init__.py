"""The stages, in order of worth. A stage is a module with ``measurements(context) -> list[Measurement]``."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["STAGES", "Stage", "stage_of"]


@dataclass(frozen=True)
class Stage:
    """One process of the campaign.

    Attributes:
        name: on the command line and in the results.
        seconds: it is stopped after so many.
        tiny: the same with ``--tiny``.
        module: where its measurements are.
    """

    name: str
    seconds: float
    tiny: float
    module: str


STAGES = (
    Stage("correct", 100, 60, "stages.correct"),
    Stage("step", 180, 60, "stages.step"),
    Stage("rates", 110, 75, "stages.rates"),
    Stage("words", 100, 40, "stages.words"),
    Stage("evidence", 400, 60, "stages.evidence"),
)


def stage_of(name: str) -> Stage:
    """By name."""
    return next(stage for stage in STAGES if stage.name == name)
