"""``paralign align``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from paralign.cli.options import (
    BatchSize,
    Device,
    Dictionary,
    DryRun,
    Epochs,
    LearningRate,
    Lenient,
    Out,
    Overrides,
    Pairs,
    Precision,
    Quiet,
    RecordLimit,
    Resume,
    Seed,
    Show,
    Track,
    short_forms,
)

__all__ = ["command"]


def command(
    out: Out,
    model: Annotated[
        str | None,
        typer.Option(
            help="Encoder: a folder, or a name on the Hugging Face Hub.", show_default="that of --from-checkpoint"
        ),
    ] = None,
    pairs: Pairs = None,
    corpus: Annotated[
        Path | None, typer.Option(help="Token store built by `paralign corpus build`, used instead of --pairs.")
    ] = None,
    links: Annotated[
        list[str] | None,
        typer.Option(
            help="Word links written by `paralign words`, one file per --pairs.",
            metavar="SRC-TGT=PATH",
            show_default="computed",
        ),
    ] = None,
    dictionary: Dictionary = None,
    from_checkpoint: Annotated[
        Path | None,
        typer.Option(help="Start from the encoder of a checkpoint, RUN/checkpoints/step-NNNNNNNN, of another run."),
    ] = None,
    recipe: Annotated[str, typer.Option(help="Name of a recipe (`paralign list recipes`) or a TOML file.")] = "ppa",
    control: Annotated[
        bool,
        typer.Option(
            "--control",
            help="Train the control of the recipe instead: masked LM on the same pairs, with the same batches, steps "
            "and learning rate.",
        ),
    ] = False,
    lr: LearningRate = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    precision: Precision = None,
    overrides: Overrides = None,
    limit: RecordLimit = None,
    seed: Seed = None,
    lenient: Lenient = False,
    resume: Resume = False,
    track: Track = None,
    device: Device = None,
    dry_run: DryRun = False,
    show: Show = 0,
    quiet: Quiet = False,
) -> None:
    """Align an encoder with parallel text. The result is a plain Hugging Face folder, OUT/encoder.

    \b
    Example:
      paralign align --model xlm-roberta-base --recipe word-contrastive-anchor \\
          --pairs en-de=europarl.en-de.tsv.gz --limit 16000 --out runs/words
    """
    from paralign.commands.align import AlignRequest, prepare_align, run_align
    from paralign.device import select_device
    from paralign.runs.options import RunOptions
    from paralign.runs.preview import preview_overrides, preview_training

    select_device(device)
    overrides = short_forms(
        overrides, limit=limit, seed=seed, lr=lr, epochs=epochs, batch_size=batch_size, precision=precision
    )
    request = AlignRequest(
        model, pairs or [], corpus, links or [], dictionary or [], recipe, overrides, from_checkpoint, control
    )
    options = RunOptions(out, resume, quiet, lenient, tuple(track or ()))
    if dry_run or show:
        sampled = overrides if corpus else preview_overrides(overrides, request.config)
        previewed = replace(request, overrides=sampled)
        preview_training(
            lambda temporary: prepare_align(temporary, previewed),
            options,
            cost=dry_run,
            show=show,
            sources=[*request.pairs, *request.links, *request.dictionary],
            limit=request.config.data.limit,
        )
    else:
        run_align(options, request)
