"""Measurements of many runs → one table a task and metric: systems by languages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from paralign.errors import UserError
from paralign.metrics import Comparison, mean_sd, paired_bootstrap_mean
from paralign.metrics.bootstrap import compare_resampled
from paralign.report.baselines import Baseline, gather_baselines
from paralign.report.cells import Cell, Member, Unit, compare, draw, gather
from paralign.report.keys import Key, parted, training_languages
from paralign.report.runs import Run
from paralign.report.wording import shortened

__all__ = ["Row", "Table", "build_tables"]


@dataclass
class Row:
    """A system's line of the table."""

    system: str
    control: bool
    cells: dict[str, Cell]
    average: float | None = None
    """Mean over the table's :attr:`Table.others`."""
    average_sd: float | None = None
    """Sample standard deviation of that mean over seeds measured on all of them."""
    average_difference: float | None = None
    average_comparison: Comparison | None = None
    gap: float | None = None
    """Score on the pivot minus the average."""

    @property
    def units(self) -> list[Unit]:
        """All seeds behind the row, each once."""
        return list(dict.fromkeys(unit for cell in self.cells.values() for unit in cell.scores))


@dataclass
class Table:
    """Systems by languages for one :class:`Key`."""

    key: Key
    rows: list[Row]
    """The control first, then in the order of the runs."""
    languages: list[str]
    """The pivot first, then by name."""
    pivot: str | None
    """The language of training if it was measured, otherwise English if it was; where there are directions, neither
    is: German asked about in English is no English."""
    others: list[str]
    """What the average is over: all but the pivot that every system was measured on."""
    control: str | None
    baselines: list[Baseline]
    notes: list[str] = field(default_factory=list)

    @property
    def averages_directions(self) -> bool:
        """Whether a score is the mean of several directions."""
        return any(len(cell.directions) > 1 for row in self.rows for cell in row.cells.values())

    @property
    def datasets(self) -> list[str]:
        """Names of the test sets."""
        return sorted({name for row in self.rows for cell in row.cells.values() for name in cell.datasets})


def build_tables(runs: Sequence[Run], controls: set[str]) -> list[Table]:
    """All tables, those with a training language first.

    Args:
        runs: in the order in which systems shall appear.
        controls: see :func:`paralign.report.controls.control_systems`.

    Raises:
        UserError: if two controls meet in one table.
    """
    groups: dict[Key, list[Member]] = {}
    for run in runs:
        drawn = {"similarity", "change"} if run.figures("similarity") else set()
        for row in (row for row in run.rows if row.task not in drawn):  # a number a layer: curves tell more
            groups.setdefault(Key.of(row), []).append((run, row))
    parts = [part for key, members in groups.items() for part in parted(key, members)]
    return [_table(key, members, controls) for key, members in sorted(parts, key=lambda part: part[0].order())]


def _table(key: Key, members: list[Member], controls: set[str]) -> Table:
    systems: dict[str, dict[str, list[Member]]] = {}
    for run, row in members:
        systems.setdefault(run.system_of(row), {}).setdefault(row.language, []).append((run, row))
    present = sorted(controls & systems.keys())
    if len(present) > 1:
        raise UserError(
            f"{key.task} {key.metric} has several controls: {', '.join(present)}",
            hint="name one with --control",
        )
    control = present[0] if present else None
    notes: list[str] = []
    rows = [
        Row(system, system == control, {language: gather(found, notes) for language, found in cells.items()})
        for system, cells in sorted(systems.items(), key=lambda item: item[0] != control)
    ]
    measured = {language for row in rows for language in row.cells}
    directed = any(row.where.direction for _, row in members)
    pivot = None if directed else next((name for name in _pivots(key.train) if name in measured), None)
    languages = sorted(measured, key=lambda language: (language != pivot, language))
    rest = [language for language in languages if language != pivot]
    others = [language for language in rest if all(language in row.cells for row in rows)]
    if others != rest:
        absent = ", ".join(language for language in rest if language not in others)
        notes.append(f"Left out of the average, as not every system was measured on it: {absent}.")
    baselines = gather_baselines([row.cells for row in rows], others, notes)
    reasons: dict[tuple[str, str], list[str]] = {}
    if control:
        draw(cell for line in rows for cell in line.cells.values())
    for line in rows:
        _average(line, pivot, others)
        if control and not line.control:
            for reason, found in _against(line, rows[0], others).items():
                reasons.setdefault((reason, ", ".join(sorted(found))), []).append(line.system)
    for line in rows:
        for cell in line.cells.values():
            cell.drawn = None  # 80 kB each
    for (reason, where), who in reasons.items():
        notes.append(f"No interval on {where} for {shortened(who)}, nor for an average over it: {reason}.")
    return Table(key, rows, languages, pivot, others, control, baselines, list(dict.fromkeys(notes)))


def _pivots(train: str | None) -> list[str]:
    """Candidates for the pivot: a single language of training, few-shot examples aside, then English."""
    whole, _ = training_languages(train)
    return [*whole, "en"] if len(whole) == 1 else ["en"]


def _average(row: Row, pivot: str | None, others: Sequence[str]) -> None:
    if not others:
        return
    cells = [row.cells[language] for language in others]
    row.average = sum(cell.mean for cell in cells) / len(cells)
    complete = [unit for unit in row.units if all(unit in cell.scores for cell in cells)]
    if complete:
        by_seed = [sum(cell.scores[unit] for cell in cells) / len(cells) for unit in complete]
        row.average_sd = mean_sd(by_seed)[1]
    if pivot in row.cells:
        row.gap = row.cells[pivot].mean - row.average


def _against(row: Row, control: Row, others: Sequence[str]) -> dict[str, list[str]]:
    """Compare a row with the control's, language by language and on the average.

    Returns:
        Why there is no interval → the languages on which there is none.
    """
    reasons: dict[str, list[str]] = {}
    for language, cell in row.cells.items():
        if language in control.cells:
            reason = compare(cell, control.cells[language])
            if reason:
                reasons.setdefault(reason, []).append(language)
    if row.average is not None and control.average is not None:
        row.average_difference = row.average - control.average
        if all(row.cells[language].comparison for language in others):
            cells = [(row.cells[language], control.cells[language]) for language in others]
            known = [(one.drawn, other.drawn) for one, other in cells if one.drawn and other.drawn]
            if len(known) == len(cells):
                row.average_comparison = compare_resampled(known)
            else:
                row.average_comparison = paired_bootstrap_mean([(one.items, other.items) for one, other in cells])
    return reasons
