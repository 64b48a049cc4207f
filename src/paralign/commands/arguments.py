"""Arguments of commands from Python."""

from __future__ import annotations

import functools
import inspect
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from paralign.config import did_you_mean
from paralign.console import is_command_line
from paralign.errors import UserError

__all__ = ["SHORT_FORMS", "as_overrides", "check_encoders", "one_or_several"]

P = ParamSpec("P")
R = TypeVar("R")

SHORT_FORMS = {
    "lr": "training.learning_rate",
    "epochs": "training.epochs",
    "batch_size": "training.batch",
    "precision": "training.precision",
    "seed": "training.seed",
    "first_seed": "training.seed",
    "limit": "data.limit",
    "reset_layers": "layers.reset",
    "layer": "task.layer",
}
"""Option of a command, as a Python name -> the setting it is a short form of."""
_OTHER_NAMES = {
    "model": "models", "models": "model", "map": "maps", "set": "overrides", "method_name": "method",
    "train_data": "train", "eval_data": "eval",
}  # fmt: skip
"""Names that are often tried -> the name here."""
_ONE_SPEC = {"pairs", "data", "dev"}
"""Specs of which some commands take one: a mapping or a list of one is accepted."""
_TRAIN = ("align", "pretrain", "finetune")
"""Commands with the settings that :data:`SHORT_FORMS` name, which can also be previewed."""
_INPUTS = ("pairs", "text", "train", "dev", "heldout", "eval", "data", "test", "exclude", "gold", "links", "dictionary")
"""Files that are read, or specs of them."""
_POSITIVE = {"jobs", "limit", "seeds", "shards", "target_examples", "width"}
"""Integers of which the smallest is 1; that of the others is 0."""


def one_or_several(command: Callable[P, R]) -> Callable[P, R]:
    """Accept the forms in which people give the arguments of a command, and name those that cannot be used.

    A string or path is a list of one; a mapping is a list of ``KEY=VALUE`` (``{"en-de": "corpus.tsv"}``), of settings
    also a nested one (``overrides={"training": {"steps": 2}}``); a path is its name; None for a list is its default.
    ``settings`` is another name of ``overrides``, which take precedence over it. Without this, the characters of
    ``pairs="en-de=corpus.tsv"`` would be taken for specs, and the folder that :func:`paralign.align` returns could not
    be passed to another command as its model.

    Args:
        command: a function. Parameters that take several strings are annotated with ``Sequence[...]``, those that take
            a string alone with ``str`` or ``str | None``, others by their type.

    Raises:
        UserError: (the function that is returned) for a value that is no string, path, list or mapping of them, None
            for a required one, for a number of another type or too small, and for a pipe given twice.
        TypeError: for an argument that the command does not have, with the name to use.

    >>> @one_or_several
    ... def show(*, pairs: "Sequence[str]" = (), out: str = ""):
    ...     return pairs, out
    >>> show(pairs="en-de=a", out="runs"), show(pairs=["en-de=a"]), show(pairs={"en-de": "a"})
    ((['en-de=a'], 'runs'), (['en-de=a'], ''), (['en-de=a'], ''))
    """
    kinds = {name: str(kind) for name, kind in command.__annotations__.items()}
    convert = {name: _converter(name, kind) for name, kind in kinds.items()}
    with_home = [name for name, kind in kinds.items() if name in _INPUTS or "Path" in kind]
    signature = inspect.signature(command)

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        if "settings" in kwargs and "overrides" in signature.parameters:
            given = (kwargs.pop("settings"), kwargs.get("overrides"))
            kwargs["overrides"] = [text for some in given if some is not None for text in _parts("overrides", some)]
        for name in kwargs.keys() - signature.parameters.keys():
            raise TypeError(_unknown_argument(command.__name__, name, signature.parameters))
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{command.__name__}(): {error}") from None
        for name, value in list(bound.arguments.items()):
            kind = kinds.get(name, "None")
            if value is None and "None" not in kind and kind != "bool":
                if "Sequence[" not in kind or signature.parameters[name].default is inspect.Parameter.empty:
                    raise UserError(f"{name} is None", hint="give a value")
                del bound.arguments[name]
            elif value is not None and name in convert:
                bound.arguments[name] = convert[name](value)
        from paralign.sources.specs import check_separate_pipes, expand_home  # slow to load: not for --help

        inputs: list[str] = []
        for name in with_home:
            files = bound.arguments.get(name)
            if isinstance(files, list):
                bound.arguments[name] = files = [expand_home(text) for text in files]
            elif isinstance(files, str | Path):
                bound.arguments[name] = type(files)(expand_home(str(files)))
                files = [str(bound.arguments[name])]
            if name in _INPUTS:
                inputs += files or ()
        check_separate_pipes(inputs)
        if "command" in kinds and bound.arguments.get("command") is None and not is_command_line():
            bound.arguments["command"] = _call(command, bound)
        return command(*bound.args, **bound.kwargs)

    return wrapped


def _converter(name: str, kind: str) -> Callable[[Any], Any]:
    """Return a function that checks a value of a parameter and brings it to the form of its annotation."""
    if "Sequence[str" in kind or "Sequence[Path" in kind:
        return lambda value: [_text(name, part) for part in _parts(name, value)]
    if kind == "Sequence[int]":
        return lambda value: [_integer(name, part) for part in (value if isinstance(value, Iterable) else [value])]
    if kind in ("str", "str | None"):
        return lambda value: _text(name, _only(name, value) if name in _ONE_SPEC else value)
    if kind in ("str | Path", "str | Path | None"):
        return lambda value: value if isinstance(value, Path) else _text(name, value)
    if kind == "Mapping[str, str]":
        return lambda value: (
            {key: _text(name, part) for key, part in value.items()} if isinstance(value, Mapping) else value
        )
    if kind in ("int", "int | None"):
        return functools.partial(_integer, name)
    if kind in ("float", "float | None"):
        return functools.partial(_number, name)
    return lambda value: value


