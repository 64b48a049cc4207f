"""One system on one language: its seeds and directions combined into a score."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from paralign.errors import UserError
from paralign.metrics import Comparison, item_score, mean_sd
from paralign.metrics.bootstrap import Resampled
from paralign.metrics.statistics import PAIR_STATISTICS
from paralign.report.number_format import join_names
from paralign.report.runs import Run
from paralign.results import Items, Measurement, Seeds, read_items

__all__ = ["SCORE_TOLERANCE", "Cell", "Member", "RankedScore", "Row", "Unit", "build_cell"]

Member = tuple[Run, Measurement]
"""A measurement and its run."""
Unit = tuple[Seeds, str]
"""What ``n`` counts: seeds and hash of the model."""

SCORE_TOLERANCE = 1e-4
"""Per-item scores are stored in float32 and must reproduce the score to this precision."""


@dataclass
class Cell:
    """The mean over seeds, and the comparison with the control."""

    scores: dict[Unit, float]
    """One score for each seed, the mean over directions if both were measured."""
    directions: tuple[str, ...]
    datasets: tuple[str, ...]
    items: list[Items] = field(default_factory=list)
    """Per-item scores [n, 2] of each seed and direction, while the table is being built; empty if they are unusable."""
    missing: str | None = None
    """Why there are no items."""
    n_items: int | None = None
    data: frozenset[str] = frozenset()
    """Fingerprints of the test texts, ``settings["data"]`` of the rows."""
    gold: frozenset[str] = frozenset()
    """Fingerprints of their gold answers, ``settings["gold"]``; empty for tasks without any."""
    baselines: dict[str, float] = field(default_factory=dict)
    """Scores of baselines on the same data; means over directions."""
    statistic: str = "ratio"
    """How a score follows from its items."""
    interval: tuple[float, float] | None = None
    """95 % interval of a score that is not a ratio of sums, over test items and, with several seeds, over seeds."""
    difference: float | None = None
    """Mean minus the control's mean."""
    comparison: Comparison | None = None
    """With the interval of the difference; ``None`` if items are missing or are not the control's."""
    resampled: Resampled | None = None
    """Score on resamples of the items, while the table is being built."""

    @property
    def mean(self) -> float:
        """Mean over seeds."""
        return mean_sd(list(self.scores.values()))[0]

    @property
    def sd(self) -> float | None:
        """Sample standard deviation over seeds; ``None`` for a single seed."""
        return mean_sd(list(self.scores.values()))[1]


@dataclass(frozen=True)
class RankedScore:
    """The score by which a system is ranked in a table, and its difference from the control."""

    value: float
    """NaN: undefined, or there is nothing to rank by."""
    scores: Mapping[Unit, float] = field(default_factory=dict)
    difference: float | None = None
    comparison: Comparison | None = None


@dataclass
class Row:
    """The scores of one system."""

    system: str
    control: bool
    cells: dict[str, Cell]
    reference: str | None = None
    """The control it is compared with."""
    choices: list[tuple[int | None, str | None]] = field(default_factory=list)
    """Layer and pooling of each seed, if they were chosen on development data."""
    average: float | None = None
    """Mean over :attr:`paralign.report.tables.Table.others`."""
    average_scores: dict[Unit, float] = field(default_factory=dict)
    """The average of each seed measured on all its languages."""
    average_difference: float | None = None
    average_comparison: Comparison | None = None
    resampled: Resampled | None = None
    """The ranked score on resamples of the items. ``None`` if it is not compared."""
    ranked_interval: tuple[float, float] | None = None
    """95 % interval of the ranked score, over test items and, with several seeds, over seeds."""
    gap: float | None = None
    """Score on the pivot minus the average."""

    @property
    def average_sd(self) -> float | None:
        """Sample standard deviation of the average, over seeds measured on all its languages."""
        return mean_sd(list(self.average_scores.values()))[1] if self.average_scores else None

    def ranked_score(self, languages: Sequence[str]) -> RankedScore:
        """Return the average, or the score on the only language.

        Args:
            languages: :attr:`paralign.report.tables.Table.ranked_on`.
        """
        if self.average is not None:
            return RankedScore(self.average, self.average_scores, self.average_difference, self.average_comparison)
        if not languages:
            return RankedScore(math.nan)
        cell = self.cells[languages[0]]
        return RankedScore(cell.mean, cell.scores, cell.difference, cell.comparison)

    def undefined_on(self, languages: Sequence[str]) -> list[str]:
        """Return those of some measured languages on which the score is undefined."""
        return [language for language in languages if not math.isfinite(self.cells[language].mean)]

    @property
    def units(self) -> list[Unit]:
        """All seeds of the row, each once."""
        return list(dict.fromkeys(unit for cell in self.cells.values() for unit in cell.scores))


