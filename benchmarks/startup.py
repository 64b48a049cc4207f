"""Time until ``paralign --help`` is printed.

    python benchmarks/startup.py [--repeats 9]

Wall-clock time of whole processes, taking turns: the bare interpreter, ``import paralign``, and ``--help``.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

from machine import finish, median_of, table

COMMANDS = {
    "python -c pass": ("-c", "pass"),
    "import paralign": ("-c", "import paralign"),
    "paralign --help": ("-m", "paralign", "--help"),
}


def seconds_of(arguments: Sequence[str]) -> float:
    """Return the wall-clock time of one process of this Python."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def measure(repeats: int) -> dict[str, Any]:
    """Return seconds by command, after one unmeasured round that fills the file cache."""
    for arguments in COMMANDS.values():
        seconds_of(arguments)
    rounds = [{name: seconds_of(words) for name, words in COMMANDS.items()} for _ in range(repeats)]
    return {name: median_of([one[name] for one in rounds]) for name in COMMANDS}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure; print the table and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9)
    given = parser.parse_args(arguments)
    found = measure(given.repeats)
    rows = [[name, *(f"{1000 * s[key]:.0f}" for key in ("median", "min", "max"))] for name, s in found.items()]
    print(table(["ms", "median", "min", "max"], rows))
    finish("startup", {"repeats": given.repeats, "seconds": found})


if __name__ == "__main__":
    main()
