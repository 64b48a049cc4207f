"""``paralign report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["command"]


def command(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The page; .md and .csv files are written to the same folder.")
    ] = Path("report.html"),
    control: Annotated[str | None, typer.Option(help="System or run the others are compared with.")] = None,
    title: Annotated[str, typer.Option(help="Title of the page.")] = "Cross-lingual transfer",
) -> None:
    """Write one offline page from the results of runs."""
    from paralign.report import write_report

    typer.echo(write_report(runs, out, control=control, title=title).html)
