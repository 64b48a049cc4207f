"""``paralign report``: run folders in, a page out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from paralign.errors import UserError
from paralign.folders import atomic_file
from paralign.report.controls import control_systems
from paralign.report.csv_rows import csv_text, figures_csv
from paralign.report.markdown import markdown
from paralign.report.page import build_page, html
from paralign.report.runs import read_runs
from paralign.report.tables import build_tables

__all__ = ["ReportPaths", "write_report"]


@dataclass(frozen=True)
class ReportPaths:
    """The files of a report."""

    html: Path
    markdown: Path
    csv: Path
    """The tables."""
    figures: Path
    """The numbers behind every picture, CSV."""


def write_report(
    runs: Sequence[Path],
    out: Path,
    *,
    control: str | None = None,
    title: str = "Cross-lingual alignment report",
) -> ReportPaths:
    """Write one offline HTML page about a set of runs, and Markdown and CSV (of tables and of pictures) beside it.

    Reads result files only, never a model. The same folders give the same bytes.

    Args:
        runs: run folders.
        out: the page, ``*.html``; ``*.md``, ``*.csv`` and ``*.figures.csv`` of the same name are written
            beside it.
        control: the system (or run) the others are compared with; by default the one whose ``run.json`` says
            so.
        title: of the page.

    Raises:
        UserError: if ``out`` is no HTML file in an existing folder, a folder is no run, no run holds results or a log,
            ``control`` names nothing, or two controls meet in one table.
    """
    out = Path(out)
    _check(out)
    if not runs:
        raise UserError("no run folders given", hint="paralign report runs/* --out report.html")
    found = read_runs(runs)
    controls = control_systems(found, control)
    tables = build_tables(found, controls)
    page = build_page(found, tables, controls, title)
    paths = ReportPaths(out, out.with_suffix(".md"), out.with_suffix(".csv"), out.with_suffix(".figures.csv"))
    for path, text in (
        (paths.html, html(page)),
        (paths.markdown, markdown(page)),
        (paths.csv, csv_text(found, tables, controls)),
        (paths.figures, figures_csv(page.sections)),
    ):
        _replace(path, text)
    return paths


def _check(out: Path) -> None:
    if out.is_dir():
        raise UserError("the report is a file, this is a folder", where=out, hint=f"--out {out / 'report.html'}")
    if out.suffix.lower() not in (".html", ".htm"):
        raise UserError("the report is an HTML page", where=out, hint=f"--out {out.with_suffix('.html')}")
    if not out.parent.is_dir():
        raise UserError("no such folder", where=out.parent, hint=f"mkdir -p {out.parent}")


def _replace(path: Path, text: str) -> None:
    """Write atomically, so that a reader never sees half a page; the same bytes on every system."""
    with atomic_file(path) as out:
        out.write(text.encode("utf-8", errors="replace"))
