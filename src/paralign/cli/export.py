"""``paralign export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from paralign.cli.options import Quiet

__all__ = ["command"]


def command(
    model: Annotated[str, typer.Argument(help="Encoder: a folder, or a name on the Hugging Face hub.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to make.")],
    pool: Annotated[
        Literal["cls", "mean"] | None,
        typer.Option(help="cls where it was aligned by the first piece (moco), otherwise mean, if left out."),
    ] = None,
    layer: Annotated[int | None, typer.Option(help="Hidden state; the layers above are left out.", min=1)] = None,
    quiet: Quiet = False,
) -> None:
    """Write a folder that sentence-transformers loads."""
    from paralign.commands.export import export

    export(model, out, pool=pool, layer=layer, quiet=quiet)
