"""``paralign map``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from paralign.cli.options import Device, Lenient, Limit, Quiet, Tokenized, data_option, layer_option

__all__ = ["command"]


def command(
    out: Annotated[Path, typer.Option("--out", "-o", help="Output folder; must not exist.")],
    model: Annotated[str, typer.Option(help="Encoder, or a fine-tuned OUT/seed-K/model.")],
    pairs: Annotated[
        str | None,
        data_option("Parallel text; the target language is mapped to the source language.", "SRC-TGT=PATH"),
    ] = None,
    text: Annotated[
        list[str] | None,
        data_option("Text, the pivot first, for the kinds shift, lir and lsar; may be repeated."),
    ] = None,
    links: Annotated[Path | None, typer.Option(help="Word links of the pairs.", show_default="computed")] = None,
    method: Annotated[
        str | None, typer.Option(help="Word aligner for the links; it must need only text (default: hmm).")
    ] = None,
    layer: Annotated[
        float | None,
        layer_option("Layer whose output is mapped, from 1; 0.67 is two thirds of the depth.", "the last"),
    ] = None,
    kind: Annotated[
        Literal["orthogonal", "linear", "shift", "lir", "lsar"],
        typer.Option(help="Type of map: orthogonal or linear, from pairs; shift, lir or lsar, from text."),
    ] = "orthogonal",
    components: Annotated[
        int | None, typer.Option(help="Number of components that lir removes (default: 1).", min=1)
    ] = None,
    tokenized: Tokenized = False,
    one_based: Annotated[bool, typer.Option("--one-based", help="Words of --links count from 1.")] = False,
    limit: Limit = None,
    lenient: Lenient = False,
    device: Device = None,
    quiet: Quiet = False,
) -> None:
    """Learn a map between the vectors of languages. It is applied by `evaluate --map`.

    \b
    Example:
      paralign map --model xlm-roberta-base --pairs en-de=corpus.tsv.gz --layer 8 --out maps/de
    """
    from paralign.commands.map import make_map, make_text_maps
    from paralign.device import select_device
    from paralign.errors import UserError

    select_device(device)
    if (kind in ("shift", "lir", "lsar")) != bool(text) or bool(text) == bool(pairs):
        hint = "--pairs en-de=PATH for orthogonal and linear, --text en=PATH --text de=PATH for shift, lir and lsar"
        needed, other = ("--text", "--pairs") if kind in ("shift", "lir", "lsar") else ("--pairs", "--text")
        raise UserError(f"--kind {kind} needs {needed}, and no {other}", hint=hint)
    of_pairs = {"--links": links, "--method": method, "--tokenized": tokenized, "--one-based": one_based}
    unused = [("--text", option) for option, value in of_pairs.items() if value and pairs is None]
    unused += [(f"--kind {kind}", "--components")] if components and text is None else []
    if unused:
        raise UserError(f"{unused[0][1]} has no effect with {unused[0][0]}", hint="remove it")
    if pairs is None:
        make_text_maps(
            model,
            text=text or [],
            out=out,
            kind=kind,
            layer=layer,
            components=components,
            limit=limit,
            lenient=lenient,
            quiet=quiet,
        )
        return
    make_map(
        model,
        pairs=pairs,
        out=out,
        links=links,
        method=method,
        layer=layer,
        kind=kind,
        tokenized=tokenized,
        one_based=one_based,
        limit=limit,
        lenient=lenient,
        quiet=quiet,
    )
