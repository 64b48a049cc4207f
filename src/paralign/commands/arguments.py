"""Arguments of commands from Python."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

__all__ = ["one_or_several"]

P = ParamSpec("P")
R = TypeVar("R")


def one_or_several(command: Callable[P, R]) -> Callable[P, R]:
    """Let a string or path stand for a list of one, and a path for its name, in the arguments of a command.

    Without it, the characters of ``pairs="en-de=corpus.tsv"`` would be taken for specs, and the folder that
    :func:`paralign.align` returns could not be passed to another command as its model.

    Args:
        command: a function. Parameters that take several strings are annotated with ``Sequence[...]``, those that take
            a string alone with ``str`` or ``str | None``.

    >>> @one_or_several
    ... def show(*, pairs: "Sequence[str]" = (), out: str = ""):
    ...     return pairs, out
    >>> show(pairs="en-de=a", out="runs"), show(pairs=["en-de=a"])
    ((['en-de=a'], 'runs'), (['en-de=a'], ''))
    """
    kinds = {name: str(kind) for name, kind in command.__annotations__.items()}
    several = [name for name, kind in kinds.items() if "Sequence[str" in kind or "Sequence[Path" in kind]
    plain = [name for name, kind in kinds.items() if kind in ("str", "str | None")]
    signature = inspect.signature(command)

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        bound = signature.bind(*args, **kwargs)
        for name in several:
            value = bound.arguments.get(name)
            if value is None:
                continue
            values = [value] if isinstance(value, str | Path) else value
            bound.arguments[name] = [str(part) if isinstance(part, Path) else part for part in values]
        for name in plain:
            if isinstance(bound.arguments.get(name), Path):
                bound.arguments[name] = str(bound.arguments[name])
        return command(*bound.args, **bound.kwargs)

    return wrapped
