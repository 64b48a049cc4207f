"""``paralign align``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paralign.cli.options import DryRun, Lenient, Limit, Out, Overrides, Pairs, Quiet, Resume, Seed, Show, Track, given

__all__ = ["command"]


def command(
    out: Out,
    model: Annotated[str, typer.Option(help="Encoder: a folder, or a name on the Hugging Face hub.")],
    pairs: Pairs = None,
    corpus: Annotated[Path | None, typer.Option(help="A token store of `paralign corpus build`.")] = None,
    links: Annotated[
        list[str] | None,
        typer.Option(help="SRC-TGT=PATH, word links of `paralign words` for each --pairs; otherwise they are found."),
    ] = None,
    dictionary: Annotated[
        list[str] | None, typer.Option(help="SRC-TGT=PATH, words and their translations; may be repeated.")
    ] = None,
    recipe: Annotated[str, typer.Option(help="Name (see `paralign list recipes`) or TOML file.")] = "ppa",
    overrides: Overrides = None,
    limit: Limit = None,
    seed: Seed = None,
    lenient: Lenient = False,
    resume: Resume = False,
    track: Track = None,
    dry_run: DryRun = False,
    show: Show = 0,
    quiet: Quiet = False,
) -> None:
    """Align an encoder with parallel text; writes a plain Hugging Face folder to OUT/encoder."""
    from paralign.runs.preview import run_or_preview
    from paralign.runs.train import align

    run_or_preview(
        align,
        out=out,
        resume=resume,
        quiet=quiet,
        measure=dry_run,
        show=show,
        model=model,
        pairs=pairs or [],
        corpus=corpus,
        links=links or [],
        dictionary=dictionary or [],
        recipe=recipe,
        settings=given(data={"limit": limit}, training={"seed": seed}),
        overrides=overrides or [],
        lenient=lenient,
        track=track or [],
    )
