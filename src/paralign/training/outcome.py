"""The summary of a run."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Outcome"]


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
