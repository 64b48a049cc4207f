"""Messages on standard error."""

from __future__ import annotations

import os
import sys

__all__ = ["echo", "is_main_process"]


def echo(text: str, *, quiet: bool = False) -> None:
    """Print one line on standard error, in the main process only.

    Args:
        text: the line.
        quiet: print nothing.
    """
    if not quiet and is_main_process():
        print(text, file=sys.stderr, flush=True)


def is_main_process() -> bool:
    """Return whether this is the only process or the first of several (``RANK`` 0)."""
    return int(os.environ.get("RANK", "0")) == 0
