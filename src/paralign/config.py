"""The base class of settings, and functions that merge recipes, flags and ``--set`` overrides."""

from __future__ import annotations

import difflib
import importlib
import inspect
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import tomli_w
from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from paralign.errors import UserError

__all__ = [
    "Config",
    "check_sections",
    "did_you_mean",
    "difference",
    "dump_toml",
    "find_class",
    "fixed_settings",
    "load_named_toml",
    "load_toml",
    "merge",
    "parse_override",
    "resolve",
    "section",
    "toml_files",
]

Settings = dict[str, Any]


class Config(BaseModel):
    """Base class of settings: immutable, validated; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, use_attribute_docstrings=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_bool_as_number(cls, value: Any, info: ValidationInfo) -> Any:
        annotation = cls.model_fields[info.field_name or ""].annotation
        kinds = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
        if isinstance(value, bool) and (int in kinds or float in kinds) and bool not in kinds:
            raise ValueError("must be a number")
        return value


C = TypeVar("C", bound=Config)
T = TypeVar("T")


_KNOWN_AS = {
    "lr": "learning_rate",
    "batch_size": "batch",
    "train_batch_size": "batch",
    "per_device_train_batch_size": "batch",
    "num_train_epochs": "epochs",
    "max_steps": "steps",
    "max_epochs": "epochs",
    "warmup_steps": "warmup",
    "warmup_ratio": "warmup",
    "max_grad_norm": "clip",
    "gradient_clipping": "clip",
    "grad_accum": "accumulate",
    "gradient_accumulation_steps": "accumulate",
    "adam_epsilon": "eps",
    "fp16": "precision",
    "bf16": "precision",
    "save_steps": "checkpoint_every",
    "logging_steps": "log_every",
    "eval_steps": "heldout_every",
    "max_length": "max_pieces",
    "max_seq_length": "max_pieces",
    "queue_size": "queue",
    "tau": "temperature",
    "symmetrization": "symmetrize",
    "k": "neighbors",
    "gdfa": "grow-diag-final-and",
    "gdf": "grow-diag-final",
    "gd": "grow-diag",
    "intersection": "intersect",
    "inter": "intersect",
    "awesome-align": "similarity",
    "awesome": "similarity",
    "simalign": "similarity",
    "fast_align": "ibm",
    "fast-align": "ibm",
    "ibm2": "ibm",
    "xnli": "nli",
    "pawsx": "paraphrase",
    "sib200": "topics",
    "sib-200": "topics",
    "tatoeba": "retrieval",
    "bucc": "mining",
    "squad": "qa",
    "mlqa": "qa",
    "xquad": "qa",
    "udpos": "pos",
    "wikiann": "ner",
    "bli": "lexicon",
    "data": "eval",
    "test": "eval",
}
"""Names of other programs and data sets, in lower case -> the name here."""


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """Return a hint for a mistyped name: the most similar name, or the list of all.

    >>> did_you_mean("quue", ["queue", "temperature"])
    "did you mean 'queue'?"
    >>> did_you_mean("gdfa", ["intersect", "grow-diag-final-and"])
    "did you mean 'grow-diag-final-and'?"
    """
    names = sorted(names)
    if not names:
        return "none is available here"
    known = _KNOWN_AS.get(word.lower())
    similar = [known] if known in names else difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    return f"did you mean {similar[0]!r}?" if similar else f"available: {', '.join(names)}"


def parse_override(text: str) -> Settings:
    """Parse ``section.key=value`` to nested settings.

    The value is parsed as TOML (numbers, booleans, lists, quoted strings); anything else is a plain string.

    Raises:
        UserError: without ``=`` or with an empty part in the key.

    >>> parse_override("moco.queue=32000")
    {'moco': {'queue': 32000}}
    """
    key, equals, value = text.partition("=")
    parts = [part.strip() for part in key.split(".")]
    if not equals or not all(parts):
        raise UserError(f"cannot read the setting {text!r}", hint="write --set section.key=value")
    try:
        table = tomllib.loads(f"v = {value.strip()}")
    except (ValueError, RecursionError):  # ValueError: not TOML, or a number of more digits than Python converts
        table = {}
    # More than one key: the value contained lines of TOML, so it is plain text.
    parsed: Any = table["v"] if len(table) == 1 else value.strip()
    for part in reversed(parts[1:]):
        parsed = {part: parsed}
    return {parts[0]: parsed}


def merge(*layers: Mapping[str, Any]) -> Settings:
    """Merge nested settings: later layers override earlier ones; ``None`` values are ignored.

    Raises:
        UserError: if a layer has a section where another has a value.

    >>> merge({"moco": {"queue": 1, "momentum": 0.9}}, {"moco": {"queue": 2}}, {"limit": None})
    {'moco': {'queue': 2, 'momentum': 0.9}}
    """
    out: Settings = {}
    for layer in layers:
        for key, value in layer.items():
            old = out.get(key)
            if old is not None and value is not None and isinstance(old, Mapping) != isinstance(value, Mapping):
                raise UserError(f"{key!r} is a section of settings, not a setting", hint=f"write {key}.KEY=VALUE")
            if isinstance(value, Mapping):
                out[key] = merge(old or {}, value)
            elif value is not None:
                out[key] = value
    return out


def section(settings: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the settings of a section; none if it is missing.

    Raises:
        UserError: if a value was given for the section itself, as in ``--set data=3``.
    """
    found = settings.get(name, {})
    if not isinstance(found, Mapping):
        raise UserError(f"{name!r} is a section of settings, not a setting", hint=f"write {name}.KEY=VALUE")
    return found


