"""``paralign report``: one page from run folders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from paralign.errors import UserError
from paralign.folders import atomic_file, check_can_create, require_folder
from paralign.report.controls import control_systems
from paralign.report.csv_files import figures_csv, tables_csv
from paralign.report.figure_files import write_figures
from paralign.report.latex import latex as latex_tables
from paralign.report.markdown import markdown
from paralign.report.page import Page, build_page, html
from paralign.report.runs import read_runs
from paralign.report.tables import build_tables
from paralign.sources.specs import expand_home

__all__ = ["ReportPaths", "write_page", "write_report"]

_HINT = "choose another name with --out, or remove this one"


@dataclass(frozen=True)
class ReportPaths:
    """The files of a report.

    Attributes:
        html: the page.
        markdown: its summary, tables, warnings, costs and commands.
        csv: the scores of all tables.
        figures: the points of all figures, as CSV.
        latex: the tables as LaTeX; None if not written.
        images: the plots as SVG and PDF files; empty if not written.
    """

    html: Path
    markdown: Path
    csv: Path
    figures: Path
    latex: Path | None = None
    images: tuple[Path, ...] = ()


def write_report(
    runs: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    control: str | None = None,
    title: str | None = None,
    csv: bool = True,
    latex: bool = False,
    figures: bool = False,
) -> ReportPaths:
    """Write an offline HTML page about a set of runs, and its content as Markdown and CSV.

    Only result files are read, no models. The same folders give the same bytes.

    Args:
        runs: run folders, or folders with runs below them; one may be given alone.
        out: the page, ``NAME.html``. Other files are written next to it, with the same NAME: ``NAME.md``.
        control: the system or run that others are compared with. ``None``: the one marked as the control in its
            ``run.json`` or results; without any, nothing is compared.
        title: title of the page. None: ``Cross-lingual alignment report``.
        csv: whether to write ``NAME.csv``, the scores of all tables, and ``NAME.figures.csv``, the points of all
            figures.
        latex: whether to write the tables as ``NAME.tex``, for the package booktabs.
        figures: whether to write the plots as SVG and PDF files, into the folder ``NAME.figures``. Word links are
            drawn only on the page.

    Returns:
        the files written.

    Raises:
        UserError: if ``out`` is not an HTML file in an existing folder, the name of another file is used for something
            else, or exists although ``out`` does not, a folder is not a run, no run has results, figures or a log,
            ``control`` is unknown, or a table has two controls.

    >>> from pathlib import Path
    >>> from paralign.results import Measurement, write_results
    >>> row = Measurement(task="pos", dataset="pud", language="de", metric="accuracy", value=0.75, n=1000,
    ...                   model="xlm-roberta-base", model_hash="c0ffee", run="pos-de")
    >>> write_results(Path("pos-de"), [(row, None)])
    >>> paths = paralign.write_report([Path("pos-de")], Path("report.html"))
    >>> paths.markdown.read_text().splitlines()[0]
    '# Cross-lingual alignment report'
    """
    if not isinstance(runs, Iterable | Path):
        raise UserError(f"runs is of type {type(runs).__name__}", hint="give a folder, or a list of them")
    folders = [runs] if isinstance(runs, str | Path) else list(runs)
    out = Path(expand_home(str(out)))
    _check_out(out, csv=csv, latex=latex, figures=figures)
    if not folders:
        raise UserError("no run folders given", hint="paralign report runs/* --out report.html")
    read = read_runs([expand_home(str(folder)) for folder in folders])
    controls = control_systems(read, control)
    tables = build_tables(read, controls)
    page = build_page(read, tables, controls, "Cross-lingual alignment report" if title is None else title)
    scores = tables_csv(read, tables, controls) if csv else None
    return write_page(page, scores, out, latex=latex, figures=figures)


def write_page(page: Page, tables: str | None, out: Path, *, latex: bool = False, figures: bool = False) -> ReportPaths:
    """Write a page as HTML and Markdown, its tables and its figures.

    Args:
        page: the content.
        tables: the tables as CSV. None: write no CSV files.
        out: the page, ``NAME.html``.
        latex: whether to write the tables as LaTeX.
        figures: whether to write the plots as SVG and PDF files.
    """
    paths = ReportPaths(out, out.with_suffix(".md"), out.with_suffix(".csv"), out.with_suffix(".figures.csv"))
    texts = [(paths.html, html(page)), (paths.markdown, markdown(page))]
    sections = [("Results", [page.results_figure] if page.results_figure else []), *page.sections]
    if tables is not None:
        texts += [(paths.csv, tables), (paths.figures, figures_csv(sections))]
    if latex:
        paths = replace(paths, latex=out.with_suffix(".tex"))
        texts.append((out.with_suffix(".tex"), latex_tables(page)))
    for path, text in texts:
        with atomic_file(path) as file:
            file.write(text.encode("utf-8", errors="replace"))  # as bytes: no other line ends on Windows
    if figures:
        images = write_figures((figure for _, part in sections for figure in part), out.with_suffix(".figures"))
        paths = replace(paths, images=tuple(images))
    return paths


def _check_out(out: Path, *, csv: bool, latex: bool, figures: bool) -> None:
    """Check that a page and the files next to it can be written.

    Raises:
        UserError: if it is not an HTML file in an existing folder, or one of the names is used for something else, or
            by a file that is not from an earlier report.
    """
    if out.is_dir():
        raise UserError("the report is a file, but this is a folder", where=out, hint=f"--out {out / 'report.html'}")
    if out.suffix.lower() not in (".html", ".htm"):
        raise UserError("the report must be an .html file", where=out, hint=f"--out {out.with_suffix('.html')}")
    require_folder(out.parent)
    suffixes = [".md", *([".csv", ".figures.csv"] if csv else []), *([".tex"] if latex else [])]
    for path in map(out.with_suffix, suffixes):
        if path.is_dir():
            raise UserError("the report writes a file of this name, but this is a folder", where=path, hint=_HINT)
        if path.exists() and not out.exists():  # it is not that of an earlier report
            raise UserError(
                f"already exists and is not part of a report: there is no {out.name}", where=path, hint=_HINT
            )
    folder = out.with_suffix(".figures")
    if figures and folder.exists() and not folder.is_dir():
        raise UserError("the report writes a folder of this name, but this is a file", where=folder, hint=_HINT)
    if figures:
        check_can_create(folder)
