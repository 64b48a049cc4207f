"""``paralign map``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paralign.cli.options import Lenient, Quiet

__all__ = ["command"]


def command(
    out: Annotated[Path, typer.Option("--out", "-o", help="Output folder; must not exist.")],
    model: Annotated[str, typer.Option(help="Encoder, or a fine-tuned OUT/seed-K/model.")],
    pairs: Annotated[
        str,
        typer.Option(help="Parallel text as SRC-TGT=PATH; the target language is mapped to the source language."),
    ],
    links: Annotated[Path | None, typer.Option(help="Word links of the pairs.", show_default="computed")] = None,
    method: Annotated[str, typer.Option(help="Word aligner for the links, one that needs only text.")] = "hmm",
    layer: Annotated[
        int | None, typer.Option(help="Hidden state to map: 0 is the embeddings.", show_default="the last")
    ] = None,
    kind: Annotated[str, typer.Option(help="Type of map: orthogonal or linear.")] = "orthogonal",
    tokenised: Annotated[bool, typer.Option("--tokenised", help="Words are separated by spaces.")] = False,
    lenient: Lenient = False,
    quiet: Quiet = False,
) -> None:
    """Learn a linear map between the vectors of two languages. It is applied by `evaluate --map`."""
    from paralign.commands.map import make_map

    make_map(
        model,
        pairs=pairs,
        out=out,
        links=links,
        method=method,
        layer=layer,
        kind=kind,
        tokenised=tokenised,
        lenient=lenient,
        quiet=quiet,
    )
