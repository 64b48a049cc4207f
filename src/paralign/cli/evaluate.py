"""``paralign evaluate``."""

from __future__ import annotations

from typing import Annotated

import typer

from paralign.cli.options import Lenient, Limit, Out, Overrides, Quiet, Split, System

__all__ = ["command"]


def command(
    out: Out,
    model: Annotated[str, typer.Option(help="Encoder, or a fine-tuned OUT/seed-K/model.")],
    data: Annotated[list[str], typer.Option(help="SRC-TGT=PATH (retrieval) or LANG=PATH, may be repeated.")],
    task: Annotated[
        str | None, typer.Option(help="See `paralign list tasks`; a fine-tuned model's own by default.")
    ] = None,
    layer: Annotated[
        int | None, typer.Option(help="Hidden state to read, 0 = embeddings; the last by default.")
    ] = None,
    map: Annotated[list[str] | None, typer.Option(help="Folder of `paralign map`; may be repeated.")] = None,
    overrides: Overrides = None,
    limit: Limit = None,
    split: Split = "test",
    system: System = None,
    lenient: Lenient = False,
    quiet: Quiet = False,
) -> None:
    """Measure an encoder; rows are added to OUT/results.jsonl."""
    from paralign.commands.evaluate import evaluate

    evaluate(
        model,
        task=task,
        data=data,
        out=out,
        overrides=overrides or [],
        limit=limit,
        split=split,
        system=system,
        layer=layer,
        maps=map or [],
        lenient=lenient,
        quiet=quiet,
    )
