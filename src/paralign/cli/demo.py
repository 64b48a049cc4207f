"""``paralign demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paralign.cli.options import Device, Quiet, Resume

__all__ = ["command"]


def command(
    out: Annotated[Path, typer.Option("--out", "-o", help="Output folder.")] = Path("runs/demo"),
    pairs: Annotated[
        list[str] | None,
        typer.Option(metavar="SRC-TGT=PATH", help="Run the demo on your own parallel text; may be repeated."),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="With --pairs: the encoder to align.", show_default="paralign-mini")
    ] = None,
    small_world: Annotated[
        bool,
        typer.Option("--small-world", help="Pretrain, align and fine-tune from scratch on generated text instead."),
    ] = False,
    seed: Annotated[int, typer.Option(help="Random seed of training.", metavar="N", min=0)] = 0,
    device: Device = None,
    resume: Resume = False,
    quiet: Quiet = False,
) -> None:
    """Align a small encoder and report the effect.

    Takes a few minutes, without downloads. Uses English paired with German, Spanish and French; --pairs uses your own
    pairs, --small-world generated text.

    \b
    Examples:
      paralign demo
      paralign demo --pairs en-de=europarl.en-de.tsv.gz --out runs/demo-de
      paralign demo --small-world --out runs/small-world
    """
    from paralign.commands.demo import demo
    from paralign.commands.demo_systems import best_system
    from paralign.console import printable
    from paralign.device import select_device

    select_device(device)
    page = demo(out, pairs=pairs or (), model=model, small_world=small_world, seed=seed, resume=resume, quiet=quiet)
    lines = [f"report: {page}"]
    encoder = best_system(out)
    if encoder is not None:
        lines.append(f"aligned encoder: {encoder}")
    if not pairs:
        lines.append("with your own files: paralign demo --pairs en-de=PAIRS.tsv --out runs/own-pairs")
    typer.echo("\n".join(map(printable, lines)))
