"""Messages on standard error."""

from __future__ import annotations

import os
import re
import sys

__all__ = ["echo", "is_main_process", "printable"]

_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def printable(text: str) -> str:
    r"""Return a text for one line of a terminal: control characters, as in names of files, are escaped.

    Such characters could change the title of the terminal or hide part of the line.

    >>> print(printable("a\x1b[31mb\nc"))
    a\x1b[31mb\nc
    """
    return _CONTROLS.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def echo(text: str, *, quiet: bool = False) -> None:
    """Print one line on standard error, in the main process only.

    Args:
        text: the line.
        quiet: print nothing.
    """
    if not quiet and is_main_process():
        print(printable(text), file=sys.stderr, flush=True)


def is_main_process() -> bool:
    """Return whether this is the only process or the first of several (``RANK`` 0)."""
    return int(os.environ.get("RANK", "0")) == 0
