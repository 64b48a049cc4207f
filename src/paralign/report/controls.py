"""Which system is the control: the same encoder without what is being tested."""

from __future__ import annotations

from collections.abc import Sequence

from paralign.config import did_you_mean
from paralign.errors import UserError
from paralign.report.runs import Run

__all__ = ["control_systems"]

_MEASURING = (None, "finetune", "evaluate")


def control_systems(runs: Sequence[Run], named: str | None = None) -> set[str]:
    """The systems that serve as control: the one named (as a system or a run), or those that say so.

    ``settings["control"]`` of a row decides; without it, ``run.json``. A run that only measures or fine-tunes
    takes over the mark of the encoder it started from; one that aligns or pretrains does not, for a treated
    run may well start from the control.

    Raises:
        UserError: if the name is no system and no run.
    """
    if named is not None:
        labels = {run.system_of(row) for run in runs for row in run.rows}
        of_run = {run.system_of(row) for run in runs if run.name == named for row in run.rows}
        if named not in labels and not of_run:
            known = labels | {run.name for run in runs if run.rows}
            raise UserError(f"no system or run {named!r} to compare with", hint=did_you_mean(named, known))
        return {named} if named in labels else of_run
    hashes = {run.info.model_hash for run in runs if run.info.control and run.info.model_hash}
    out: set[str] = set()
    for run in runs:
        for row in run.rows:
            inherited = run.info.verb in _MEASURING and (row.model_hash in hashes or row.parent in hashes)
            if row.settings.get("control", run.info.control or inherited) is True:
                out.add(run.system_of(row))
    return out
