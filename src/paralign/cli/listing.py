"""``paralign list``."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Annotated, Any

import typer

from paralign.config import did_you_mean, toml_files
from paralign.errors import UserError

__all__ = ["command"]


def command(
    what: Annotated[
        str,
        typer.Argument(
            help="recipes, suites, objectives, tasks, aligners, analyses, models, languages or settings.",
            metavar="WHAT",
        ),
    ] = "recipes",
    section: Annotated[
        str | None,
        typer.Argument(
            help="For settings: a section such as training or moco. For recipes and suites: the file to print.",
            metavar="NAME",
        ),
    ] = None,
) -> None:
    """List recipes, tasks, settings and other available names.

    \b
    Examples:
      paralign list tasks
      paralign list settings
      paralign list settings training
      paralign list recipes ppa
    """
    if what == "settings":
        from paralign.commands.list_settings import describe_section, describe_sections

        typer.echo(describe_section(section) if section else describe_sections())
        return
    if what not in _LISTS:
        raise UserError(f"unknown list {what!r}", hint=did_you_mean(what, [*_LISTS, "settings"]))
    if section is not None and what in _FILES:
        typer.echo(_file(what, section), nl=False)
        return
    if section is not None:
        raise UserError(f"`paralign list {what}` has no sections", hint=f"did you mean 'list settings {section}'?")
    _LISTS[what]()


def _files(package: str) -> None:
    """List the TOML files of a package, each with its first line."""
    for name, path in toml_files(package).items():
        _row(name, path.read_text(encoding="utf-8").splitlines()[0].lstrip("# "))


def _file(what: str, name: str) -> str:
    """Return the content of a recipe or suite, and in comments what a recipe inherits."""
    files = toml_files(_FILES[what])
    name = name.removesuffix(".toml")
    if name not in files:
        raise UserError(f"there is no {what.removesuffix('s')} {name!r}", hint=did_you_mean(name, files))
    text = files[name].read_text(encoding="utf-8")
    if what != "recipes" or "extends" not in tomllib.loads(text):
        return text
    from paralign.runs.settings import load_recipe

    merged = "".join(f"# {line}\n" for line in _flat(load_recipe(name)))
    return f"{text}\n# All settings, with those of the recipes it extends:\n{merged}"


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield ``section.key = value`` for each setting."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key} = {json.dumps(value, ensure_ascii=False)}"  # these values are also TOML


def _objectives() -> None:
    from paralign.objectives import OBJECTIVES, find_objective

    for name in OBJECTIVES:
        _row(name, _first(find_objective(name)))


def _tasks() -> None:
    from paralign.tasks.base import TASKS, find_task_class

    for name in TASKS:
        _row(name, _first(find_task_class(name)))


def _aligners() -> None:
    from paralign.words.base import ALIGNERS, find_aligner

    for name in ALIGNERS:
        _row(name, _first(find_aligner(name)))


def _analyses() -> None:
    from paralign.analyses.table import ANALYSES

    for name, entry in ANALYSES.items():
        if name != "check":  # a figure of `corpus check`
            _row(name, entry.help)


def _models() -> None:
    from paralign.encoder.card import read_provenance
    from paralign.models import shipped_names

    for name in shipped_names():
        _row(name, " ".join(read_provenance(name).get("languages", [])))


def _languages() -> None:
    from paralign.text.language_tags import known_tags

    typer.echo(" ".join(known_tags()))


_FILES = {"recipes": "paralign.recipes", "suites": "paralign.suites"}
"""Lists of TOML files, which can be printed, and their packages."""
_LISTS: dict[str, Callable[[], None]] = {
    **{name: partial(_files, package) for name, package in _FILES.items()},
    "objectives": _objectives,
    "tasks": _tasks,
    "aligners": _aligners,
    "analyses": _analyses,
    "models": _models,
    "languages": _languages,
}


def _row(name: str, text: str) -> None:
    typer.echo(f"{name:22} {text}")


def _first(kind: type) -> str:
    return (kind.__doc__ or "").strip().splitlines()[0].replace("``", "`")
