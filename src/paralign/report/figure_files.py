"""The figures of the page as SVG and PDF files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from paralign.folders import atomic_file
from paralign.report.figure import Figure
from paralign.report.svg import FIGURE_FORMATS, DrawnSvg, save_plots

__all__ = ["write_figures"]


def write_figures(figures: Iterable[Figure], folder: Path) -> list[Path]:
    """Write each figure with plots as ``SECTION-TITLE.svg`` and ``.pdf``: its panels, with the legend below.

    Args:
        figures: all figures of the page.
        folder: created if there is a figure and it does not exist; files of the same names are replaced.

    Returns:
        The files.
    """
    written: list[Path] = []
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
                save_plots(file, plots, legend, format=suffix, key=stem, columns=2 if figure.wide else 3)
            written.append(path)
    return written