def check_sections(settings: Mapping[str, Any], *names: str) -> None:
    """Check that settings have no other sections than these.

    Raises:
        UserError: for another section.
    """
    for name in sorted(settings.keys() - set(names)):
        hint = f"only {' and '.join(f'{known}.KEY' for known in names)} can be set here"
        raise UserError(f"unknown section {name!r}", hint=hint)


def load_toml(path: Path) -> Settings:
    """Read a TOML file.

    Raises:
        UserError: if it is missing or not TOML (with the line).
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (FileNotFoundError, IsADirectoryError) as error:
        raise UserError("no such settings file", where=path) from error
    except RecursionError as error:
        raise UserError("not valid TOML: nested too deeply", where=path) from error
    except ValueError as error:  # not TOML, not UTF-8, or a number of more digits than Python converts
        raise UserError(f"not valid TOML: {error}", where=path) from error


def toml_files(package: str) -> dict[str, Path]:
    """Return the TOML files of a package, by name without ``.toml``."""
    return {path.stem: path for path in sorted(Path(str(resources.files(package))).glob("*.toml"))}


def load_named_toml(kind: str, name: str, package: str) -> Settings:
    """Read a TOML file of a package by its name, or any TOML file by its path.

    Args:
        kind: used in errors: ``recipe``, ``suite``.
        name: the name or path. A name takes precedence over a file without ``.toml`` in the current folder.
        package: package with the files that have names.

    Raises:
        UserError: for an unknown name, with similar ones, and as :func:`load_toml`.
    """
    files = toml_files(package)
    path = files.get(name, Path(name))
    if not name.endswith(".toml") and not path.is_file():
        file = Path(f"{name}.toml")
        hint = f"did you mean {file}?" if file.is_file() else f"{did_you_mean(name, files)} or a .toml file"
        raise UserError(f"unknown {kind} {name!r}", hint=hint)
    return load_toml(path)


def dump_toml(settings: Mapping[str, Any]) -> str:
    """Return settings as TOML text; ``None`` values are left out, because TOML has no null."""

    def clean(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {str(k): clean(v) for k, v in value.items() if v is not None}
        if isinstance(value, (list, tuple)):
            return [clean(v) for v in value if v is not None]
        return str(value) if isinstance(value, Path) else value

    return tomli_w.dumps(clean(settings))


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Return the settings classes in an annotation: ``Moco``, ``Moco | None``, ``dict[str, Moco]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]


def _field_names(cls: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Return the valid field names at ``location`` in ``cls``."""
    models = [cls]
    for part in location:
        fields = [model.model_fields[str(part)] for model in models if str(part) in model.model_fields]
        # A part that is not a field is an index or key of the preceding collection.
        models = [model for field in fields for model in _models(field.annotation)] if fields else models
    return sorted({name for model in models for name in model.model_fields})


