"""Which systems are controls: the same encoder without what is being tested."""

from __future__ import annotations

from collections.abc import Sequence

from paralign.config import did_you_mean
from paralign.errors import UserError
from paralign.report.runs import Run

__all__ = ["control_systems"]

_MEASURING = (None, "finetune", "evaluate")
"""Commands whose runs inherit the mark of the encoder they start from."""


def control_systems(runs: Sequence[Run], name: str | None = None) -> set[str]:
    """Return the labels of the systems that serve as control.

    ``settings["control"]`` of a row decides; without it, ``run.json``. A run that only measures or fine-tunes inherits
    the mark of its encoder. One that aligns or pretrains does not, as a treated run may start from the control.

    Args:
        runs: all runs.
        name: a system or run to use as the control instead.

    Raises:
        UserError: if there is no system or run of that name.
    """
    if name is not None:
        labels = {run.system_of(row) for run in runs for row in run.rows}
        of_run = {run.system_of(row) for run in runs if run.name == name for row in run.rows}
        of_run |= {label for label in labels if label.startswith(f"{name} (")}  # one name for several systems
        if name not in labels and not of_run:
            names = labels | {run.name for run in runs if run.rows}
            raise UserError(f"no system or run {name!r} to use as the control", hint=did_you_mean(name, names))
        return {name} if name in labels else of_run
    hashes = {run.info.model_hash for run in runs if run.info.control and run.info.model_hash}
    controls: set[str] = set()
    for run in runs:
        for row in run.rows:
            inherited = run.info.verb in _MEASURING and (row.model_hash in hashes or row.parent in hashes)
            if row.settings.get("control", run.info.control or inherited) is True:
                controls.add(run.system_of(row))
    return controls
