"""``paralign predict``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paralign.cli.options import Lenient, Limit, Overrides, Quiet

__all__ = ["command"]


def command(
    model: Annotated[str, typer.Option(help="A fine-tuned OUT/seed-K/model, or an encoder for tasks without a head.")],
    data: Annotated[str, typer.Option(help="LANG=PATH as for evaluate; labels may be missing.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The file of predictions.")],
    task: Annotated[
        str | None, typer.Option(help="See `paralign list tasks`; a fine-tuned model's own by default.")
    ] = None,
    overrides: Overrides = None,
    limit: Limit = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file.")] = False,
    lenient: Lenient = False,
    quiet: Quiet = False,
) -> None:
    """Write a fine-tuned model's predictions in the task's own format."""
    from paralign.commands.predict import predict

    predict(
        model,
        data=data,
        out=out,
        task=task,
        overrides=overrides or [],
        limit=limit,
        force=force,
        lenient=lenient,
        quiet=quiet,
    )
