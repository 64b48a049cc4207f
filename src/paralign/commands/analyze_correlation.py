"""``analyze correlation``: whether similarity, retrieval or static alignment predict transfer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from paralign.analyses.correlation import PredictorCorrelation
from paralign.commands.analyze_results import analyze_results
from paralign.commands.arguments import one_or_several

__all__ = ["analyze_correlation"]


@one_or_several
def analyze_correlation(
    runs: str | Sequence[str | Path], *, out: str | Path, quiet: bool = False, command: str | None = None
) -> list[PredictorCorrelation]:
    """Correlate what can be measured without fine-tuning with how little a task loses in transfer.

    Only result files are read: fine-tunings (``finetune``) evaluated on their source and on targets, and of the same
    encoders ``analyze similarity``, ``evaluate --task retrieval``, ``lexicon`` or ``twins``. Writes ``correlation.tsv``
    and ``figures/correlation.json``, which ``paralign report`` draws.

    Args:
        runs: folders with ``results.jsonl``; subfolders are read too.
        out: the run folder; a rerun with the same settings replaces its content.
        quiet: print nothing.
        command: recorded with the run. ``None``: the command line of the process.

    Returns:
        the correlation of each predictor and task.

    Raises:
        UserError: for folders without results, or fewer than four points of any task.
    """
    result = analyze_results("correlation", runs, out=out, quiet=quiet, command=command)
    correlations: list[PredictorCorrelation] = result.value
    return correlations
