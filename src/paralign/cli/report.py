"""``paralign report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["command"]


def command(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The page; .md and .csv are written beside it.")] = Path(
        "report.html"
    ),
    control: Annotated[str | None, typer.Option(help="System the others are compared with.")] = None,
    title: Annotated[str, typer.Option(help="Of the page.")] = "Cross-lingual transfer",
) -> None:
    """Make one offline page from the results of runs."""
    from paralign.report import write_report

    typer.echo(write_report(runs, out, control=control, title=title).html)
