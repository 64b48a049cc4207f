"""``paralign map``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paralign.cli.options import Lenient, Quiet

__all__ = ["command"]


def command(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to make.")],
    model: Annotated[str, typer.Option(help="Encoder, or a fine-tuned OUT/seed-K/model.")],
    pairs: Annotated[str, typer.Option(help="SRC-TGT=PATH: the target language is mapped into the source's space.")],
    links: Annotated[Path | None, typer.Option(help="Word links of the pairs; found otherwise.")] = None,
    method: Annotated[str, typer.Option(help="How they are found: hmm, ibm, eflomal.")] = "hmm",
    layer: Annotated[int | None, typer.Option(help="Hidden state to map; the last by default.")] = None,
    kind: Annotated[str, typer.Option(help="orthogonal or linear.")] = "orthogonal",
    tokenised: Annotated[bool, typer.Option("--tokenised", help="Words are split at spaces only.")] = False,
    lenient: Lenient = False,
    quiet: Quiet = False,
) -> None:
    """Learn a linear map of one language's vectors into another's, for `evaluate --map`; the encoder stays as it is."""
    from paralign.commands.map import make_map

    make_map(
        model, pairs=pairs, out=out, links=links, method=method, layer=layer, kind=kind, tokenised=tokenised,
        lenient=lenient, quiet=quiet,
    )  # fmt: skip
