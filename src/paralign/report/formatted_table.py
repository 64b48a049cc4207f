"""Tables as text, the same for HTML and Markdown: numbers formatted, the best of each column marked."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from paralign.metrics import Comparison
from paralign.report.baselines import Baseline
from paralign.report.captions import choices_caption, seeds_caption, table_caption
from paralign.report.cells import Row
from paralign.report.comparison import unbeaten_baselines, verdict
from paralign.report.number_format import format_difference, format_score, join_names
from paralign.report.table_key import TableKey
from paralign.report.tables import Table
from paralign.report.titles import table_title

__all__ = [
    "FormattedCell",
    "FormattedRow",
    "FormattedTable",
    "add_difference",
    "format_table",
    "mark_best",
    "score_cell",
]


@dataclass
class FormattedCell:
    """One cell of a table."""

    text: str = "–"
    spread: str = ""
    """Standard deviation over seeds, and the interval of a score that is not a ratio of sums."""
    difference: str = ""
    """Difference from the control, positive if the system is better."""
    interval: str = ""
    """Interval of the difference."""
    verdict: str = ""
    """``better`` or ``worse`` for significant differences, otherwise empty."""
    best: bool = False
    unbeaten: str = ""
    """Baselines that the score is not better than: ``not above majority (33.9)``."""
    sort: str = ""
    """The unrounded score, for sorting; empty if there is none."""

    @property
    def dagger(self) -> str:
        """A mark for scores that are not better than a baseline."""
        return "†" if self.unbeaten else ""

    @property
    def star(self) -> str:
        """A mark for significant differences."""
        return "*" if self.verdict else ""


@dataclass
class FormattedRow:
    """One system, or one baseline."""

    system: str
    control: bool
    cells: list[FormattedCell]
    baseline: bool = False

    @property
    def name(self) -> str:
        """The system, marked if it is the control and its name does not say so; or the baseline."""
        if self.baseline:
            return f"{self.system} (baseline)"
        return f"{self.system} (control)" if self.control and "control" not in self.system else self.system


@dataclass
class FormattedTable:
    """One table, ready to print."""

    title: str
    columns: list[str]
    rows: list[FormattedRow]
    baselines: list[FormattedRow]
    caption: str
    seeds: str
    folded: bool
    compared: bool
    """Whether a cell has a difference from the control."""
    notes: list[str] = field(default_factory=list)
    finding: str = ""
    """What the best system reaches, for headline tables."""


def format_table(table: Table) -> FormattedTable:
    """Format a table.

    Summary columns come first, where a narrow screen shows them: the average, the pivot, the change on it and the gap
    to it; then the other languages.
    """
    key = table.key
    columns: dict[str, list[FormattedCell]] = {}
    if len(table.others) > 1:
        columns["average"] = [_average_cell(row, table) for row in table.rows]
    for language in table.languages:
        columns[language] = [_language_cell(row, language, table) for row in table.rows]
        if language == table.pivot:
            if any(row.reference for row in table.rows):
                columns[f"change on {language}"] = [_change_cell(row, language, key) for row in table.rows]
            if table.others:
                columns[f"gap to {language}"] = [_gap_cell(row, key) for row in table.rows]
    ranked = [cells for name, cells in columns.items() if name == "average" or name in table.languages]
    mark_best(ranked, min if key.lower_is_better else max)
    rows = zip(table.rows, zip(*columns.values(), strict=True), strict=True)
    return FormattedTable(
        title=table_title(key),
        columns=list(columns),
        rows=[FormattedRow(row.system, row.control, list(cells)) for row, cells in rows],
        baselines=[_baseline_row(baseline, list(columns), table) for baseline in table.baselines],
        caption=table_caption(table),
        seeds=seeds_caption(table),
        folded=key.is_folded,
        compared=any(cell.difference for cells in columns.values() for cell in cells),
        notes=[*filter(None, [choices_caption(table)]), *table.notes],
    )


def _baseline_row(baseline: Baseline, columns: Sequence[str], table: Table) -> FormattedRow:
    values = {"average": baseline.average} | baseline.values
    cells = [
        score_cell(values.get(name), None, table.key.scaled)
        if name in ("average", *table.languages)
        else FormattedCell("")
        for name in columns
    ]
    return FormattedRow(baseline.name, False, cells, baseline=True)


def _describe_unbeaten(score: float | None, baselines: Iterable[tuple[str, float]], key: TableKey) -> str:
    unbeaten = unbeaten_baselines(score, baselines, lower_is_better=key.lower_is_better)
    names = [f"{name} ({format_score(value, key.scaled)})" for name, value in unbeaten]
    return f"not {'below' if key.lower_is_better else 'above'} {join_names(names)}" if names else ""


def _average_cell(row: Row, table: Table) -> FormattedCell:
    cell = score_cell(row.average, row.average_sd, table.key.scaled)
    baselines = [(baseline.name, baseline.average) for baseline in table.baselines if baseline.average is not None]
    cell.unbeaten = _describe_unbeaten(row.average, baselines, table.key)
    _add(cell, row.average_difference, row.average_comparison, table.key)
    return cell


def _language_cell(row: Row, language: str, table: Table) -> FormattedCell:
    scores = row.cells.get(language)
    if scores is None:
        return FormattedCell()
    key = table.key
    cell = score_cell(scores.mean, scores.sd, key.scaled)
    if scores.interval:
        low, high = (format_score(end, key.scaled) for end in scores.interval)
        cell.spread = f"{cell.spread} ({low} to {high})".lstrip()
    cell.unbeaten = _describe_unbeaten(scores.mean, scores.baselines.items(), key)
    if language != table.pivot:  # the difference on the pivot has its own column
        _add(cell, scores.difference, scores.comparison, key)
    return cell


def _change_cell(row: Row, pivot: str, key: TableKey) -> FormattedCell:
    scores = row.cells.get(pivot)
    if row.control or scores is None or scores.difference is None or not math.isfinite(scores.difference):
        return FormattedCell("")
    cell = FormattedCell("", sort=repr(-scores.difference if key.lower_is_better else scores.difference))
    _add(cell, scores.difference, scores.comparison, key)
    return cell


def _gap_cell(row: Row, key: TableKey) -> FormattedCell:
    """Return how much worse the average is than the score on the pivot."""
    gap = -row.gap if row.gap is not None and key.lower_is_better else row.gap
    return score_cell(gap, None, key.scaled)


def score_cell(value: float | None, sd: float | None, scaled: bool) -> FormattedCell:
    """Format a score with its standard deviation; ``scaled`` as in :func:`format_score`."""
    has_value = value is not None and math.isfinite(value)
    spread = f"± {format_score(sd, scaled)}" if has_value and sd is not None and math.isfinite(sd) else ""
    return FormattedCell(format_score(value, scaled), spread=spread, sort=repr(value) if has_value else "")


def add_difference(
    cell: FormattedCell,
    difference: float | None,
    comparison: Comparison | None,
    *,
    scaled: bool = True,
    lower_is_better: bool = False,
) -> None:
    """Add the difference from the control, its interval and its mark: positive is better, also for error rates."""
    if difference is None or not math.isfinite(difference):
        return
    sign = -1 if lower_is_better else 1
    cell.difference = format_difference(sign * difference, scaled)
    if comparison is not None:
        low, high = sorted((sign * comparison.low, sign * comparison.high))
        cell.interval = f"[{format_score(low, scaled)}, {format_score(high, scaled)}]"
        cell.verdict = verdict(difference, comparison, lower_is_better=lower_is_better)


def _add(cell: FormattedCell, difference: float | None, comparison: Comparison | None, key: TableKey) -> None:
    add_difference(cell, difference, comparison, scaled=key.scaled, lower_is_better=key.lower_is_better)


def mark_best(columns: Iterable[Sequence[FormattedCell]], best: Callable[[list[float]], float]) -> None:
    """Mark the best of each column as printed: all of them in a tie, none where there is only one system."""
    for column in columns:
        scored = [cell for cell in column if cell.sort]
        if len(scored) > 1:
            top = best([float(cell.sort) for cell in scored])
            text = next(cell.text for cell in scored if float(cell.sort) == top)
            for cell in scored:
                cell.best = cell.text == text
