"""``paralign export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from paralign.cli.options import Lenient, Quiet, layer_option

__all__ = ["command"]


def command(
    model: Annotated[str, typer.Argument(help="Encoder: a folder, or a name on the Hugging Face Hub.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Output folder; must not exist.")],
    pool: Annotated[
        Literal["cls", "mean"] | None,
        typer.Option(
            help="Pooling of the sentence vector; default: that of a sentence-transformers folder, or the one the "
            "encoder was aligned with, else mean."
        ),
    ] = None,
    layer: Annotated[
        float | None,
        layer_option(
            "Hidden state to export, from 1; 0.67 is two thirds of the depth. Higher layers are removed.", "the last"
        ),
    ] = None,
    trim_vocabulary: Annotated[
        list[str] | None,
        typer.Option(
            help="Text; pieces that no text uses are removed from the vocabulary. May be repeated.", metavar="LANG=PATH"
        ),
    ] = None,
    results: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folder with runs that evaluated this encoder, to list their scores in the model card; may be "
            "repeated.",
            metavar="RUNS",
        ),
    ] = None,
    lenient: Lenient = False,
    quiet: Quiet = False,
) -> None:
    """Export an encoder to sentence-transformers, with a model card.

    \b
    Example:
      paralign export runs/ppa/encoder --pool mean --layer 8 --results runs/retrieval-ppa --out ppa-sentence
    """
    from paralign.commands.export import export

    export(
        model,
        out,
        pool=pool,
        layer=layer,
        trim_vocabulary=trim_vocabulary or (),
        results=results or (),
        lenient=lenient,
        quiet=quiet,
    )