def build_cell(members: Iterable[Member], notes: list[str]) -> Cell:
    """Combine the rows of one system on one language.

    Args:
        members: the rows.
        notes: collects notes on rows that could not be used.
    """
    unique: dict[tuple[str, ...], Member] = {}
    for run, row in members:
        # The same measurement in two folders counts once. The later one wins, as a rerun replaces its rows.
        key = (row.dataset, row.model_hash, row.seeds.model_dump_json(), row.where.model_dump_json())
        earlier = unique.get(key)
        if earlier and earlier[1].value != row.value:
            notes.append(
                f"{earlier[0].name} and {run.name} measured the same model and seeds on {row.language} with different"
                f" results; those of {run.name} are shown."
            )
        unique[key] = (run, row)
    scores: dict[Unit, list[float]] = {}
    items: list[Items] = []
    missing: str | None = None
    for _, (run, row) in sorted(unique.items()):  # sorted, so that the order of rows does not change the numbers
        scores.setdefault((row.seeds, row.model_hash), []).append(row.value)
        usable = _usable_items(run, row)
        if isinstance(usable, str):
            missing = missing or usable
        else:
            items.append(usable)
    if len({len(table) for table in items}) > 1:
        missing = missing or "seeds or directions differ in their number of items"
    rows = [row for _, row in unique.values()]
    if _differ_in_data(rows):
        missing = missing or "its seeds were measured on different test data"
        runs = join_names(list(dict.fromkeys(run.name for run, _ in unique.values())))
        notes.append(f"{runs} measured {rows[0].language} on different test data; the mean over them is shown.")
    return Cell(
        scores={unit: math.fsum(values) / len(values) for unit, values in scores.items()},
        directions=tuple(sorted({row.where.direction for row in rows if row.where.direction})),
        datasets=tuple(sorted({row.dataset for row in rows})),
        items=[] if missing else items,
        missing=missing,
        n_items=len(items[0]) if items and not missing else None,
        data=frozenset(str(row.settings["data"]) for row in rows if "data" in row.settings),
        gold=frozenset(str(row.settings["gold"]) for row in rows if "gold" in row.settings),
        baselines=_baselines(rows),
        statistic=rows[0].statistic,
        interval=_recorded_interval(rows[0]) if len(rows) == 1 else None,
    )


def _differ_in_data(rows: Sequence[Measurement]) -> bool:
    """Return whether rows of one data set and direction were measured on different texts or gold answers, if known."""
    known: dict[tuple[str, str | None, str], set[object]] = {}
    for row in rows:
        for name in {"data", "gold"} & row.settings.keys():
            known.setdefault((row.dataset, row.where.direction, name), set()).add(row.settings[name])
    return any(len(digests) > 1 for digests in known.values())


def _baselines(rows: Sequence[Measurement]) -> dict[str, float]:
    """Return the baselines that every row records, as means over rows."""
    recorded: dict[str, list[float]] = {}
    for row in rows:
        baselines = row.settings.get("baselines")
        for name, value in baselines.items() if isinstance(baselines, Mapping) else ():
            if _is_finite(value):
                recorded.setdefault(str(name), []).append(float(value))
    return {name: math.fsum(values) / len(values) for name, values in recorded.items() if len(values) == len(rows)}


def _recorded_interval(row: Measurement) -> tuple[float, float] | None:
    ends = row.settings.get("interval")
    if isinstance(ends, list | tuple) and len(ends) == 2 and all(map(_is_finite, ends)):
        return float(ends[0]), float(ends[1])
    return None


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _usable_items(run: Run, row: Measurement) -> Items | str:
    """Return the per-item scores of a row, or the reason why they cannot be used."""
    try:
        items = read_items(run.path, row)
    except UserError as error:
        return error.message
    if items is None:
        return "no per-item scores were saved"
    if items.ndim != 2 or items.shape[1] != 2 or not len(items):
        return "per-item scores are not [n, 2]"
    if math.isnan(row.value):
        return "the score is undefined (0/0)"
    if row.statistic not in ("ratio", *PAIR_STATISTICS):
        return f"the statistic {row.statistic!r} is unknown"
    if not abs(item_score(items, row.statistic) - row.value) <= SCORE_TOLERANCE:
        return "per-item scores do not reproduce the score"
    return items
