"""Tables of all systems and tasks of a base, each system compared with the control."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from claims_tests import SOURCE, NotTested, Quantity, Row, Rows, compare, mean

from paralign.metrics.bootstrap import Comparison

__all__ = ["differences", "spread", "tasks_of"]

CONTROL = "control"


def tasks_of(rows: Sequence[Row], base: str) -> dict[tuple[str, str], list[str]]:
    """Return the zero-shot languages of each task and metric in which the control of a base has rows with items."""
    found: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        if (row["base"], row["system"]) == (base, CONTROL) and "missed" in row and row["language"] != SOURCE:
            found.setdefault((row["task"], row["metric"]), set()).add(row["language"])
    return {key: sorted(tags) for key, tags in found.items()}


def differences(
    registered: Mapping[str, Any], rows: Sequence[Row], base: str, task: str, metric: str, tags: Sequence[str]
) -> Iterator[tuple[str, Quantity, Comparison | None]]:
    """Yield each system with its score over the seeds that it shares with the control, and the difference from it.

    The score is the mean over languages. Systems with too few of these seeds are left out; the difference of the
    control is None.
    """
    tested = Rows([row for row in rows if row["base"] == base], registered["test"])
    for system in registered.get("systems", ()):
        try:
            scores, _ = tested.scores(list({system: 0, CONTROL: 0}), {task: tags}, {"metric": metric})
        except NotTested:
            continue
        own, control = (mean([scores[name, task, tag] for tag in tags]) for name in (system, CONTROL))
        yield system, own, None if system == CONTROL else compare(own, control)


def spread(quantity: Quantity) -> float:
    """Return the standard deviation over seeds."""
    return float(np.std(list(quantity.by_seed.values()), ddof=1))
