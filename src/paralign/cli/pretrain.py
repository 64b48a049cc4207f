"""``paralign pretrain``."""

from __future__ import annotations

from dataclasses import replace
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
    Precision,
    Quiet,
    Resume,
    Seed,
    Show,
    Track,
    data_option,
    short_forms,
)

__all__ = ["command"]


def command(
    out: Out,
    text: Annotated[
        list[str] | None,
        data_option("Plain text, one sentence per line; may be repeated. Also .gz, - (stdin), smallworld."),
    ] = None,
    pairs: Annotated[
        list[str] | None, data_option("Parallel text, used instead of --text; may be repeated.", "SRC-TGT=PATH")
    ] = None,
    arch: Annotated[
        str | None,
        typer.Option(
            help="Architecture to train from scratch, FAMILY:LAYERSxWIDTH, e.g. bert:4x256; also roberta, xlm-r, "
            "distilbert, deberta, modernbert."
        ),
    ] = None,
    model: Annotated[str | None, typer.Option(help="Encoder to start from, instead of --arch.")] = None,
    tokenizer: Annotated[
        str, typer.Option(help="wordpiece or bpe to train a tokenizer on the text, or the folder of one.")
    ] = "wordpiece",
    vocab: Annotated[int, typer.Option(help="Vocabulary size of a trained tokenizer.", metavar="N")] = 12_000,
    max_length: Annotated[
        int, typer.Option(help="Maximum sequence length of an encoder trained from scratch.", metavar="N")
    ] = 256,
    heldout: Annotated[
        list[str] | None,
        data_option("Held-out text; its loss is logged per language; may be repeated."),
    ] = None,
    dictionary: Dictionary = None,
    recipe: Annotated[
        str, typer.Option(help="Name of a recipe (`paralign list recipes`) or a TOML file.")
    ] = "pretrain",
    lr: LearningRate = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    precision: Precision = None,
    overrides: Overrides = None,
    limit: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Keep only the first N sentences of each language; short for --set data.limit=N. The tokenizer is "
            "trained on all text.",
        ),
    ] = None,
    seed: Seed = None,
    lenient: Lenient = False,
    resume: Resume = False,
    track: Track = None,
    device: Device = None,
    dry_run: DryRun = False,
    show: Show = 0,
    quiet: Quiet = False,
) -> None:
    """Train a masked LM on plain text. Training starts from scratch (--arch) or from an encoder (--model).

    \b
    Example:
      paralign pretrain --arch bert:4x256 --out runs/base \\
          --text en=news.en.txt --text de=news.de.txt
    """
    from paralign.commands.pretrain import PretrainRequest, Scratch, check_start, prepare_pretrain, run_pretrain
    from paralign.device import select_device
    from paralign.runs.options import RunOptions
    from paralign.runs.preview import preview_overrides, preview_training

    select_device(device)
    overrides = short_forms(
        overrides, limit=limit, seed=seed, lr=lr, epochs=epochs, batch_size=batch_size, precision=precision
    )
    request = PretrainRequest(
        check_start(model, arch, Scratch(str(arch), tokenizer, vocab, max_length)),
        text or [],
        pairs or [],
        heldout or [],
        dictionary or [],
        recipe,
        overrides,
    )
    options = RunOptions(out, resume, quiet, lenient, tuple(track or ()))
    if dry_run or show:
        previewed = replace(request, overrides=preview_overrides(overrides, request.config))
        preview_training(
            lambda temporary: prepare_pretrain(temporary, previewed),
            options,
            cost=dry_run,
            show=show,
            sources=[*request.pairs, *request.text, *request.heldout, *request.dictionary],
            limit=request.config.data.limit,
        )
    else:
        run_pretrain(options, request)
