"""Commands that start several runs in one folder: the output folder, command lines and results."""

from __future__ import annotations

import inspect
import math
import shlex
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ParamSpec, TypeVar, cast

from paralign.console import echo, is_main_process
from paralign.errors import UserError
from paralign.folders import check_can_create
from paralign.results import Measurement, read_results

__all__ = ["begin", "command_line", "results_of", "run_recorded"]

P = ParamSpec("P")
R = TypeVar("R")


def begin(out: Path, resume: bool, quiet: bool) -> Callable[[str], None]:
    """Check that the folder is free or resumed.

    Returns:
        A function that prints a line with the seconds since the command began.

    Raises:
        UserError: if the folder is not empty, or cannot be written.
    """
    if out.exists() and not out.is_dir():
        raise UserError("is a file, not a folder", where=out, hint="use another --out")
    check_can_create(out)
    if is_main_process() and out.exists() and any(out.iterdir()) and not resume:
        raise UserError("the output folder is not empty", where=out, hint="use --resume to continue, or another --out")
    began = time.monotonic()
    return lambda text: echo(f"{text}  [{time.monotonic() - began:.0f} s]", quiet=quiet)


def run_recorded(run: Callable[P, R], *args: P.args, **options: P.kwargs) -> R:
    """Call the function of a command, and record with its run the command line that does the same.

    Args:
        run: the function, which has a parameter ``command``.
        args: none; all arguments are passed by name.
        options: its keyword arguments.
    """
    assert not args
    return cast("Callable[..., R]", run)(**options, command=command_line(run, options))


def command_line(run: Callable[..., object], options: Mapping[str, object]) -> str:
    """Return the call of a command's function as a person would type the command.

    Args:
        run: the function. Its parameters have the names of the command's options, apart from ``overrides`` (``--set``).
        options: its keyword arguments, in order. A list is repeated; defaults and ``quiet`` are left out.

    >>> def finetune(*, train, out, seeds=1, keep_models=True, resume=False, overrides=()): ...
    >>> options = {"train": ["en=a", "de=b"], "seeds": 2, "keep_models": False, "overrides": ["a.b=1"], "resume": True}
    >>> command_line(finetune, options)
    'paralign finetune --train en=a --train de=b --seeds 2 --no-keep-models --set a.b=1 --resume'
    """
    defaults = {name: parameter.default for name, parameter in inspect.signature(run).parameters.items()}
    words: list[object] = ["paralign", run.__name__]
    for name, value in options.items():
        if name == "quiet" or value == defaults.get(name):
            continue
        option = "--set" if name == "overrides" else f"--{name.replace('_', '-')}"
        for single in value if isinstance(value, list | tuple) else [value]:
            if isinstance(single, bool):
                words.append(option if single else option.replace("--", "--no-"))
            else:
                words += [option, single]
    return shlex.join(map(str, words))


def _is_hidden(file: Path) -> bool:
    return any(part.startswith(".") for part in file.parts)


def results_of(runs: Sequence[str | Path]) -> tuple[list[tuple[Path, Measurement]], list[str]]:
    """Read all measurements in the given folders and their subfolders, hidden ones excepted.

    A measurement in two folders counts once.

    Returns:
        The measurements with the folder of each, and notes about lines that could not be read and undefined scores,
        which are left out.

    Raises:
        UserError: for a folder without results.
    """
    files: dict[Path, Path] = {}
    for run in runs:
        inside = {file for file in Path(run).rglob("results.jsonl") if not _is_hidden(file.relative_to(run))}
        if not inside:
            hint = "give output folders of finetune and evaluate"
            raise UserError("no results.jsonl in the folder", where=run, hint=hint)
        files |= {file.resolve(): file for file in inside}
    if not files:
        raise UserError("no folders are given", hint="give output folders of finetune and evaluate")
    truncated: list[str] = []
    rows: dict[str, tuple[Path, Measurement]] = {}
    undefined: Counter[str] = Counter()
    for file in sorted(files.values()):
        for row in read_results(file, torn=truncated):
            if math.isfinite(row.value):
                rows.setdefault(row.model_dump_json(), (file.parent, row))
            else:
                undefined[f"{row.task} {row.language} {row.metric} of {row.model}"] += 1
    notes = [f"{line}: the line is truncated and was skipped" for line in truncated]
    notes += [f"{name}: {count} undefined scores were left out" for name, count in undefined.items()]
    return list(rows.values()), notes
