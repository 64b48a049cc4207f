"""``paralign evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paralign.cli.options import (
    Dataset,
    Device,
    Lenient,
    Limit,
    Quiet,
    Split,
    System,
    Task,
    TaskSettings,
    data_option,
    layer_option,
    short_forms,
)

__all__ = ["command"]


def command(
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Output folder; results are added to those of an earlier evaluation.")
    ],
    model: Annotated[str, typer.Option(help="Encoder, fine-tuned OUT/seed-K/model, or causal language model.")],
    data: Annotated[
        list[str],
        data_option("Test data, for retrieval, mining, lexicon and alignment as SRC-TGT=PATH; may be repeated."),
    ],
    dev: Annotated[
        list[str] | None,
        data_option(
            "Development data for choosing layer and pooling (retrieval, lexicon, alignment); may be repeated.",
            "SRC-TGT=PATH",
        ),
    ] = None,
    task: Task = None,
    layer: Annotated[
        float | None,
        layer_option(
            "Hidden state to use: 0 is the embeddings, k the state after k layers, 0.67 two thirds of the depth.",
            "that of the task",
        ),
    ] = None,
    map: Annotated[list[str] | None, typer.Option(help="Folder of `paralign map`; may be repeated.")] = None,
    overrides: TaskSettings = None,
    limit: Limit = None,
    split: Split = "test",
    system: System = None,
    dataset: Dataset = None,
    lenient: Lenient = False,
    device: Device = None,
    quiet: Quiet = False,
) -> None:
    """Evaluate an encoder or a fine-tuned model. Results are added to OUT/results.jsonl.

    \b
    Example:
      paralign evaluate --model runs/ppa/encoder --task retrieval \\
          --data en-de=ntrex.en-de.tsv --out runs/retrieval
    """
    from paralign.commands.evaluate import evaluate
    from paralign.device import select_device

    select_device(device)
    short_forms(overrides, layer=layer)
    evaluate(
        model,
        task=task,
        data=data,
        out=out,
        dev=dev or [],
        overrides=overrides or [],
        limit=limit,
        split=split,
        system=system,
        dataset=dataset,
        layer=layer,
        maps=map or [],
        lenient=lenient,
        quiet=quiet,
    )
