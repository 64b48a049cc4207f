"""Analyses of the results of other runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from paralign.analyses.base import AnalysisResult, ResultsAnalysis, find_analysis
from paralign.analyses.correlation import PredictorCorrelation
from paralign.analyses.transfer import Point
from paralign.commands.analysis_folder import write_analysis
from paralign.commands.arguments import one_or_several
from paralign.errors import UserError
from paralign.runs.folder import RunFolder
from paralign.runs.groups import results_of

__all__ = ["analyze_correlation", "analyze_results", "analyze_transfer"]


@one_or_several
def analyze_results(
    name: str,
    runs: str | Sequence[str | Path],
    *,
    out: str | Path,
    replace: bool = False,
    quiet: bool = False,
    command: str | None = None,
) -> AnalysisResult:
    """Run an analysis that reads only result files.

    Args:
        name: name in the table :data:`paralign.analyses.table.ANALYSES`.
        runs: folders with ``results.jsonl``; subfolders are read too.
        out: the run folder; a rerun with the same runs replaces its content.
        replace: a rerun with other runs does, too.
        quiet: print nothing.
        command: recorded with the run. ``None``: the command line, or the call from Python.

    Returns:
        Rows, figures and warnings, as they are written to ``out``.

    Raises:
        UserError: for an analysis of encoders, folders without results, or results that do not contain what the
            analysis needs.
    """
    analysis = find_analysis(name)
    if not isinstance(analysis, ResultsAnalysis):
        raise UserError(f"the analysis {name!r} reads encoders", hint=f"analyze_encoders({name!r}, ...)")
    settings = {"runs": [str(run) for run in runs]}
    folder = RunFolder(Path(out), f"analyze {name}", command=command, fresh=True)
    if not replace:
        folder.check_rerun(settings)
    rows, notes = results_of(runs)
    result = analysis.analyze(rows)
    result.warnings = [*notes, *result.warnings]
    with folder:
        folder.begin(settings)
        write_analysis(folder, name, result, quiet)
    return result


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
        command: recorded with the run. ``None``: the command line, or the call from Python.

    Returns:
        the correlation of each predictor and task.

    Raises:
        UserError: for folders without results, or fewer than four points of any task.
    """
    result = analyze_results("correlation", runs, out=out, quiet=quiet, command=command)
    correlations: list[PredictorCorrelation] = result.value
    return correlations


@one_or_several
def analyze_transfer(
    runs: str | Sequence[str | Path], *, out: str | Path, quiet: bool = False, command: str | None = None
) -> list[Point]:
    """Compare zero-shot with supervised scores on derived languages, and with alignment.

    Only result files are read: fine-tuning on the original language evaluated on the derived one (BZ), fine-tuning on
    the derived language evaluated there (BS), and the task ``twins`` (alignment), all of the same encoders. Writes
    ``transfer.tsv`` and ``figures/transfer.json``, which ``paralign report`` draws.

    Args:
        runs: folders with ``results.jsonl``; subfolders are read too.
        out: the run folder; a rerun with the same settings replaces its content.
        quiet: print nothing.
        command: recorded with the run. ``None``: the command line, or the call from Python.

    Returns:
        a point for each encoder, derived language and task with both scores.

    Raises:
        UserError: for folders without results, or results without both scores of any encoder.
    """
    points: list[Point] = analyze_results("transfer", runs, out=out, quiet=quiet, command=command).value
    return points
