"""``paralign words``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paralign.cli.options import Lenient, Overrides, Quiet
from paralign.words.base import ALIGNERS

__all__ = ["command"]


def command(
    pairs: Annotated[str, typer.Option("--pairs", help="SRC-TGT=PATH: the text to align; see `align --help`.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File of links to write: i-j from 0, a line for each pair.")],
    train: Annotated[
        list[str] | None, typer.Option(help="SRC-TGT=PATH, further text to learn from; may be repeated.")
    ] = None,
    method: Annotated[
        str,
        typer.Option(help=f"Aligner: {', '.join(ALIGNERS)}, or my_module:Class; its settings: --set words.KEY=VALUE."),
    ] = "hmm",
    model: Annotated[str | None, typer.Option(help="Encoder whose vectors are compared, for similarity.")] = None,
    links: Annotated[Path | None, typer.Option(help="File of existing links, for file.")] = None,
    symmetrise: Annotated[
        str | None,
        typer.Option(
            help="How both directions are combined: intersect, union, grow-diag, grow-diag-final, grow-diag-final-and.",
            show_default="grow-diag-final-and; intersect for similarity",
        ),
    ] = None,
    tokenised: Annotated[bool, typer.Option("--tokenised", help="Words of --pairs are separated by spaces.")] = False,
    save: Annotated[Path | None, typer.Option(help="Folder to save the trained aligner in.")] = None,
    load: Annotated[Path | None, typer.Option(help="Folder of a saved aligner, to align without training.")] = None,
    gold: Annotated[Path | None, typer.Option(help="Gold links of --pairs: print the alignment error rate.")] = None,
    one_based: Annotated[bool, typer.Option("--one-based", help="Words of --gold and --links count from 1.")] = False,
    flipped: Annotated[bool, typer.Option("--flipped", help="The file of --gold names the target word first.")] = False,
    posteriors: Annotated[Path | None, typer.Option(help="File to write the probability of each link to.")] = None,
    overrides: Overrides = None,
    lenient: Lenient = False,
    quiet: Quiet = False,
) -> None:
    """Align the words of parallel text: which word is a translation of which."""
    from paralign.commands.align_words import align_words

    align_words(
        pairs,
        out=out,
        train=train or [],
        method=method,
        symmetrise=symmetrise,
        tokenised=tokenised,
        model=model,
        links=links,
        overrides=overrides or [],
        save=save,
        load=load,
        gold=gold,
        one_based=one_based,
        flipped=flipped,
        posteriors=posteriors,
        lenient=lenient,
        quiet=quiet,
    )
