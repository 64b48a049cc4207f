"""What commands share that make several runs in one folder."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from paralign.errors import UserError
from paralign.verbs.folder import say

__all__ = ["begin", "command_line", "each"]


def begin(out: Path, resume: bool, quiet: bool) -> Callable[[str], None]:
    """See that the folder is free, or taken up again; what tells each stage with the seconds since.

    Raises:
        UserError: if it is in use.
    """
    if out.exists() and any(out.iterdir()) and not resume:
        raise UserError("the output folder is in use", where=out, mend="--resume to go on, or another --out")
    began = time.monotonic()
    return lambda text: say(f"{text}  [{time.monotonic() - began:.0f} s]", quiet=quiet)


def command_line(*words: object) -> str:
    """The command a person would type."""
    return shlex.join(["paralign", *map(str, words)])


def each(option: str, values: Iterable[str]) -> list[str]:
    """``option value`` for every value."""
    return [word for value in values for word in (option, value)]
