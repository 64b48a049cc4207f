"""Transfer to derived languages over a set of runs: points, correlation with alignment, pictures for the report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from paralign.analyses.transfer import Point, correlations, transfer_points
from paralign.console import echo
from paralign.errors import UserError
from paralign.formats.lines import write_lines
from paralign.runs.folder import RunFolder
from paralign.runs.groups import results_of

__all__ = ["analyze_transfer"]


def analyze_transfer(
    runs: Sequence[str | Path], *, out: str | Path, quiet: bool = False, command: str | None = None
) -> list[Point]:
    """How well do tasks transfer to derived languages, and does alignment tell?

    Reads result files only: fine-tuning on the original scored on the derived language (BZ), fine-tuning on the derived
    language scored there (BS), and the task ``twins`` (alignment), of the same encoders. Writes ``transfer.tsv`` and
    ``figures/transfer.json``, which ``paralign report`` draws.

    Args:
        runs: folders with ``results.jsonl``, those inside them included.
        out: the run's folder; a rerun replaces what it holds.
        quiet: say nothing.
        command: recorded with the run.

    Raises:
        UserError: for folders without results, or results without both scores of any encoder.
    """
    rows, notes = results_of(runs)
    points = transfer_points(row for _, row in rows)
    if not points:
        message = "no encoder was fine-tuned both on a language and on one derived of it"
        hint = "paralign finetune --train en=... and --train en~trans+inv=..., both with --eval en~trans+inv=..."
        raise UserError(message, hint=hint)
    folder = RunFolder(Path(out), "analyze transfer", command=command, fresh=True)
    folder.begin({"runs": [str(run) for run in runs]})
    found = correlations(points)
    head = "task\tmetric\tlanguage\tsystem\tmodel_hash\tpretrain_seed\tBZ\tBS\tdelta\talignment\tfinetune_seeds"
    lines = (
        f"{p.task}\t{p.metric}\t{p.language}\t{p.system}\t{p.model_hash}\t{'' if p.seed is None else p.seed}\t"
        f"{p.zero:.4f}\t{p.supervised:.4f}\t{p.delta:.4f}\t{'' if math.isnan(p.alignment) else f'{p.alignment:.4f}'}"
        f"\t{p.heads}"
        for p in points
    )
    write_lines(folder.path / "transfer.tsv", [head, *lines])
    drawn = [asdict(point) | {"delta": point.delta} for point in points]
    folder.figure("transfer", "transfer", points=drawn, correlations=found)
    folder.save(status="done", alarms=notes)
    for note in notes:
        echo(f"WARNING {note}", quiet=quiet)
    for p in points:
        near = "" if math.isnan(p.alignment) else f", alignment {100 * p.alignment:.1f}"
        shown = f"{p.task} {p.language} {p.system}: BZ {100 * p.zero:.1f}, BS {100 * p.supervised:.1f}"
        echo(f"{shown}, Δ {100 * p.delta:+.1f}{near}", quiet=quiet)
    for c in found:
        interval = "" if math.isnan(c.low) else f" (95 % of resampled points: {c.low:.2f} to {c.high:.2f})"
        echo(f"{c.task}: Spearman of alignment and Δ {c.value:.2f} over {c.points} points{interval}", quiet=quiet)
    return points
