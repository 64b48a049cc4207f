"""``paralign predict``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paralign.cli.options import Lenient, Limit, Overrides, Quiet

__all__ = ["command"]


def command(
    model: Annotated[str, typer.Option(help="A fine-tuned OUT/seed-K/model, or an encoder for tasks without a head.")],
    data: Annotated[str, typer.Option(help="Data as LANG=PATH; labels may be missing.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write the predictions to.")],
    task: Annotated[
        str | None,
        typer.Option(help="Name of a task (`paralign list tasks`).", show_default="that of a fine-tuned model"),
    ] = None,
    overrides: Overrides = None,
    limit: Limit = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    lenient: Lenient = False,
    quiet: Quiet = False,
) -> None:
    """Write the predictions of a model in the format of its task."""
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
