"""The base of every settings class, and the merger of recipe, flags and ``--set`` overrides."""

from __future__ import annotations

import difflib
import importlib
import inspect
import sys
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import tomli_w
from pydantic import BaseModel, ConfigDict, ValidationError

from paralign.errors import UserError

__all__ = [
    "Config",
    "did_you_mean",
    "difference",
    "dump_toml",
    "find_class",
    "load_toml",
    "merge",
    "parse_override",
    "resolve",
]

Settings = dict[str, Any]


class Config(BaseModel):
    """Base of every settings class: immutable, validated, unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, use_attribute_docstrings=True)


C = TypeVar("C", bound=Config)
T = TypeVar("T")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint for a mistyped name: the nearest known one, or the list of all."""
    known = sorted(known)
    if not known:
        return "there are none here"
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"


def parse_override(text: str) -> Settings:
    """Turn ``moco.queue=32000`` into ``{"moco": {"queue": 32000}}``.

    The value is read as TOML (numbers, booleans, lists, quoted strings); anything else is a plain string.

    Raises:
        UserError: without ``=`` or with an empty part in the key.
    """
    key, sign, value = text.partition("=")
    parts = [part.strip() for part in key.split(".")]
    if not sign or not all(parts):
        raise UserError(f"cannot read the setting {text!r}", hint="write --set section.key=value")
    try:
        table = tomllib.loads(f"v = {value.strip()}")
    except tomllib.TOMLDecodeError:
        table = {}
    # More than one key: the value itself held lines of TOML, so it is text.
    parsed: Any = table["v"] if len(table) == 1 else value.strip()
    for part in reversed(parts):
        parsed = {part: parsed}
    return dict(parsed)


def merge(*layers: Mapping[str, Any]) -> Settings:
    """Merge nested settings; later layers win, ``None`` values say nothing."""
    out: Settings = {}
    for layer in layers:
        for key, value in layer.items():
            if isinstance(value, Mapping):
                old = out.get(key)
                out[key] = merge(old if isinstance(old, Mapping) else {}, value)
            elif value is not None:
                out[key] = value
    return out


def load_toml(path: Path) -> Settings:
    """Read a TOML file.

    Raises:
        UserError: if it is missing or not TOML (with the line).
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError) as error:
        raise UserError("no such settings file", where=path) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"not valid TOML: {error}", where=path) from error


def dump_toml(settings: Mapping[str, Any]) -> str:
    """Settings as TOML text; ``None`` is left out, as TOML has no null."""

    def clean(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {str(k): clean(v) for k, v in value.items() if v is not None}
        if isinstance(value, (list, tuple)):
            return [clean(v) for v in value if v is not None]
        return str(value) if isinstance(value, Path) else value

    return tomli_w.dumps(clean(settings))


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The settings classes inside an annotation: ``Moco``, ``Moco | None``, ``dict[str, Moco]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]


def _known(cls: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The field names that would have been right at ``location`` inside ``cls``."""
    here = [cls]
    for part in location:
        fields = [model.model_fields[str(part)] for model in here if str(part) in model.model_fields]
        # A part that is no field is an index or a key of the collection before it.
        here = [model for field in fields for model in _models(field.annotation)] if fields else here
    return sorted({name for model in here for name in model.model_fields})


def resolve(cls: type[C], *layers: Mapping[str, Any], where: str | Path | None = None) -> C:
    """Validate merged settings against ``cls``.

    Args:
        cls: the settings class.
        layers: nested settings, the last wins (defaults < recipe < flags < ``--set``).
        where: named in the error, usually the recipe.

    Raises:
        UserError: one line for the first wrong setting, with a did-you-mean for unknown keys.
    """
    try:
        return cls.model_validate(merge(*layers))
    except ValidationError as error:
        first = error.errors()[0]
        location = first["loc"]
        name = ".".join(str(part) for part in location)
        if first["type"] == "extra_forbidden":
            hint = did_you_mean(str(location[-1]), _known(cls, location[:-1]))
            raise UserError(f"unknown setting {name!r}", where=where, hint=hint) from error
        reason = first["msg"].removeprefix("Value error, ")
        given = first.get("input")
        shown = "" if isinstance(given, Mapping) else f", not {given!r}"
        raise UserError(f"{f'setting {name!r}' if name else 'settings'}: {reason}{shown}", where=where) from error


def difference(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> str:
    """Names and values of nested settings that differ, as a phrase; empty if none do."""
    out = []
    for key in sorted(set(old) | set(new)):
        a, b = old.get(key), new.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            inner = difference(a, b, f"{prefix}{key}.")
            out += [inner] if inner else []
        elif a != b:
            out.append(f"{prefix}{key} was {a!r}, now {b!r}")
    return ", ".join(out)


def find_class(kind: str, name: str, known: Mapping[str, str], base: type[T]) -> type[T]:
    """The class behind a name of a table, or behind ``my_module:Class``.

    Args:
        kind: what errors call it: ``objective``, ``task``.
        name: as the user gave it.
        known: name -> ``module:Class``.
        base: what the class must derive from.

    Raises:
        UserError: if there is none, or it is of another kind.
    """
    module, colon, attribute = known.get(name, name).partition(":")
    if not colon:
        raise UserError(f"unknown {kind} {name!r}", hint=f"{did_you_mean(name, known)} or my_module:Class")
    if name not in known and str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))  # the installed command, unlike python -m, does not look there
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, SyntaxError, ValueError, TypeError) as error:
        raise UserError(f"cannot import {module!r} for the {kind} {name!r}: {error}") from error
    except AttributeError as error:
        raise UserError(f"the module {module!r} has no {attribute!r}") from error
    if not (isinstance(found, type) and issubclass(found, base)):
        raise UserError(f"{name!r} is no {kind}", hint=f"derive it from paralign's {base.__name__}")
    if inspect.isabstract(found):
        missing = ", ".join(sorted(getattr(found, "__abstractmethods__", ())))
        raise UserError(f"the {kind} {name!r} is not complete: it lacks {missing}")
    if not isinstance(getattr(found, "name", None), str):
        raise UserError(f"the {kind} {name!r} has no usable name", hint='set name = "..." in the class')
    return found
