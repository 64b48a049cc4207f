"""Tables as text: every number formatted, the best marked, the same for HTML and Markdown."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from paralign.metrics import Comparison
from paralign.report.baselines import Baseline, unbeaten
from paralign.report.captions import caption, seeds
from paralign.report.cells import SIGNIFICANT
from paralign.report.keys import Key
from paralign.report.tables import Row, Table
from paralign.report.wording import is_share, listing, number, signed, table_title

__all__ = ["Shown", "ShownRow", "ShownTable", "show"]


@dataclass
class Shown:
    """One cell of a table."""

    text: str = "–"
    sd: str = ""
    delta: str = ""
    """Difference to the control, with its sign."""
    interval: str = ""
    tone: str = ""
    """``better`` or ``worse`` where p < .05, otherwise empty."""
    best: bool = False
    weak: str = ""
    """The baselines it is not better than, if any: ``not above majority (33.9)``."""
    sort: str = ""
    """Unrounded, for sorting; empty where there is no number."""

    @property
    def dagger(self) -> str:
        """Marks what is not better than a baseline."""
        return "†" if self.weak else ""

    @property
    def star(self) -> str:
        """Marks p < .05."""
        return "*" if self.tone else ""


@dataclass
class ShownRow:
    """One system, or one baseline."""

    system: str
    control: bool
    cells: list[Shown]
    baseline: bool = False

    @property
    def name(self) -> str:
        """The system, marked if it is the control and its name does not say so; or the baseline."""
        if self.baseline:
            return f"{self.system} (baseline)"
        return f"{self.system} (control)" if self.control and "control" not in self.system else self.system


@dataclass
class ShownTable:
    """One table, ready to print."""

    title: str
    columns: list[str]
    rows: list[ShownRow]
    baselines: list[ShownRow]
    caption: str
    seeds: str
    folded: bool
    compared: bool
    notes: list[str] = field(default_factory=list)


def show(table: Table) -> ShownTable:
    """Format a table.

    What sums it up comes first, where a narrow screen shows it: the average, the pivot, the change on it and
    the gap to it; then the other languages.
    """
    columns: dict[str, list[Shown]] = {}
    if len(table.others) > 1:
        columns["average"] = [_average(row, table) for row in table.rows]
    for language in table.languages:
        columns[language] = [_cell(row, language, table) for row in table.rows]
        if language == table.pivot:
            if table.control and len(table.rows) > 1:
                columns[f"change on {language}"] = [_change(row, language, table.key) for row in table.rows]
            if table.others:
                columns[f"gap to {language}"] = [_gap(row, table.key) for row in table.rows]
    ranked = [cells for name, cells in columns.items() if name == "average" or name in table.languages]
    _mark_best(ranked, min if table.key.lower_is_better else max)
    lines = zip(table.rows, zip(*columns.values(), strict=True), strict=True)
    return ShownTable(
        title=table_title(table.key),
        columns=list(columns),
        rows=[ShownRow(row.system, row.control, list(cells)) for row, cells in lines],
        baselines=[_baseline(baseline, list(columns), table) for baseline in table.baselines],
        caption=caption(table),
        seeds=seeds(table),
        folded=table.key.variant,
        compared=any(cell.delta for cells in columns.values() for cell in cells),
        notes=table.notes,
    )


def _baseline(baseline: Baseline, columns: Sequence[str], table: Table) -> ShownRow:
    values = {"average": baseline.average} | baseline.values
    told = [name in ("average", *table.languages) for name in columns]
    cells = [
        _scored(values.get(name), None, table.key) if known else Shown("")
        for name, known in zip(columns, told, strict=True)
    ]
    return ShownRow(baseline.name, False, cells, baseline=True)


def _weak(score: float | None, baselines: Iterable[tuple[str, float]], key: Key) -> str:
    lower = key.lower_is_better
    found = [f"{name} ({number(value, is_share(key.metric))})" for name, value in unbeaten(score, baselines, lower)]
    return f"not {'below' if lower else 'above'} {listing(found)}" if found else ""


def _average(row: Row, table: Table) -> Shown:
    key = table.key
    shown = _scored(row.average, row.average_sd, key)
    known = [(one.name, one.average) for one in table.baselines if one.average is not None]
    shown.weak = _weak(row.average, known, key)
    _differ(shown, row.average_difference, row.average_comparison, key)
    return shown


def _gap(row: Row, key: Key) -> Shown:
    return _scored(row.gap, None, key)


def _scored(value: float | None, sd: float | None, key: Key) -> Shown:
    share = is_share(key.metric)
    known = value is not None and math.isfinite(value)
    spread = f"± {number(sd, share)}" if sd is not None else ""
    return Shown(number(value, share), sd=spread, sort=repr(value) if known else "")


def _cell(row: Row, language: str, table: Table) -> Shown:
    cell = row.cells.get(language)
    if cell is None:
        return Shown()
    shown = _scored(cell.mean, cell.sd, table.key)
    shown.weak = _weak(cell.mean, cell.baselines.items(), table.key)
    if language != table.pivot:  # the pivot's difference has a column of its own
        _differ(shown, cell.difference, cell.comparison, table.key)
    return shown


def _change(row: Row, pivot: str, key: Key) -> Shown:
    cell = row.cells.get(pivot)
    if row.control or cell is None or cell.difference is None or not math.isfinite(cell.difference):
        return Shown("")
    shown = Shown("", sort=repr(cell.difference))
    _differ(shown, cell.difference, cell.comparison, key)
    return shown


def _differ(shown: Shown, difference: float | None, comparison: Comparison | None, key: Key) -> None:
    """Add the difference to the control, its interval and its mark."""
    if difference is None or not math.isfinite(difference):
        return
    share = is_share(key.metric)
    shown.delta = signed(difference, share)
    if comparison is not None:
        shown.interval = f"[{number(comparison.low, share)}, {number(comparison.high, share)}]"
        if comparison.p < SIGNIFICANT:
            shown.tone = "better" if (difference > 0) != key.lower_is_better else "worse"


def _mark_best(columns: Iterable[list[Shown]], best: Callable[[list[float]], float]) -> None:
    """Bold the best of each column as printed, all of them in a tie, none where there is only one system."""
    for column in columns:
        known = [cell for cell in column if cell.sort]
        if len(known) > 1:
            top = best([float(cell.sort) for cell in known])
            text = next(cell.text for cell in known if float(cell.sort) == top)
            for cell in known:
                cell.best = cell.text == text
