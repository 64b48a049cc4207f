"""The table of analyses: where each is implemented, which figures it writes, and how the report draws them.

Imports nothing heavy, so that ``paralign report`` and ``paralign analyze --help`` can read it without loading torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["ANALYSES", "AnalysisEntry"]


@dataclass(frozen=True)
class AnalysisEntry:
    """A line of the table.

    Attributes:
        help: what ``paralign analyze --help`` says.
        figures: kind of the figure files it writes -> ``module:function`` that draws them. The function takes a
            :class:`paralign.report.figure.FigureSource` and returns a list of :class:`paralign.report.figure.Figure`.
        tasks: names in the field ``task`` of its result rows. The report shows such rows in the figure instead of in
            tables.
        implementation: ``module:Class``, a subclass of :class:`paralign.analyses.base.ResultsAnalysis`, for analyses
            that read the results of other runs: ``paralign analyze NAME RUNS`` then needs no code of its own. Empty for
            analyses with their own command.
    """

    help: str
    figures: Mapping[str, str]
    tasks: tuple[str, ...] = ()
    implementation: str = ""


def _entry(help: str, *, tasks: tuple[str, ...] = (), implementation: str = "", **figures: str) -> AnalysisEntry:
    drawings = {kind: f"paralign.report.{drawing}" for kind, drawing in figures.items()}
    return AnalysisEntry(help, drawings, tasks, f"paralign.analyses.{implementation}" if implementation else "")


# In the order of the page. The figures of `corpus check` are drawn in the same way.
ANALYSES: dict[str, AnalysisEntry] = {
    "check": _entry("Is text fit to be trained on?", check="draw_check:draw_check"),
    "ablation": _entry("Which layers does transfer need?", ablation="draw_ablation:draw_ablation"),
    "similarity": _entry(
        "How similar are languages in each layer?",
        tasks=("similarity", "change"),
        similarity="draw_similarity:draw_similarity",
    ),
    "correlation": _entry(
        "Does similarity, retrieval or static alignment predict how well a task transfers?",
        implementation="correlation:CorrelationAnalysis",
        correlation="draw_correlation:draw_correlation",
    ),
    "transfer": _entry(
        "Compare zero-shot with supervised scores on derived languages, and with alignment.",
        implementation="transfer:TransferAnalysis",
        transfer="draw_transfer:draw_transfer",
    ),
    "embeddings": _entry(
        "Are translations close in the input embeddings?",
        words="draw_words:draw_words",
        links="draw_words:draw_links",
    ),
}
