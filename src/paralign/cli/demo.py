"""``paralign demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paralign.cli.options import Quiet, Resume

__all__ = ["command"]


def command(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for everything.")] = Path("runs/demo"),
    seed: Annotated[int, typer.Option(help="Of the whole pipeline.", min=0)] = 0,
    resume: Resume = False,
    quiet: Quiet = False,
) -> None:
    """The whole story in minutes: pretrain, align, fine-tune, measure, report, on a generated small world."""
    from paralign.recipes.demo import demo

    typer.echo(f"report: {demo(out, seed=seed, resume=resume, quiet=quiet)}")
