"""``analyze transfer``: how well tasks transfer to derived languages, and whether alignment predicts it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from paralign.analyses.transfer import Point
from paralign.commands.analyze_results import analyze_results
from paralign.commands.arguments import one_or_several

__all__ = ["analyze_transfer"]


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
        command: recorded with the run. ``None``: the command line of the process.

    Returns:
        a point for each encoder, derived language and task with both scores.

    Raises:
        UserError: for folders without results, or results without both scores of any encoder.
    """
    points: list[Point] = analyze_results("transfer", runs, out=out, quiet=quiet, command=command).value
    return points
