"""``paralign grid``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paralign.cli.options import Overrides, Quiet, Resume

__all__ = ["command"]


def command(
    text: Annotated[str, typer.Option(help="LANG=PATH to pretrain on; a treebank for languages derived by syn.")],
    task: Annotated[str, typer.Option(help="A task that trains: pos, ner, nli, qa, parsing.")],
    train: Annotated[Path, typer.Option(help="Its training data in that language.")],
    eval: Annotated[Path, typer.Option(help="Its test data in that language.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for everything.")],
    recipe: Annotated[str, typer.Option(help="Name or TOML file with [grid].")] = "align-mlm-grid",
    overrides: Overrides = None,
    resume: Resume = False,
    quiet: Quiet = False,
) -> None:
    """Pretrain by every method on every derived language, fine-tune, compare: ALIGN-MLM's experiment."""
    from paralign.commands.grid import run_grid

    page = run_grid(
        out,
        text=text,
        task=task,
        train=str(train),
        eval=str(eval),
        recipe=recipe,
        overrides=overrides or [],
        resume=resume,
        quiet=quiet,
    )
    typer.echo(f"report: {page}")
