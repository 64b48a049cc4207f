"""Commands that start several runs in one folder: the output folder, command lines and results."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from paralign.console import echo, is_main_process
from paralign.errors import UserError
from paralign.results import Measurement, read_results

__all__ = ["begin", "command_line", "results_of"]


def begin(out: Path, resume: bool, quiet: bool) -> Callable[[str], None]:
    """Check that the folder is free or resumed.

    Returns:
        A function that prints a line with the seconds since the command began.

    Raises:
        UserError: if the folder is in use.
    """
    if out.exists() and not out.is_dir():
        raise UserError("is a file, not a folder", where=out, hint="use another --out")
    if is_main_process() and out.exists() and any(out.iterdir()) and not resume:
        raise UserError("the output folder is in use", where=out, hint="--resume to continue, or another --out")
    began = time.monotonic()
    return lambda text: echo(f"{text}  [{time.monotonic() - began:.0f} s]", quiet=quiet)


def command_line(command: str, *arguments: object, **options: object) -> str:
    """Return a command as a person would type it.

    Args:
        command: name of the command.
        arguments: values without an option.
        options: options by name, in order; a list is repeated, True is a flag.

    >>> command_line("finetune", train=["en=a", "de=b"], seeds=2, resume=True)
    'paralign finetune --train en=a --train de=b --seeds 2 --resume'
    """
    words: list[object] = ["paralign", command, *arguments]
    for name, value in options.items():
        option = f"--{name.replace('_', '-')}"
        for single in value if isinstance(value, list | tuple) else [value]:
            words += [option] if single is True else [option, single]
    return shlex.join(map(str, words))


def results_of(runs: Sequence[str | Path]) -> tuple[list[tuple[Path, Measurement]], list[str]]:
    """Read all measurements in the given folders and their subfolders.

    Returns:
        The measurements with the folder of each, and notes about lines that could not be read.

    Raises:
        UserError: for a folder without results.
    """
    files: set[Path] = set()
    for run in runs:
        inside = set(Path(run).rglob("results.jsonl"))
        if not inside:
            hint = "give output folders of finetune and evaluate"
            raise UserError("no results.jsonl in the folder", where=run, hint=hint)
        files |= inside
    if not files:
        raise UserError("no folders are given", hint="give output folders of finetune and evaluate")
    truncated: list[str] = []
    rows = [(file.parent, row) for file in sorted(files) for row in read_results(file, torn=truncated)]
    return rows, [f"{line}: the line is truncated and was skipped" for line in truncated]
