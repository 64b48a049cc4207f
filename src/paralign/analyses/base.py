"""What an analysis is: encoders and text, or the results of earlier runs, become result rows, figures and a summary."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from paralign.analyses.parallel_text import ParallelText
from paralign.analyses.table import ANALYSES
from paralign.config import Config, check_sections, find_class, resolve, section
from paralign.results import Measurement

if TYPE_CHECKING:
    from paralign.encoder import Encoder

__all__ = [
    "Analysis",
    "AnalysisConfig",
    "AnalysisResult",
    "AnalyzedEncoder",
    "EncoderAnalysis",
    "ResultsAnalysis",
    "find_analysis",
]


class AnalysisConfig(Config):
    """Settings of an analysis, set by ``--set NAME.key=value``."""


@dataclass
class AnalysisResult:
    """What an analysis computed. The command writes it to the run folder and prints the summary.

    Attributes:
        value: what the Python function of the analysis returns.
        rows: measurements for ``results.jsonl``.
        figures: kind of figure -> its data, written to ``figures/KIND.json``; data classes become objects, NaN null.
        table: rows of ``NAME.tsv``, the header first; no file if empty.
        summary: lines to print.
        warnings: alarms of the run.
    """

    value: Any = None
    rows: Sequence[Measurement] = ()
    figures: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    table: Sequence[Sequence[str]] = ()
    summary: Sequence[str] = ()
    warnings: Sequence[str] = ()


class Analysis(ABC):
    """Base of all analyses. It is found by the table :data:`paralign.analyses.table.ANALYSES`, which also says how its
    figures are drawn.

    Args:
        config: settings; the defaults of ``Config`` if ``None``.
    """

    name: ClassVar[str]
    Config: ClassVar[type[AnalysisConfig]] = AnalysisConfig

    def __init__(self, config: Any = None) -> None:
        self.config: Any = self.Config() if config is None else config


class ResultsAnalysis(Analysis):
    """An analysis of the results of other runs: ``paralign analyze NAME RUNS --out FOLDER``."""

    @abstractmethod
    def analyze(self, rows: Sequence[tuple[Path, Measurement]]) -> AnalysisResult:
        """Analyze measurements.

        Args:
            rows: all measurements of the runs, each with the folder of its run.

        Raises:
            UserError: if the rows do not contain what the analysis needs.
        """


@dataclass(frozen=True)
class AnalyzedEncoder:
    """An encoder, and what result rows record about it.

    Attributes:
        encoder: in evaluation mode, on its device.
        model_facts: ``model``, ``model_hash``, ``parent``, ``method`` (the name in tables), ``control`` and ``seeds``.
    """

    encoder: Encoder
    model_facts: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The name in tables."""
        return str(self.model_facts["method"])


class EncoderAnalysis(Analysis):
    """An analysis of encoders on parallel text: ``paralign analyze NAME --model MODEL --text LANG=PATH --out DIR``."""

    @abstractmethod
    def analyze(
        self,
        encoders: Sequence[AnalyzedEncoder],
        texts: Sequence[ParallelText],
        *,
        run: str,
        progress: Callable[[str], None],
    ) -> AnalysisResult:
        """Analyze encoders.

        Args:
            encoders: in the order given, the one before training first.
            texts: sets of parallel sentences.
            run: name of the run, for result rows.
            progress: prints a line.

        Raises:
            UserError: if the texts cannot be used.
        """


def find_analysis(name: str, settings: Mapping[str, Any] | None = None) -> Analysis:
    """Return an analysis.

    Args:
        name: its name in the table, or ``my_module:Class``.
        settings: by section; that of the analysis has the name of its class. Defaults where none are given.

    Raises:
        UserError: if there is no such analysis, or a setting is wrong or of something else.
    """
    implementations = {key: entry.implementation for key, entry in ANALYSES.items() if entry.implementation}
    analysis_class = find_class("analysis", name, implementations, Analysis)
    own, settings = analysis_class.name, settings or {}
    check_sections(settings, own)
    return analysis_class(resolve(analysis_class.Config, section(settings, own), section=own))
