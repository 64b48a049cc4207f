"""``paralign grid``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paralign.cli.options import Device, Lenient, Limit, Quiet, Resume, data_option, set_option

__all__ = ["command"]


def command(
    text: Annotated[str, data_option("Text to pretrain on; a treebank for languages derived by syn.")],
    task: Annotated[str, typer.Option(help="Task to fine-tune, one with a head (paralign list tasks).")],
    train: Annotated[str, data_option("Training data of the task, in the language of --text.")],
    eval: Annotated[str, data_option("Test data of the task, in the language of --text.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Output folder.")],
    recipe: Annotated[str, typer.Option(help="Name of a recipe or a TOML file with [grid].")] = "align-mlm-grid",
    overrides: Annotated[list[str] | None, set_option("grid", "the grid")] = None,
    limit: Limit = None,
    lenient: Lenient = False,
    device: Device = None,
    resume: Resume = False,
    quiet: Quiet = False,
) -> None:
    """Compare pretraining methods on derived languages. This is the experiment of ALIGN-MLM.

    \b
    Example:
      paralign grid --text en=smallworld:0-20000 --task pos --out runs/grid \\
          --train en=pos-train.conllu --eval en=pos-test.conllu
    """
    from paralign.commands.grid import run_grid
    from paralign.console import printable
    from paralign.device import select_device

    select_device(device)
    page = run_grid(
        out,
        text=text,
        task=task,
        train=train,
        eval=eval,
        recipe=recipe,
        overrides=overrides or [],
        limit=limit,
        lenient=lenient,
        resume=resume,
        quiet=quiet,
    )
    typer.echo(printable(f"report: {page}"))
