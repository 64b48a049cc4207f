"""Finds the drawing function of each figure file by its kind."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from paralign.analyses.table import ANALYSES
from paralign.report.draw_training import draw_training
from paralign.report.figure import Figure, FigureSource
from paralign.report.runs import Run
from paralign.report.styles import Style

__all__ = ["draw_figures", "tasks_in_figures"]


def draw_figures(runs: Sequence[Run], styles: Mapping[str, Style]) -> list[Figure]:
    """Draw the figures of all runs: those of analyses in the order of their table, then training curves.

    Args:
        runs: in the order given.
        styles: color and dash of each system.
    """
    figures = []
    for entry in ANALYSES.values():
        for kind, drawing in entry.figures.items():
            for run in runs:
                for name, data in run.figures_of_kind(kind):
                    module, _, function = drawing.partition(":")
                    draw = getattr(importlib.import_module(module), function)
                    figures += draw(FigureSource(run, name, data, styles))
    figures += draw_training(runs, styles)
    titles = Counter((figure.section, figure.title) for figure in figures)
    return [
        replace(figure, title=f"{figure.title}, {figure.run}")
        if figure.run and titles[figure.section, figure.title] > 1
        else figure
        for figure in figures
    ]


def tasks_in_figures(run: Run) -> set[str]:
    """Return the tasks whose rows the run shows in a figure instead of in tables."""
    return {
        task
        for entry in ANALYSES.values()
        for task in entry.tasks
        if any(run.figures_of_kind(kind) for kind in entry.figures)
    }
