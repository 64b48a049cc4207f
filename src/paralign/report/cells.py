"""One system on one language: its seeds and directions brought together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from paralign.errors import UserError
from paralign.metrics import Comparison, mean_sd, paired_bootstrap, ratio
from paralign.metrics.bootstrap import Resampled, compare_resampled, resampled
from paralign.report.runs import Run
from paralign.results import Items, Measurement, Seeds, read_items

__all__ = ["SIGNIFICANT", "Cell", "Member", "Unit", "compare", "describe_seeds", "draw", "gather"]

Member = tuple[Run, Measurement]
Unit = tuple[Seeds, str]
"""What counts as one of ``n``: the seeds and the hash of the model."""

SIGNIFICANT = 0.05
"""Differences with a smaller p are marked."""

_TOLERANCE = 1e-4
"""Per-item scores are stored in float32 and must give the score back within this."""


@dataclass
class Cell:
    """The mean over seeds, and the comparison with the control."""

    scores: dict[Unit, float]
    """One score a seed; the mean over directions where both were measured."""
    directions: tuple[str, ...]
    datasets: tuple[str, ...]
    items: list[Items] = field(default_factory=list)
    """Per-item scores [n, 2], one a seed and direction; empty if they cannot be used."""
    missing: str | None = None
    """Why there are no items."""
    n_items: int | None = None
    data: frozenset[str] = frozenset()
    """What the test items are, ``settings["data"]`` of the rows."""
    baselines: dict[str, float] = field(default_factory=dict)
    """What knowing nothing scores on the same data; the mean over directions."""
    difference: float | None = None
    """Mean minus the control's mean."""
    comparison: Comparison | None = None
    """With its interval; ``None`` where items are missing or do not pair."""
    drawn: Resampled | None = None
    """Its score on resamples of the items, where these were drawn for the whole table."""

    @property
    def mean(self) -> float:
        """Mean over seeds."""
        return mean_sd(list(self.scores.values()))[0]

    @property
    def sd(self) -> float | None:
        """Sample standard deviation over seeds."""
        return mean_sd(list(self.scores.values()))[1]


def gather(members: Iterable[Member], notes: list[str]) -> Cell:
    """A system's rows on one language as a cell. What cannot be used is told in ``notes``."""
    unique: dict[tuple[str, ...], Member] = {}
    for run, row in members:
        # The same measurement in two folders counts once: the later one stands, as a rerun replaces its rows.
        earlier = unique.get(row.key())
        if earlier and earlier[1].value != row.value:
            notes.append(
                f"{earlier[0].name} and {run.name} measured the same model and seeds on {row.language} and"
                f" disagree; the number of {run.name} is shown."
            )
        unique[row.key()] = (run, row)
    scores: dict[Unit, list[float]] = {}
    items: list[Items] = []
    missing: str | None = None
    for _, (run, row) in sorted(unique.items()):  # in whatever order the rows lay, the same numbers
        scores.setdefault((row.seeds, row.model_hash), []).append(row.value)
        found = _items(run, row)
        if isinstance(found, str):
            missing = missing or found
        else:
            items.append(found)
    if len({len(table) for table in items}) > 1:
        missing = missing or "seeds or directions differ in their number of items"
    rows = [row for _, row in unique.values()]
    return Cell(
        scores={unit: math.fsum(values) / len(values) for unit, values in scores.items()},
        directions=tuple(sorted({row.where.direction for row in rows if row.where.direction})),
        datasets=tuple(sorted({row.dataset for row in rows})),
        items=[] if missing else items,
        missing=missing,
        n_items=len(items[0]) if items and not missing else None,
        data=frozenset(str(row.settings["data"]) for row in rows if "data" in row.settings),
        baselines=_baselines(rows),
    )


def _baselines(rows: Sequence[Measurement]) -> dict[str, float]:
    """``settings["baselines"]`` of the rows: name → mean, of those that every row has."""
    known: dict[str, list[float]] = {}
    for row in rows:
        told = row.settings.get("baselines")
        for name, value in told.items() if isinstance(told, Mapping) else ():
            if isinstance(value, int | float) and math.isfinite(value):
                known.setdefault(str(name), []).append(float(value))
    return {name: math.fsum(values) / len(values) for name, values in known.items() if len(values) == len(rows)}


def _items(run: Run, row: Measurement) -> Items | str:
    """The per-item scores of a row, or why there are none."""
    try:
        items = read_items(run.path, row)
    except UserError as error:
        return error.message
    if items is None:
        return "no per-item scores were saved"
    if items.ndim != 2 or items.shape[1] != 2 or not len(items):
        return "per-item scores are not [n, 2]"
    if math.isnan(row.value):
        return "a score over nothing"
    if not abs(ratio(items) - row.value) <= _TOLERANCE:
        return "per-item scores do not give the score back"
    return items


def compare(cell: Cell, control: Cell) -> str | None:
    """Fill in the comparison of ``cell`` with the control; returns why there is no interval, if so."""
    if cell.directions != control.directions:
        return "measured in different directions than the control"
    cell.difference = cell.mean - control.mean
    for side, whose in ((cell, ""), (control, "of the control ")):
        if side.missing:
            return f"{whose}{side.missing}"
        # Unequal directions a seed would make the mean of ratios another number than the mean that is shown.
        if abs(math.fsum(map(ratio, side.items)) / len(side.items) - side.mean) > _TOLERANCE:
            return f"{whose}seeds were not all measured in the same directions"
    if cell.data and control.data and cell.data != control.data:
        return "other test items than the control's"
    if cell.n_items != control.n_items:
        return f"{cell.n_items} items, but {control.n_items} of the control"
    if cell.drawn is not None and control.drawn is not None:
        cell.comparison = compare_resampled([(cell.drawn, control.drawn)])
    else:
        cell.comparison = paired_bootstrap(cell.items, control.items)
    return None


def draw(cells: Iterable[Cell]) -> None:
    """Resample the items of all cells at once."""
    some = [cell for cell in cells if cell.items and not cell.missing]
    for cell, found in zip(some, resampled([cell.items for cell in some]), strict=True):
        cell.drawn = found


def describe_seeds(seeds: Sequence[Seeds]) -> str:
    """What ``n`` counts: ``3 fine-tuning seeds (0, 1, 2) × 1 alignment seed (7)``."""
    parts = []
    for stage, word in (("finetune", "fine-tuning"), ("align", "alignment"), ("pretrain", "pretraining")):
        known = sorted({getattr(s, stage) for s in seeds} - {None})
        if known:
            plural = "s" if len(known) > 1 else ""
            parts.append(f"{len(known)} {word} seed{plural} ({', '.join(map(str, known))})")
    return " × ".join(parts) or "seeds not recorded"
