"""``paralign finetune``."""

from __future__ import annotations

from typing import Annotated

import typer

from paralign.cli.options import (
    BatchSize,
    Dataset,
    Device,
    DryRun,
    Epochs,
    LearningRate,
    Lenient,
    Limit,
    Out,
    Overrides,
    Precision,
    Quiet,
    Resume,
    Show,
    Split,
    System,
    Track,
    data_option,
    short_forms,
)

__all__ = ["command"]


def command(
    out: Out,
    model: Annotated[str, typer.Option(help="Encoder to start from: a folder, or a name on the Hugging Face Hub.")],
    task: Annotated[str, typer.Option(help="Name of a task (`paralign list tasks`).")],
    train: Annotated[list[str], data_option("Training data; may be repeated to train on several sets together.")],
    eval: Annotated[list[str], data_option("Test data; may be repeated.")],
    dev: Annotated[
        str | None, data_option("Development data, evaluated after each epoch to keep the best one.")
    ] = None,
    code_switch: Annotated[
        bool,
        typer.Option(
            "--code-switch", help="Train on examples that combine each --train set with its English original."
        ),
    ] = False,
    target_examples: Annotated[
        int | None,
        typer.Option(
            help="Few-shot: use N examples from each --train set in another language than the first.",
            metavar="N",
            min=1,
        ),
    ] = None,
    reset_layers: Annotated[
        str | None,
        typer.Option(
            help="Layers to reinitialize before training: 0-1, or 0,3-5, or all; counted from 0.", metavar="LAYERS"
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Number of fine-tuning seeds.", metavar="N", min=1)] = 1,
    seed: Annotated[
        int | None,
        typer.Option("--seed", "--first-seed", help="First fine-tuning seed (default: 0).", metavar="K", min=0),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(help="Name of a recipe (xnli, mlqa), or TOML file with [training], [layers] and [task]."),
    ] = None,
    lr: LearningRate = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    precision: Precision = None,
    overrides: Overrides = None,
    limit: Limit = None,
    split: Split = "test",
    system: System = None,
    dataset: Dataset = None,
    keep_models: Annotated[bool, typer.Option(help="Keep the fine-tuned model of each seed.")] = True,
    lenient: Lenient = False,
    resume: Resume = False,
    track: Track = None,
    device: Device = None,
    dry_run: DryRun = False,
    show: Show = 0,
    quiet: Quiet = False,
) -> None:
    """Fine-tune an encoder and evaluate it. Results are written to OUT/results.jsonl.

    \b
    Zero-shot transfer:  --train en=... --eval de=...
    Translate-train:     --train de=... --eval de=...
    Code-switched:       --train en=... --train de=... --code-switch
    Few-shot:            --train en=... --train de=... --target-examples 100

    \b
    Example:
      paralign finetune --model runs/ppa/encoder --task pos --seeds 3 --out runs/pos-ppa \\
          --train en=ewt-train.conllu --eval en=ewt-test.conllu --eval de=pud-de.conllu
    """
    from paralign.commands.finetune import FinetuneRequest, prepare_finetune
    from paralign.device import select_device
    from paralign.runs.finetune_settings import FinetuneData
    from paralign.runs.options import RunOptions
    from paralign.runs.preview import preview_finetune

    select_device(device)
    data = FinetuneData(train, eval, dev, code_switch, target_examples, limit, split, system, dataset)
    overrides = short_forms(
        overrides,
        reset_layers=reset_layers,
        lr=lr,
        epochs=epochs,
        batch_size=batch_size,
        precision=precision,
        seed=seed,
    )
    request = FinetuneRequest(model, task, data, seeds, recipe, overrides)
    options = RunOptions(out, resume, quiet, lenient, tuple(track or ()))
    if dry_run or show:
        preview_finetune(
            lambda temporary: prepare_finetune(temporary, request),
            options,
            cost=dry_run,
            show=show,
            sources=[*train, *eval, *([dev] if dev else [])],
        )
    else:
        prepare_finetune(options, request).run(keep_models=keep_models)
