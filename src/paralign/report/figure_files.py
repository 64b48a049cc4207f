"""The figures of the page as SVG and PDF files."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Any

from paralign.console import echo
from paralign.folders import atomic_file
from paralign.report.figure import Figure
from paralign.report.fonts import fallback_fonts, missing_characters
from paralign.report.number_format import shorten_list
from paralign.report.svg import SETTINGS, DrawnSvg, text_width, wrap_text

__all__ = ["save_plots", "write_figures"]

FIGURE_FORMATS = ("svg", "pdf")
_TEXT_SIZE = 9
"""Font size of titles, labels and the legend, in points."""
_LINE = 1.2 * _TEXT_SIZE / 72
"""Height of a line of text in inches."""


def write_figures(figures: Iterable[Figure], folder: Path) -> list[Path]:
    """Write each figure with plots as ``SECTION-TITLE.svg`` and ``.pdf``: its panels, with the legend below.

    Args:
        figures: all figures of the page.
        folder: created if there is a figure and it does not exist; files of the same names are replaced.

    Returns:
        The files.
    """
    written: list[Path] = []
    missing: set[str] = set()
    for figure in figures:
        plots = [(panel.title, panel.svg) for panel in figure.panels if isinstance(panel.svg, DrawnSvg)]
        if not plots:
            continue
        folder.mkdir(exist_ok=True)
        name = re.sub(r"[^a-z0-9]+", "-", f"{figure.section} {figure.title}".lower()).strip("-")[:100]
        used = {path.stem for path in written}
        stem = next(n for n in (name, *(f"{name}-{k}" for k in range(2, len(used) + 3))) if n not in used)
        legend = [(entry.label, entry.properties) for entry in figure.legend]
        for suffix in FIGURE_FORMATS:
            path = folder / f"{stem}.{suffix}"
            with atomic_file(path) as file:
                columns = 2 if figure.wide or len(plots) == 4 else 3
                missing |= save_plots(file, plots, legend, format=suffix, key=stem, columns=columns)
            written.append(path)
    if missing:
        characters = shorten_list(sorted(missing), what="other characters")
        echo(f"WARNING PDF figures have boxes for {characters}: no installed font has them; use the SVG files")
    return written


def save_plots(
    file: IO[bytes],
    plots: Sequence[tuple[str, DrawnSvg]],
    legend: Sequence[tuple[str, dict[str, Any]]],
    *,
    format: str,
    key: str,
    columns: int,
) -> set[str]:
    """Write plots as one figure to a file.

    Args:
        file: open for writing. Equal plots give equal bytes.
        plots: title and plot of each panel.
        legend: label and matplotlib line properties of each entry, shown below the panels.
        format: ``svg`` or ``pdf``.
        key: a name for the ids of an SVG.
        columns: number of panels in a row.

    Returns:
        Characters that a PDF shows as boxes, because no installed font has them. The text of an SVG is drawn with the
        fonts of its readers.
    """
    import matplotlib
    from matplotlib.text import Text

    columns = min(columns, len(plots))
    missing: set[str] = set()
    with matplotlib.rc_context(SETTINGS | {"svg.hashsalt": key}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        figure = _draw(plots, legend, columns)
        if format == "pdf":
            families = list(matplotlib.rcParams["font.family"])
            texts = [text.get_text() for text in figure.findobj(Text)]
            missing = missing_characters(texts, families)
            if missing and (fallback := fallback_fonts(missing)):
                matplotlib.rcParams["font.family"] = families + fallback
                missing = missing_characters(missing, families + fallback)
                figure = _draw(plots, legend, columns)
        dates = {"Date": None} if format == "svg" else {"CreationDate": None}
        figure.savefig(file, format=format, metadata=dates, transparent=True)
    return missing


def _draw(plots: Sequence[tuple[str, DrawnSvg]], legend: Sequence[tuple[str, dict[str, Any]]], columns: int) -> Any:
    """Return matplotlib's figure, so high that titles, labels and the legend take no room from the plots."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = -(-len(plots) // columns)
    width = max(plot.size[0] for _, plot in plots) * columns
    height = (max(plot.size[1] for _, plot in plots) + 0.25) * rows
    figure: Any = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    titles = []
    for number, (title, plot) in enumerate(plots, 1):
        axes = figure.add_subplot(rows, columns, number)
        plot.draw(axes)
        for artist in axes.get_children():
            artist.set_gid(None)  # tooltips are for the page only
        titles.append(axes.set_title(title, fontsize=_TEXT_SIZE, loc="left"))
    if legend:
        height += _add_legend(figure, legend)
        figure.set_size_inches(width, height)
    figure.get_layout_engine().execute(figure)  # gives the widths of the axes
    extra = max(_wrap_labels(axes, title) for axes, title in zip(figure.axes, titles, strict=True))
    figure.set_size_inches(width, height + rows * extra * _LINE)
    return figure


def _add_legend(figure: Any, entries: Sequence[tuple[str, dict[str, Any]]]) -> float:
    """Add a legend in as many columns as the figure has room for, and return its height in inches."""
    from matplotlib.lines import Line2D

    room = 72 * figure.get_figwidth() - 5 * _TEXT_SIZE  # without the line and the margins
    labels = [wrap_text(label, room, _TEXT_SIZE) for label, _ in entries]
    handles = [Line2D([], [], label=label, **look) for label, (_, look) in zip(labels, entries, strict=True)]
    narrowest = min(text_width(label, _TEXT_SIZE) for label in labels) + 4.8 * _TEXT_SIZE  # with line and gaps
    most = min(len(labels), int(72 * figure.get_figwidth() / narrowest) + 1)
    for columns in range(most, 0, -1):
        legend = figure.legend(
            handles=handles, loc="outside lower left", ncols=columns, frameon=False, fontsize=_TEXT_SIZE
        )
        box = legend.get_window_extent()
        if columns == 1 or box.width + figure.dpi * _TEXT_SIZE / 72 <= figure.bbox.width:
            break
        legend.remove()
    return float(box.height / figure.dpi) + 0.07


def _wrap_labels(axes: Any, title: Any) -> int:
    """Break title and x label where they are wider than the axes, and return the number of lines that this adds."""
    room = 72 * axes.bbox.width / axes.figure.dpi
    added = 0
    for text in (title, axes.xaxis.label):
        wrapped = wrap_text(text.get_text(), room, text.get_fontsize())
        added += wrapped.count("\n") - text.get_text().count("\n")
        text.set_text(wrapped)
    return added
