"""``paralign finetune``."""

from __future__ import annotations

from typing import Annotated

import typer

from paralign.cli.options import Lenient, Limit, Out, Overrides, Quiet, Resume, Split, System

__all__ = ["command"]


def command(
    out: Out,
    model: Annotated[str, typer.Option(help="Encoder to start from; left as it is.")],
    task: Annotated[str, typer.Option(help="See `paralign list tasks`.")],
    train: Annotated[str, typer.Option(help="LANG=PATH.")],
    eval: Annotated[list[str], typer.Option(help="LANG=PATH, may be repeated.")],
    seeds: Annotated[int, typer.Option(help="Fine-tuning seeds 0, 1, ...", min=1)] = 1,
    recipe: Annotated[str | None, typer.Option(help="TOML file with [training].")] = None,
    overrides: Overrides = None,
    limit: Limit = None,
    split: Split = "test",
    system: System = None,
    keep_models: Annotated[bool, typer.Option(help="Keep each seed's fine-tuned model.")] = True,
    lenient: Lenient = False,
    resume: Resume = False,
    quiet: Quiet = False,
) -> None:
    """Fine-tune on one language, score on others (zero-shot), over several seeds."""
    from paralign.verbs import finetune

    finetune(
        model,
        task=task,
        train=train,
        eval=eval,
        out=out,
        seeds=seeds,
        recipe=recipe,
        overrides=overrides or [],
        limit=limit,
        split=split,
        system=system,
        keep_models=keep_models,
        lenient=lenient,
        resume=resume,
        quiet=quiet,
    )
