"""``paralign report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["command"]


def command(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, or folders with runs below them.")],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="Path of the HTML report; the other files are written next to it."),
    ] = Path("report.html"),
    control: Annotated[str | None, typer.Option(help="System or run to compare the others with.")] = None,
    title: Annotated[str | None, typer.Option(help="Title of the page.")] = None,
    csv: Annotated[bool, typer.Option(help="Write NAME.csv (scores) and NAME.figures.csv (points of figures).")] = True,
    latex: Annotated[bool, typer.Option("--latex", help="Write the tables as NAME.tex, for booktabs.")] = False,
    figures: Annotated[
        bool, typer.Option("--figures", help="Write the plots as SVG and PDF files into the folder NAME.figures.")
    ] = False,
) -> None:
    """Create a self-contained HTML report from one or more runs.

    \b
    Examples:
      paralign report runs/
      paralign report runs/ --latex --figures --out paper/results.html
      paralign report runs/pos-* runs/retrieval-* --control "MLM control" --out report.html
    """
    from paralign.console import printable
    from paralign.report import write_report

    paths = write_report(runs, out, control=control, title=title, csv=csv, latex=latex, figures=figures)
    typer.echo(printable(str(paths.html)))
