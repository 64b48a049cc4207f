"""How a command is run: options that do not belong to the method."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["RunOptions"]


@dataclass(frozen=True)
class RunOptions:
    """Options of a run that do not decide what is computed.

    Attributes:
        out: folder of the run.
        resume: continue the run in ``out``.
        quiet: print nothing.
        lenient: drop and count input that cannot be read instead of raising.
        track: experiment trackers that follow the log.
        command: recorded with the run; None: the command line of this process.
    """

    out: Path
    resume: bool = False
    quiet: bool = False
    lenient: bool = False
    track: tuple[str, ...] = ()
    command: str | None = None
