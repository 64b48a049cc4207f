"""``paralign list``."""

from __future__ import annotations

from typing import Annotated

import typer

from paralign.config import did_you_mean
from paralign.errors import UserError

__all__ = ["command"]

_WHAT = ("recipes", "suites", "objectives", "tasks", "models", "languages")


def command(what: Annotated[str, typer.Argument(help=", ".join(_WHAT))] = "recipes") -> None:
    """List recipes, suites, objectives, tasks, bundled models or languages."""
    if what in ("recipes", "suites"):
        from importlib import resources

        for file in sorted(resources.files(f"paralign.{what}").iterdir(), key=lambda f: f.name):
            if file.name.endswith(".toml"):
                first = file.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
                typer.echo(f"{file.name.removesuffix('.toml'):22} {first}")
    elif what == "objectives":
        from paralign.objectives import OBJECTIVES, find_objective

        for name in OBJECTIVES:
            typer.echo(f"{name:22} {_first(find_objective(name))}")
    elif what == "tasks":
        from paralign.tasks.base import TASKS, find_task

        for name in TASKS:
            typer.echo(f"{name:22} {_first(type(find_task(name)))}")
    elif what == "models":
        from paralign.encoder.card import read_provenance
        from paralign.models import shipped_names

        for name in shipped_names():
            typer.echo(f"{name:22} {' '.join(read_provenance(name).get('languages', []))}")
    elif what == "languages":
        from paralign.text.language_tags import known_tags

        typer.echo(" ".join(known_tags()))
    else:
        raise UserError(f"unknown list {what!r}", hint=did_you_mean(what, _WHAT))


def _first(kind: type) -> str:
    return (kind.__doc__ or "").strip().splitlines()[0]
