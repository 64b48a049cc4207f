"""``paralign demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paralign.cli.options import Quiet, Resume
from paralign.errors import UserError

__all__ = ["command"]


def command(
    out: Annotated[Path, typer.Option("--out", "-o", help="Output folder.")] = Path("runs/demo"),
    real: Annotated[
        list[str] | None, typer.Option(help="Run the demo on your own pairs, SRC-TGT=PATH; may be repeated.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="With --real: the encoder to align.", show_default="paralign-mini")
    ] = None,
    seed: Annotated[int, typer.Option(help="Random seed of the whole pipeline.", min=0)] = 0,
    resume: Resume = False,
    quiet: Quiet = False,
) -> None:
    """Run the whole pipeline in a few minutes. It reads generated text, or your own pairs with --real.

    \b
    Examples:
      paralign demo
      paralign demo --real en-de=europarl.en-de.tsv.gz --out runs/demo-de
    """
    from paralign.commands.demo import demo
    from paralign.console import printable

    if model and not real:
        raise UserError("--model is only used with --real", hint="add --real SRC-TGT=PATH")
    if real:
        from paralign.commands.demo_real import demo_real

        typer.echo(
            f"report: {demo_real(out, real, model=model or 'paralign-mini', seed=seed, resume=resume, quiet=quiet)}"
        )
        return
    typer.echo(printable(f"report: {demo(out, seed=seed, resume=resume, quiet=quiet)}"))
