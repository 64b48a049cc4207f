"""What an analysis is: result rows of earlier runs in; a table, figures and a summary out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from paralign.analyses.table import ANALYSES
from paralign.config import find_class
from paralign.results import Measurement

__all__ = ["AnalysisResult", "ResultsAnalysis", "find_analysis"]


@dataclass
class AnalysisResult:
    """What an analysis computed. The command writes it to the run folder and prints the summary.

    Attributes:
        value: what the Python function returns.
        figures: kind of figure -> its data, written to ``figures/KIND.json``; data classes become objects, NaN null.
        table: rows of ``NAME.tsv``, the header first; no file if empty.
        summary: lines to print.
        warnings: alarms of the run.
    """

    value: Any
    figures: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    table: Sequence[Sequence[str]] = ()
    summary: Sequence[str] = ()
    warnings: Sequence[str] = ()


class ResultsAnalysis(ABC):
    """An analysis that reads the results of other runs: ``paralign analyze NAME RUNS --out FOLDER``.

    It is found by the table :data:`paralign.analyses.table.ANALYSES`, which also says how its figures are drawn.
    """

    name: ClassVar[str]

    @abstractmethod
    def analyze(self, rows: Sequence[tuple[Path, Measurement]]) -> AnalysisResult:
        """Analyze measurements.

        Args:
            rows: all measurements of the runs, each with the folder of its run.

        Raises:
            UserError: if the rows do not hold what the analysis needs.
        """


def find_analysis(name: str) -> ResultsAnalysis:
    """Return the analysis with a name of the table.

    Raises:
        UserError: if there is none that reads results.
    """
    known = {key: entry.implementation for key, entry in ANALYSES.items() if entry.implementation}
    return find_class("analysis", name, known, ResultsAnalysis)()  # type: ignore[type-abstract]
