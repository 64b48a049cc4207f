"""What commands share that make several runs in one folder."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from paralign.console import echo, is_main_process
from paralign.errors import UserError
from paralign.results import Measurement, read_results

__all__ = ["begin", "command_line", "each", "results_of"]


def begin(out: Path, resume: bool, quiet: bool) -> Callable[[str], None]:
    """See that the folder is free, or taken up again; what tells each stage with the seconds since.

    Raises:
        UserError: if it is in use.
    """
    if out.exists() and not out.is_dir():
        raise UserError("is a file, not a folder", where=out, hint="another --out")
    if is_main_process() and out.exists() and any(out.iterdir()) and not resume:
        raise UserError("the output folder is in use", where=out, hint="--resume to go on, or another --out")
    began = time.monotonic()
    return lambda text: echo(f"{text}  [{time.monotonic() - began:.0f} s]", quiet=quiet)


def command_line(*words: object) -> str:
    """The command a person would type."""
    return shlex.join(["paralign", *map(str, words)])


def each(option: str, values: Iterable[str]) -> list[str]:
    """``option value`` for every value."""
    return [word for value in values for word in (option, value)]


def results_of(runs: Sequence[str | Path]) -> tuple[list[tuple[Path, Measurement]], list[str]]:
    """All measurements in folders and those inside them, with the folder of each; and what could not be read, in words.

    Raises:
        UserError: for a folder without results.
    """
    files: set[Path] = set()
    for run in runs:
        inside = set(Path(run).rglob("results.jsonl"))
        if not inside:
            raise UserError("no results.jsonl in the folder", where=run, hint="give folders of finetune and evaluate")
        files |= inside
    if not files:
        raise UserError("no folders are given", hint="give folders of finetune and evaluate")
    torn: list[str] = []
    rows = [(file.parent, row) for file in sorted(files) for row in read_results(file, torn=torn)]
    return rows, [f"{place}: the line is cut off and was passed over" for place in torn]