def resolve(cls: type[C], *layers: Mapping[str, Any], where: str | Path | None = None, section: str = "") -> C:
    """Validate merged settings against ``cls``.

    Args:
        cls: the settings class.
        layers: nested settings; later layers override earlier ones (recipe, flags, ``--set``).
        where: file for the error message, usually the recipe; none by default.
        section: section of the settings, for the error message; by default they have sections themselves.

    Raises:
        UserError: for the first wrong setting, with the most similar name for unknown keys.
    """
    merged = merge(*layers)
    prefix = f"{section}." if section else ""
    for name, number in _integers(merged):
        if not -(2**63) <= number < 2**63:
            raise UserError(f"setting {prefix + name!r}: the number does not fit into 64 bits", where=where)
    try:
        return cls.model_validate(merged)
    except ValidationError as error:
        first = error.errors()[0]
        location = first["loc"]
        reason = first["msg"].removeprefix("Value error, ").replace("Input should be ", "must be ")
        reason = reason.partition(", unable to ")[0].partition(", got a number")[0]
        if location[-1:] in (("int",), ("float",)):  # the alternatives of a number that may be a fraction
            location, reason = location[:-1], "must be a number"
        name = prefix + ".".join(str(part) for part in location) if location else ""
        if first["type"] == "extra_forbidden":
            raise UserError(f"unknown setting {name!r}", where=where, hint=_known_setting(cls, location)) from error
        value = first.get("input")
        actual = f", not {value!r:.80}" if reason.startswith("must be ") and not isinstance(value, Mapping) else ""
        raise UserError(f"{f'setting {name!r}' if name else 'settings'}: {reason}{actual}", where=where) from error


def _known_setting(cls: type[BaseModel], location: tuple[int | str, ...]) -> str:
    """Return a hint for a setting that does not exist: the section it belongs to, or the most similar name."""
    *sections, name = map(str, location)
    if not sections:
        inside = [f"{key}.{name}" for key in cls.model_fields if name in _field_names(cls, (key,))]
        if inside and name not in cls.model_fields:
            return f"did you mean {' or '.join(inside)}?"
    return did_you_mean(name, _field_names(cls, tuple(location[:-1])))


def _integers(value: Any, name: str = "") -> Iterator[tuple[str, int]]:
    """Yield the integers in nested settings with their names."""
    if isinstance(value, int):
        yield name, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _integers(item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _integers(item, name)


def difference(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> str:
    """Describe the nested settings that differ; empty if none do.

    >>> difference({"moco": {"queue": 1}}, {"moco": {"queue": 2}})
    'moco.queue was 1, now 2'
    """
    out = []
    for key in sorted(set(old) | set(new)):
        a, b = old.get(key), new.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            inner = difference(a, b, f"{prefix}{key}.")
            out += [inner] if inner else []
        elif a != b:
            out.append(f"{prefix}{key} was {a!r}, now {b!r}")
    return ", ".join(out)


def fixed_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that must not change when a run is resumed: all but the interval between checkpoints.

    Args:
        settings: settings of training, at the top level or in the section ``training``.

    >>> fixed_settings({"training": {"batch": 8, "checkpoint_every": 500}})
    {'training': {'batch': 8}}
    """
    kept = {key: value for key, value in settings.items() if key != "checkpoint_every"}
    return {
        key: fixed_settings(value) if key == "training" and isinstance(value, Mapping) else value
        for key, value in kept.items()
    }


def find_class(kind: str, name: str, table: Mapping[str, str], base: type[T]) -> type[T]:
    """Import the class with a name in a table, or the class ``my_module:Class``.

    Args:
        kind: used in errors: ``objective``, ``task``.
        name: name in the table, or ``module:Class``; the current folder is searched too.
        table: ``module:Class`` of each name.
        base: required base class.

    Raises:
        UserError: if there is no such class, or it is not a complete subclass of ``base`` with a name.
    """
    module, colon, attribute = table.get(name, name).partition(":")
    if not colon:
        raise UserError(f"unknown {kind} {name!r}", hint=f"{did_you_mean(name, table)} or my_module:Class")
    if name not in table and str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))  # the installed command, unlike python -m, does not search it
    try:
        result = getattr(importlib.import_module(module), attribute)
    except (ImportError, SyntaxError, ValueError, TypeError) as error:
        raise UserError(f"cannot import {module!r} for the {kind} {name!r}: {error}") from error
    except AttributeError as error:
        raise UserError(f"the module {module!r} has no {attribute!r}") from error
    if not (isinstance(result, type) and issubclass(result, base)):
        article = "an" if kind[0] in "aeiou" else "a"
        raise UserError(f"{name!r} is not {article} {kind}", hint=f"derive it from {base.__module__}.{base.__name__}")
    if inspect.isabstract(result):
        missing = ", ".join(sorted(getattr(result, "__abstractmethods__", ())))
        raise UserError(f"the {kind} {name!r} is not complete: implement {missing}")
    if not isinstance(getattr(result, "name", None), str):
        raise UserError(f"the {kind} {name!r} has no name", hint='set name = "..." in the class')
    return result
