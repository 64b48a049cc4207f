"""The overview of a suite: a score of each system on each task, and one overall score.

* The score of a task is the mean over the languages of its table that it was not trained on; over those it was trained
  on if no other was measured with every system. If a task has several tables of its main metric (poolings, data sets),
  it is the mean over those that all measured systems are in.
* The overall score is the mean over the tasks that every system has finished, each with the same weight. Error rates
  count as 1 - rate. Tasks whose scores are not shares or correlations, such as losses, are left out.

Differences from the control follow the rule of all tables (:mod:`paralign.metrics.significance`). That of a task with
one table is the table's. For means over several tables or tasks, both systems are scored on the same resampled test
items of every test set, and compared by the seeds of the suite.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from paralign.metrics import Comparison, compare_over_seeds, mean_sd
from paralign.metrics.bootstrap import Resampled, compare_resampled
from paralign.report.cells import Row, Unit
from paralign.report.number_format import join_names
from paralign.report.tables import Table
from paralign.report.titles import table_title

__all__ = ["Overview", "OverviewRow", "TaskColumn", "TaskScore", "build_overview", "group_by_control"]

SeedOf = Mapping[tuple[str, str, Unit], int | None]
"""The seed of the suite with which a system was measured, by task, system and unit."""


@dataclass(frozen=True)
class TaskScore:
    """The score of a system on a task, or over all tasks."""

    value: float
    by_seed: Mapping[int | None, float]
    """The score of each seed; of a system without seeds under None."""
    resampled: Resampled | None
    """The score on resamples of the test items. None: unknown."""
    difference: float | None = None
    """To the control."""
    comparison: Comparison | None = None

    @property
    def sd(self) -> float | None:
        """Sample standard deviation over seeds; None for a single seed."""
        return mean_sd(list(self.by_seed.values()))[1] if self.by_seed else None


@dataclass(frozen=True)
class TaskColumn:
    """A task.

    Attributes:
        name: its name in the suite.
        metric: the metric.
        lower_is_better: whether smaller values are better.
        scaled: whether scores are shares or correlations.
    """

    name: str
    metric: str
    lower_is_better: bool
    scaled: bool


@dataclass
class OverviewRow:
    """A system."""

    system: str
    control: bool
    reference: str | None
    """The control it is compared with."""
    scores: dict[str, TaskScore]
    """By name of the task."""
    overall: TaskScore | None = None


AnyRow = TypeVar("AnyRow", Row, OverviewRow)


@dataclass
class Overview:
    """Systems by tasks."""

    columns: list[TaskColumn]
    rows: list[OverviewRow]
    """Each control is followed by the systems that are compared with it."""
    common: list[str]
    """The tasks of the overall score."""
    notes: list[str] = field(default_factory=list)


def build_overview(tables: Mapping[str, Sequence[Table]], systems: Sequence[str], seeds: SeedOf) -> Overview:
    """Return the overview of a suite.

    Args:
        tables: the tables of each task of the suite that has results.
        systems: all systems, in their order.
        seeds: the seed of each task, system and unit.
    """
    headline = {name: [table for table in part if table.key.is_headline] for name, part in tables.items()}
    headline = {name: part for name, part in headline.items() if part}
    members = {name: [{row.system for row in table.rows} for table in part] for name, part in headline.items()}
    measured = {name: set.union(*of_tables) for name, of_tables in members.items()}
    shared = {
        name: [table for table, of_table in zip(part, members[name], strict=True) if of_table == measured[name]]
        for name, part in headline.items()
    }
    columns = [_column(name, part) for name, part in headline.items()]
    rows = []
    for system in systems:
        of_tables = [row for part in headline.values() for table in part for row in table.rows if row.system == system]
        if not of_tables:
            continue
        own = {name: [row for table in part for row in table.rows if row.system == system]
               for name, part in shared.items()}  # fmt: skip
        scores = {
            name: score
            for name, found in own.items()
            if found and (score := _task_score(name, found, shared[name], seeds))
        }
        scored = [row for found in own.values() for row in found]
        references = {row.reference for row in scored or of_tables}
        reference = references.pop() if len(references) == 1 else None
        rows.append(OverviewRow(system, any(row.control for row in of_tables), reference, scores))
    scaled = [column.name for column in columns if column.scaled]
    common = [name for name in scaled if all(name in row.scores for row in rows)]
    by_name = {row.system: row for row in rows}
    rows = group_by_control(rows)
    lower = {column.name: column.lower_is_better for column in columns}
    for row in rows:
        control = by_name.get(row.reference or "")
        if control is not None:
            row.scores = {
                name: compare(score, control.scores[name])
                if len(shared[name]) > 1 and name in control.scores
                else score
                for name, score in row.scores.items()
            }
        if common:
            row.overall = mean_score(
                [_turned(row.scores[name]) if lower[name] else row.scores[name] for name in common]
            )
    for row in rows:
        control = by_name.get(row.reference or "")
        if control is not None and len(common) > 1 and row.overall is not None and control.overall is not None:
            row.overall = compare(row.overall, control.overall)
    reasons = {name: _reason(part, all(row.system in measured[name] for row in rows)) for name, part in shared.items()}
    left_out = {
        name: [table for table, of_table in zip(part, members[name], strict=True) if of_table != measured[name]]
        for name, part in headline.items()
        if shared[name]
    }
    notes = [*_notes(columns, common, reasons), *_notes_on_tables(left_out), *_notes_on_languages(shared)]
    return Overview(columns, rows, common, notes)


def group_by_control(rows: Sequence[AnyRow]) -> list[AnyRow]:
    """Return each control, followed by the systems that are compared with it; then systems without a control."""
    names = [row.system for row in rows]

    def key(row: AnyRow) -> tuple[int, bool]:
        of_control = row.system if row.control else row.reference
        return names.index(of_control) if of_control in names else len(names), not row.control

    return sorted(rows, key=key)


def mean_score(parts: Sequence[TaskScore]) -> TaskScore:
    """Return the mean of scores, seed by seed and resample by resample; of one score, the score with its comparison.

    Seeds are those that all parts have; a part without seeds counts for each of them.
    """
    if len(parts) == 1:
        return parts[0]
    count = len(parts)
    seeded = [set(part.by_seed) for part in parts if set(part.by_seed) != {None}]
    seeds = set.intersection(*seeded) if seeded else {None}
    by_seed = {
        seed: math.fsum(part.by_seed.get(seed, part.by_seed.get(None, math.nan)) for part in parts) / count
        for seed in sorted(seeds, key=lambda seed: -1 if seed is None else seed)
    }
    draws = [part.resampled for part in parts if part.resampled is not None]
    resampled = Resampled.mean(draws) if len(draws) == count else None
    return TaskScore(math.fsum(part.value for part in parts) / count, by_seed, resampled)


def compare(score: TaskScore, control: TaskScore) -> TaskScore:
    """Return a score with its difference from the control's, and the interval over test items and seeds if known."""
    comparison = None
    if score.resampled and control.resampled and score.resampled.items == control.resampled.items:
        over_items = compare_resampled([(score.resampled, control.resampled)])
        comparison = compare_over_seeds(over_items, score.by_seed, control.by_seed)
    return replace(score, difference=score.value - control.value, comparison=comparison)


