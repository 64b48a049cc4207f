"""``paralign words``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paralign.cli.options import Device, Lenient, Limit, Quiet, Tokenized, data_option, set_option
from paralign.words.base import ALIGNERS

__all__ = ["command"]


def command(
    pairs: Annotated[str, data_option("Parallel text; formats: see `align --help`.", "SRC-TGT=PATH")],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            help="Output file: one line of i-j links per pair, counted from 0. With --load, - for standard output.",
        ),
    ],
    train: Annotated[
        list[str] | None, data_option("Additional training text; may be repeated.", "SRC-TGT=PATH")
    ] = None,
    method: Annotated[
        str,
        typer.Option(help=f"Aligner: {', '.join(ALIGNERS)}, or my_module:Class.", metavar="NAME"),
    ] = "hmm",
    model: Annotated[
        str | None,
        typer.Option(
            help="Encoder: for --method similarity (default: intfloat/multilingual-e5-small), or to combine its "
            "similarities with --method hmm."
        ),
    ] = None,
    links: Annotated[Path | None, typer.Option(help="Existing links for --method file.")] = None,
    symmetrize: Annotated[
        str | None,
        typer.Option(
            "--symmetrize",
            help="How both directions are combined: posterior, intersect, union, grow-diag, grow-diag-final or "
            "grow-diag-final-and.",
            show_default="posterior for hmm and ibm, intersect for similarity, else grow-diag-final-and",
        ),
    ] = None,
    tokenized: Tokenized = False,
    save: Annotated[Path | None, typer.Option(help="Folder to save the trained aligner to.")] = None,
    load: Annotated[Path | None, typer.Option(help="Saved aligner to use instead of training.")] = None,
    learn_from: Annotated[
        int | None,
        typer.Option(
            "--learn-from", metavar="N", help="Train on the first N pairs, then align all pairs in constant memory."
        ),
    ] = None,
    part: Annotated[
        str | None,
        typer.Option(metavar="K/N", help="Align only part K of N (K from 1 to N); needs --load."),
    ] = None,
    gold: Annotated[
        Path | None, typer.Option(help="Gold links of --pairs, to compute the alignment error rate.")
    ] = None,
    one_based: Annotated[bool, typer.Option("--one-based", help="Words of --gold and --links count from 1.")] = False,
    flipped: Annotated[bool, typer.Option("--flipped", help="--gold lists the target word first.")] = False,
    scores: Annotated[
        Path | None,
        typer.Option(help="Output file for the scores against --gold, JSON.", show_default="OUT.scores.json"),
    ] = None,
    posteriors: Annotated[Path | None, typer.Option(help="Output file for link probabilities.")] = None,
    overrides: Annotated[list[str] | None, set_option("words", "the aligner")] = None,
    limit: Limit = None,
    lenient: Lenient = False,
    force: Annotated[bool, typer.Option("--force", help="Replace existing output files.")] = False,
    device: Device = None,
    quiet: Quiet = False,
) -> None:
    """Align the words of parallel text.

    \b
    Examples:
      paralign words --pairs en-de=corpus.tsv.gz --out links.en-de
      paralign words --pairs en-de=large.tsv.gz --learn-from 1000000 --save aligners/en-de --out links.large
      paralign words --pairs en-de=test.en,test.de --tokenized \\
          --method similarity --model sentence-transformers/LaBSE --gold gold.txt --out links.test
    """
    from paralign.commands.align_stream import align_stream, can_stream
    from paralign.commands.align_words import align_words
    from paralign.errors import UserError

    if device is not None:  # otherwise torch is not needed for statistical aligners
        from paralign.device import select_device

        select_device(device)
    needed: dict[str, object] = {
        "--learn-from": learn_from is not None,
        "--part": part is not None,
        "--out -": str(out) == "-",
    }
    in_memory: dict[str, object] = {"--train": train, "--gold": gold, "--scores": scores, "--links": links}
    in_memory |= {"--model": model, "--one-based": one_based, "--flipped": flipped}
    reason, other = (next((name for name, value in some.items() if value), None) for some in (needed, in_memory))
    if reason and other:
        raise UserError(f"{other} and {reason} cannot be combined", hint=f"leave {reason} out")
    if reason or (load is not None and other is None and can_stream(method)):
        align_stream(
            pairs,
            out=out,
            load=load,
            learn_from=learn_from,
            part=part,
            method=method,
            symmetrize=symmetrize,
            tokenized=tokenized,
            overrides=overrides or [],
            save=save,
            posteriors=posteriors,
            limit=limit,
            lenient=lenient,
            force=force,
            quiet=quiet,
        )
        return
    align_words(
        pairs,
        out=out,
        train=train or [],
        method=method,
        symmetrize=symmetrize,
        tokenized=tokenized,
        model=model,
        links=links,
        overrides=overrides or [],
        save=save,
        load=load,
        gold=gold,
        one_based=one_based,
        flipped=flipped,
        scores=scores,
        posteriors=posteriors,
        limit=limit,
        lenient=lenient,
        force=force,
        quiet=quiet,
    )
