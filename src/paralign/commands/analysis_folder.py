"""What every analysis writes to its run folder."""

from __future__ import annotations

from typing import Any

from paralign.analyses.base import AnalysisResult
from paralign.console import echo
from paralign.formats.lines import write_lines
from paralign.results import write_results
from paralign.runs.folder import RunFolder

__all__ = ["write_analysis"]


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
