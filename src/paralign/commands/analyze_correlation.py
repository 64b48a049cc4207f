"""Does similarity, retrieval or static alignment tell how a task will transfer? Over all runs at hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from paralign.analyses.correlation import PREDICTORS, Predicted, predicted, transferred
from paralign.console import echo
from paralign.errors import UserError
from paralign.formats.lines import write_lines
from paralign.runs.folder import RunFolder
from paralign.runs.groups import results_of

__all__ = ["analyze_correlation"]


def analyze_correlation(
    runs: Sequence[str | Path], *, out: str | Path, quiet: bool = False, command: str | None = None
) -> list[Predicted]:
    """What of an encoder, measured without fine-tuning, goes with how little a task loses on its way to a language.

    Reads result files only: fine-tunings (``finetune``) scored on their source and on targets, and of the same
    encoders ``analyze similarity``, ``evaluate --task retrieval``, ``lexicon``, ``twins``. Writes ``correlation.tsv``
    and the figure that ``paralign report`` draws.

    Args:
        runs: folders with ``results.jsonl``, those inside them included.
        out: the run's folder; a rerun replaces what it holds.
        quiet: say nothing.
        command: recorded with the run.

    Raises:
        UserError: for folders without results, or fewer than four points of any task.
    """
    rows, notes = results_of(runs)
    points, left_out = transferred(row for _, row in rows)
    notes += left_out
    found = predicted(points)
    if not found:
        message = "fewer than four encoders or languages have both a score of transfer and something to tell it by"
        hint = "paralign finetune --eval, and of the same encoders paralign analyze similarity or evaluate"
        raise UserError(message, hint=hint)
    folder = RunFolder(Path(out), "analyze correlation", command=command, fresh=True)
    folder.begin({"runs": [str(run) for run in runs]})
    names = [name for name in PREDICTORS if any(name in point.known for point in points)]
    head = ("task", "metric", "source", "language", "system", "model_hash", "score", "loss", *names)
    lines = [
        (p.task, p.metric, p.source, p.language, p.system, p.model_hash, f"{p.score:.4f}", f"{p.loss:.4f}",
         *(f"{p.known[name]:.4f}" if name in p.known else "" for name in names))
        for p in points
    ]  # fmt: skip
    write_lines(folder.path / "correlation.tsv", ["\t".join(line) for line in (head, *lines)])
    folder.figure("correlation", "correlation", points=points, correlations=found)
    folder.save(status="done", alarms=notes)
    for c in found:
        interval = "" if math.isnan(c.low) else f" ({c.low:.2f} to {c.high:.2f})"
        within = "" if math.isnan(c.within) else f"; over encoders alone {c.within:.2f}"
        many = f"{c.points} points of {c.encoders} encoders and {c.languages} languages"
        echo(f"{c.task}, {c.predictor}: Spearman {c.value:.2f}{interval}{within}; {many}", quiet=quiet)
    for note in notes:
        echo(f"WARNING {note}", quiet=quiet)
    return found
