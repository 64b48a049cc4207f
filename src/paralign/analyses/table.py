"""The table of analyses: where each is implemented, which figures it writes, and how the report draws them.

Imports nothing heavy, so that ``paralign report`` and ``paralign analyze --help`` can read it without loading torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

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
        reads: ``results`` of other runs, or ``encoders``; decides the options of ``paralign analyze NAME``. Empty for
            analyses that only their own command runs.
        implementation: ``module:Class``, a subclass of :class:`paralign.analyses.base.ResultsAnalysis` or
            :class:`paralign.analyses.base.EncoderAnalysis`.
    """

    help: str
    figures: Mapping[str, str]
    tasks: tuple[str, ...] = ()
    reads: Literal["results", "encoders", ""] = ""
    implementation: str = ""


def _entry(
    help: str, *, tasks: tuple[str, ...] = (), results: str = "", encoders: str = "", **figures: str
) -> AnalysisEntry:
    drawings = {kind: f"paralign.report.{drawing}" for kind, drawing in figures.items()}
    if not results and not encoders:
        return AnalysisEntry(help, drawings, tasks)
    reads: Literal["results", "encoders"] = "results" if results else "encoders"
    return AnalysisEntry(help, drawings, tasks, reads, f"paralign.analyses.{results or encoders}")


# In the order of the page. The figures of `corpus check` are drawn in the same way.
ANALYSES: dict[str, AnalysisEntry] = {
    "check": _entry("Is text fit to be trained on?", check="draw_check:draw_check"),
    "ablation": _entry("Find the layers that transfer depends on.", ablation="draw_ablation:draw_ablation"),
    "similarity": _entry(
        "Measure the similarity of languages in each layer.",
        tasks=("similarity", "change"),
        encoders="similarity:SimilarityAnalysis",
        similarity="draw_similarity:draw_similarity",
    ),
    "space": _entry(
        "Measure isotropy, language identity, hubs and neighbors in each layer.",
        tasks=("space",),
        encoders="space:SpaceAnalysis",
        space="draw_space:draw_space",
    ),
    "probes": _entry(
        "Train linear probes on each layer of frozen encoders.",
        tasks=("probes",),
        probes="draw_probes:draw_probes",
    ),
    "correlation": _entry(
        "Correlate similarity and retrieval with transfer.",
        results="correlation:CorrelationAnalysis",
        correlation="draw_correlation:draw_correlation",
    ),
    "transfer": _entry(
        "Measure transfer to derived languages.",
        results="transfer:TransferAnalysis",
        transfer="draw_transfer:draw_transfer",
    ),
    "embeddings": _entry(
        "Compare the input embeddings of translations.",
        words="draw_words:draw_words",
    ),
    # `embeddings` writes such a figure too.
    "links": _entry("Compare the word links of several aligners.", links="draw_links:draw_links"),
}
