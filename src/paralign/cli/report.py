"""``paralign report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["command"]


def command(
    runs: Annotated[list[Path], typer.Argument(help="Run folders.")],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="Path of the HTML report; Markdown and CSV files are written next to it."),
    ] = Path("report.html"),
    control: Annotated[str | None, typer.Option(help="System or run to compare the others with.")] = None,
    title: Annotated[str, typer.Option(help="Title of the page.")] = "Cross-lingual transfer",
) -> None:
    """Create a self-contained HTML report from one or more runs.

    \b
    Examples:
      paralign report runs/
      paralign report runs/pos-* runs/retrieval-* --control mlm --out report.html
    """
    from paralign.console import printable
    from paralign.report import write_report

    typer.echo(printable(str(write_report(runs, out, control=control, title=title).html)))
