"""``paralign suite``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paralign.cli.options import Device, Limit, Out, Quiet, Resume

__all__ = ["command"]


def command(
    suite: Annotated[str, typer.Argument(help="Name of a suite (`paralign list suites`), or TOML file with [[task]].")],
    model: Annotated[
        list[str],
        typer.Option(
            help="System; may be repeated. {seed} in FOLDER is replaced by the seed, for systems with one encoder per "
            "seed.",
            metavar="NAME=FOLDER",
        ),
    ],
    out: Out,
    data: Annotated[
        Path | None,
        typer.Option(help="Base folder of relative data paths.", show_default="the current folder"),
    ] = None,
    jobs: Annotated[int, typer.Option(help="Number of runs at the same time.", min=1)] = 1,
    hours: Annotated[
        float | None,
        typer.Option(help="Time budget in hours; continue later with --resume. 0: only write the page.", min=0),
    ] = None,
    control: Annotated[
        str | None,
        typer.Option(
            help="System that others are compared with.", show_default="systems whose recipe marks them as controls"
        ),
    ] = None,
    limit: Limit = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            help="Number of seeds of each task that does not set its own.",
            metavar="N",
            min=1,
            show_default="as in the suite",
        ),
    ] = None,
    first_seed: Annotated[
        int | None, typer.Option(help="The first seed.", metavar="K", min=0, show_default="as in the suite, or 0")
    ] = None,
    device: Device = None,
    resume: Resume = False,
    quiet: Quiet = False,
) -> None:
    """Fine-tune and evaluate encoders on all tasks of a suite.

    \b
    Example:
      paralign suite quick --model base=paralign-mini --model ppa=runs/ppa/encoder --out runs/quick
    """
    from paralign.commands.suite import parse_models
    from paralign.commands.suite import suite as run_suite
    from paralign.console import printable
    from paralign.device import select_device

    select_device(device)
    page = run_suite(
        suite,
        models=parse_models(model),
        out=out,
        data=data,
        jobs=jobs,
        hours=hours,
        limit=limit,
        seeds=seeds,
        first_seed=first_seed,
        control=control,
        resume=resume,
        quiet=quiet,
    )
    typer.echo(printable(f"report: {page}"))
