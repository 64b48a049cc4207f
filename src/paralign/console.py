"""Messages on standard error."""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

__all__ = [
    "dropped_note",
    "echo",
    "echo_dropped",
    "is_command_line",
    "is_main_process",
    "list_counts",
    "printable",
    "progress_lines",
    "rough_duration",
]

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


def echo_dropped(dropped: Counter[str], items: str, *, quiet: bool = False) -> None:
    """Print how many items were dropped, by reason; nothing if there are none.

    Args:
        dropped: number of items by reason.
        items: what they are called, in the plural.
        quiet: print nothing.
    """
    if reasons := list_counts(dropped):
        echo(f"{items} dropped: {reasons}", quiet=quiet)


def list_counts(counts: Counter[str]) -> str:
    """Return counts as text, the largest first, without those of 0.

    >>> list_counts(Counter({"empty": 3, "too long": 1200, "too short": 0}))
    '1,200 too long, 3 empty'
    """
    return ", ".join(f"{number:,} {name}" for name, number in counts.most_common() if number)


def dropped_note(dropped: Counter[str]) -> str:
    """Return the end of a message that says why items were dropped; empty if none were.

    >>> dropped_note(Counter({"empty": 3})), dropped_note(Counter())
    (' (dropped: 3 empty)', '')
    """
    reasons = list_counts(dropped)
    return f" (dropped: {reasons})" if reasons else ""


def progress_lines(every: int, text: str, *, last: int | None = None, quiet: bool = False) -> Callable[..., None]:
    """Return a function of one or more counts that prints a line whenever the first one has grown by ``every``.

    Args:
        every: number of items from one line to the next.
        text: the line, with a field for each count: ``"{:,} lines read, {:,} kept"``.
        last: the first count at the end, at which a line is printed too. None: it is not known.
        quiet: print nothing.
    """
    printed = 0

    def progress(count: int, *others: int) -> None:
        nonlocal printed
        if count - printed >= every or count == last:
            printed = count
            echo(text.format(count, *others), quiet=quiet)

    return progress


def is_main_process() -> bool:
    """Return whether this is the only process or the first of several (``RANK`` 0)."""
    return int(os.environ.get("RANK", "0")) == 0


def is_command_line() -> bool:
    """Return whether this process is the command ``paralign``, not a script or a notebook."""
    program = Path(sys.argv[0])
    return program.stem == "paralign" or program.parts[-2:] == ("paralign", "__main__.py")


def rough_duration(seconds: float) -> str:
    """Return a duration in hours and minutes, in minutes, or in seconds.

    >>> rough_duration(7260), rough_duration(600), rough_duration(45.2)
    ('2 h 01 min', '10 min', '45 s')
    """
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours:,} h {minutes:02d} min" if hours else f"{minutes} min" if seconds > 90 else f"{seconds:.0f} s"
