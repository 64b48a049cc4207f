"""The outcome of a run: a summary, or an exception if a signal stopped it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Outcome", "Stopped"]


class Stopped(Exception):
    """The run was asked to stop and has saved a checkpoint.

    Args:
        signum: the signal.
        step: the step after which a run stopped. None: several runs stopped.

    Attributes:
        code: exit code, 130 for Ctrl-C and 143 for SIGTERM.
    """

    def __init__(self, signum: int, step: int | None) -> None:
        self.code = 128 + signum
        where = "" if step is None else f" after step {step:,}; the checkpoint is saved"
        super().__init__(f"stopped{where}, continue with --resume")


@dataclass
class Outcome:
    """Summary of a run, over all its resumptions."""

    steps: int
    records_seen: int
    pieces_seen: int
    seconds: float
    padding: float
    """Share of the encoded positions that were padding."""
    alarms: list[str]
    device: str
    precision: str
    ranks: int
    signal: int = 0
    """A signal received during the last step or the last evaluation: too late to stop this run."""