def _turned(score: TaskScore) -> TaskScore:
    """Return 1 - score."""
    draw, compared = score.resampled, score.comparison
    return TaskScore(
        1 - score.value,
        {seed: 1 - value for seed, value in score.by_seed.items()},
        None if draw is None else Resampled(1 - draw.score, 1 - draw.resamples, draw.items),
        None if score.difference is None else -score.difference,
        compared and replace(compared, difference=-compared.difference, low=-compared.high, high=-compared.low),
    )


def _column(name: str, tables: Sequence[Table]) -> TaskColumn:
    key = tables[0].key
    return TaskColumn(name, key.metric, key.lower_is_better, all(table.key.scaled for table in tables))


def _task_score(task: str, rows: Sequence[Row], tables: Sequence[Table], seeds: SeedOf) -> TaskScore | None:
    """Return the mean over the tables of a task. None: a score is undefined, or there is none."""
    ranked = [table.ranked_score(row) for table, row in zip(tables, rows, strict=True)]
    if not all(math.isfinite(score.value) for score in ranked):
        return None
    by_seed = [
        {seeds.get((task, row.system, unit)): score for unit, score in found.scores.items()}
        for row, found in zip(rows, ranked, strict=True)
    ]
    return mean_score(
        [
            TaskScore(found.value, scores, row.resampled, found.difference, found.comparison)
            for row, found, scores in zip(rows, ranked, by_seed, strict=True)
        ]
    )


def _reason(shared: Sequence[Table], finished: bool) -> str:
    """Return why a task has no score of some system.

    Args:
        shared: the tables that all measured systems are in.
        finished: whether every system was measured.
    """
    if not finished:
        return "not every system has finished it"
    if not shared:
        return "no pooling, layer or data set was measured with every system"
    if not all(table.ranked_on for table in shared):
        return "no language was measured with every system"
    return "a score is undefined"


def _notes(columns: Sequence[TaskColumn], common: Sequence[str], reasons: Mapping[str, str]) -> list[str]:
    left_out: dict[str, list[str]] = {}
    for column in columns:
        if column.name not in common:
            reason = reasons[column.name] if column.scaled else "it is not measured in percent"
            left_out.setdefault(reason, []).append(column.name)
    return [f"Not in the overall score, because {why}: {', '.join(names)}." for why, names in left_out.items()]


def _notes_on_tables(left_out: Mapping[str, Sequence[Table]]) -> list[str]:
    return [
        f"Not in the score of {name}, because not every system was measured there: "
        f"{'; '.join(table_title(table.key) for table in part)}."
        for name, part in left_out.items()
        if part
    ]


def _notes_on_languages(headline: Mapping[str, Sequence[Table]]) -> list[str]:
    """Return notes on tasks that are scored on training languages, or without English though they do not train."""
    trained, without = [], []
    for name, tables in headline.items():
        languages = {language for table in tables if table.ranked_on_training for language in table.ranked_on}
        trained += [f"{name} ({join_names(sorted(languages))})"] * bool(languages)
        without += [name] * any(table.pivot and table.others and not table.key.train for table in tables)
    notes = {
        "Scored on training languages, because no other was measured with every system": trained,
        "Scored without English, to which other languages are compared": without,
    }
    return [f"{note}: {', '.join(names)}." for note, names in notes.items() if names]
