"""``paralign predict``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paralign.cli.options import Device, Lenient, Limit, Quiet, Task, TaskSettings, data_option

__all__ = ["command"]


def command(
    model: Annotated[str, typer.Option(help="A fine-tuned OUT/seed-K/model, or an encoder for tasks without a head.")],
    data: Annotated[str, data_option("Data, for mining as SRC-TGT=PATH; labels may be missing.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write the predictions to; - for standard output.")],
    task: Task = None,
    overrides: TaskSettings = None,
    limit: Limit = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    lenient: Lenient = False,
    device: Device = None,
    quiet: Quiet = False,
) -> None:
    """Write the predictions of a model in the format of its task.

    \b
    Example:
      paralign predict --model runs/pos/seed-0/model --data de=new.conllu --out tagged.conllu
    """
    from paralign.commands.predict import predict
    from paralign.device import select_device

    select_device(device)
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