def _parts(name: str, value: Any) -> Iterable[Any]:
    if isinstance(value, str | Path):
        return [value]
    if isinstance(value, Mapping) and name == "overrides":
        return as_overrides(value)
    if isinstance(value, Mapping):
        # A pair may be two files, one for each side.
        files = {key: part if isinstance(part, list | tuple) else [part] for key, part in value.items()}
        return [f"{key}={','.join(map(str, parts))}" for key, parts in files.items()]
    if not isinstance(value, Iterable):
        raise UserError(f"{name} is {_shown(value)}", hint="give a string or path, or a list of them")
    return value


def _only(name: str, value: Any) -> Any:
    parts = list(_parts(name, value))
    if len(parts) != 1:
        raise UserError(f"{name} has {len(parts)} entries", hint="give one")
    return parts[0]


def as_overrides(settings: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Return nested settings as ``section.key=value``: strings as they are, other values as TOML, without None.

    >>> as_overrides({"objectives": ["tlm", "moco"], "training": {"steps": 2}, "links.method": "ibm"})
    ['objectives=["tlm", "moco"]', 'training.steps=2', 'links.method=ibm']
    """
    texts = []
    for key, value in settings.items():
        if isinstance(value, Mapping):
            texts += as_overrides(value, f"{prefix}{key}.")
        elif isinstance(value, str | Path):
            texts.append(f"{prefix}{key}={value}")
        elif value is not None:
            try:
                text = json.dumps(value, ensure_ascii=False)  # numbers, booleans and lists of JSON are TOML
            except TypeError:
                hint = "give a string, a number, a bool, or a list of them"
                raise UserError(f"overrides: {prefix}{key} is {_shown(value)}", hint=hint) from None
            texts.append(f"{prefix}{key}={text}")
    return texts


def _text(name: str, value: Any) -> str:
    if isinstance(value, str | Path):
        return str(value)
    hint = "give its folder (encoder.save_pretrained writes one)" if hasattr(value, "save_pretrained") else None
    raise UserError(f"{name} is {_shown(value)}, not a string or path", hint=hint)


def _number(name: str, value: Any) -> float:
    if not isinstance(value, Real) or isinstance(value, bool):
        raise UserError(f"{name} is {value!r}", hint="give a number")
    return int(value) if isinstance(value, Integral) else float(value)  # as a layer, 1 is not 1.0


def _integer(name: str, value: Any) -> int:
    least = 1 if name in _POSITIVE else 0
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise UserError(f"{name} is {value!r}", hint=f"give an integer of at least {least}")
    return int(value)


def _call(command: Callable[..., object], bound: inspect.BoundArguments) -> str:
    """Return a call as Python, without the arguments that do not affect the result: it is recorded with the run.

    >>> def align(model, *, out, overrides=(), quiet=False): ...
    >>> _call(align, inspect.signature(align).bind("base", out=Path("runs/a"), quiet=True))
    "paralign.align('base', out='runs/a')"
    """
    name = command.__name__
    public = sys.modules["paralign"].__all__  # not imported: the package itself imports the commands
    place = "paralign" if name in public else command.__module__
    values = [("", value) for value in bound.args]
    values += [(f"{key}=", part) for key, part in bound.kwargs.items() if key not in ("command", "quiet", "resume")]
    texts = [key + repr(str(value) if isinstance(value, Path) else value) for key, value in values]
    return f"{place}.{name}({', '.join(texts)})"


def _shown(value: object) -> str:
    return f"of type {type(value).__name__}"


def _unknown_argument(command: str, name: str, known: Iterable[str]) -> str:
    """Return a message with what to use instead of an argument that a command does not have."""
    known = list(known)
    setting = SHORT_FORMS.get(name) or next((text for text in SHORT_FORMS.values() if text.endswith(f".{name}")), None)
    if command not in (*_TRAIN, "analyze_ablation"):
        setting = {"layer": "task.layer", "precision": "task.precision"}.get(name) if "task" in known else None
    elif command != "finetune" and setting and setting.startswith(("task.", "layers.")):
        setting = None
    if setting:
        hint = f"use overrides={{{setting!r}: ...}}"
    elif name == "device":
        hint = "call paralign.device.select_device before anything else"
    elif name in ("dry_run", "show") and command in _TRAIN:
        hint = f"only on the command line: paralign {command} --{name.replace('_', '-')}"
    elif _OTHER_NAMES.get(name) in known:
        hint = f"use {_OTHER_NAMES[name]}"
    else:
        hint = did_you_mean(name, known)
    return f"{command}() has no argument {name!r} ({hint})"


def check_encoders(models: Sequence[str]) -> None:
    """Check that encoders are given that can be compared with each other.

    Args:
        models: names or paths.

    Raises:
        UserError: if there is none, or one is given twice.
    """
    if not models:
        raise UserError("no encoder is given", hint="--model ENCODER, once for each")
    repeated = [model for k, model in enumerate(models) if model in models[:k]]
    if repeated:
        raise UserError(f"the encoder {repeated[0]} is given twice", hint="--model ENCODER, once for each")
