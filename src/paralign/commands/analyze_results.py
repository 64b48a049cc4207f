"""Analyses of the results of other runs, and what every analysis writes to its run folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from paralign.analyses.base import AnalysisResult, ResultsAnalysis, find_analysis
from paralign.commands.arguments import one_or_several
from paralign.console import echo
from paralign.formats.lines import write_lines
from paralign.results import write_results
from paralign.runs.folder import RunFolder
from paralign.runs.groups import results_of

__all__ = ["analyze_results", "write_analysis"]


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
        command: recorded with the run. ``None``: the command line of the process.

    Raises:
        UserError: for folders without results, or results that do not contain what the analysis needs.
    """
    analysis = find_analysis(name)
    assert isinstance(analysis, ResultsAnalysis)
    settings = {"runs": [str(run) for run in runs]}
    folder = RunFolder(Path(out), f"analyze {name}", command=command, fresh=True)
    if not replace:
        folder.check_rerun(settings)
    rows, notes = results_of(runs)
    result = analysis.analyze(rows)
    result.warnings = [*notes, *result.warnings]
    folder.begin(settings)
    write_analysis(folder, name, result, quiet)
    return result


def write_analysis(folder: RunFolder, name: str, result: AnalysisResult, quiet: bool, **facts: Any) -> None:
    """Write table, figures and rows, end the run, and print summary and warnings.

    Args:
        folder: a run that has begun.
        name: name of the analysis.
        result: what to write.
        quiet: print nothing.
        facts: further facts for ``run.json``.
    """
    folder.save(alarms=list(result.warnings), **facts)  # before the results, so that there are none without them
    if folder.main and result.table:
        write_lines(folder.path / f"{name}.tsv", ["\t".join(row) for row in result.table])
    for kind, data in result.figures.items():
        folder.figure(kind, kind, **data)
    if folder.main and result.rows:
        write_results(folder.path, [(row, None) for row in result.rows], fresh=True)
    folder.save(status="done")
    for line in result.summary:
        echo(line, quiet=quiet)
    for warning in result.warnings:
        echo(f"WARNING {warning}", quiet=quiet)
