"""Options of a run that are not settings: they are not recorded in ``config.toml``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["RunOptions"]


@dataclass(frozen=True)
class RunOptions:
    """Options of a run that are not settings: where it is written, what it prints, how it treats unreadable input.

    Attributes:
        out: folder of the run.
        resume: continue the run in ``out``.
        quiet: print nothing.
        lenient: drop and count input that cannot be read instead of raising.
        track: names of experiment trackers that receive the log.
        command: command line recorded with the run. None: that of this process.
    """

    out: Path
    resume: bool = False
    quiet: bool = False
    lenient: bool = False
    track: tuple[str, ...] = ()
    command: str | None = None
