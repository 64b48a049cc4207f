"""Tables as text: every number formatted, the best marked, the same for HTML and Markdown."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from paralign.metrics import Comparison
from paralign.report.cells import SIGNIFICANT, describe_seeds
from paralign.report.tables import Row, Table
from paralign.report.wording import count, is_share, listing, lower_is_better, number, signed, table_title

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
    sort: str = ""
    """Unrounded, for sorting; empty where there is no number."""

    @property
    def star(self) -> str:
        """Marks p < .05."""
        return "*" if self.tone else ""


@dataclass
class ShownRow:
    """One system."""

    system: str
    control: bool
    cells: list[Shown]

    @property
    def name(self) -> str:
        """The system, marked if it is the control and its name does not say so."""
        return f"{self.system} (control)" if self.control and "control" not in self.system else self.system


@dataclass
class ShownTable:
    """One table, ready to print."""

    title: str
    columns: list[str]
    rows: list[ShownRow]
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
        columns["average"] = [_average(row, table.key.metric) for row in table.rows]
    for language in table.languages:
        columns[language] = [_cell(row, language, table) for row in table.rows]
        if language == table.pivot:
            if table.control and len(table.rows) > 1:
                columns[f"change on {language}"] = [_change(row, language, table.key.metric) for row in table.rows]
            if table.others:
                columns[f"gap to {language}"] = [_gap(row, table.key.metric) for row in table.rows]
    ranked = [cells for name, cells in columns.items() if name == "average" or name in table.languages]
    _mark_best(ranked, min if lower_is_better(table.key.metric) else max)
    lines = zip(table.rows, zip(*columns.values(), strict=True), strict=True)
    return ShownTable(
        title=table_title(table.key),
        columns=list(columns),
        rows=[ShownRow(row.system, row.control, list(cells)) for row, cells in lines],
        caption=_caption(table),
        seeds=_seeds(table),
        folded=table.key.variant,
        compared=any(cell.delta for cells in columns.values() for cell in cells),
        notes=table.notes,
    )


def _average(row: Row, metric: str) -> Shown:
    shown = _scored(row.average, row.average_sd, metric)
    _differ(shown, row.average_difference, row.average_comparison, metric)
    return shown


def _gap(row: Row, metric: str) -> Shown:
    return _scored(row.gap, None, metric)


def _scored(value: float | None, sd: float | None, metric: str) -> Shown:
    share = is_share(metric)
    known = value is not None and math.isfinite(value)
    spread = f"± {number(sd, share)}" if sd is not None else ""
    return Shown(number(value, share), sd=spread, sort=repr(value) if known else "")


def _cell(row: Row, language: str, table: Table) -> Shown:
    cell = row.cells.get(language)
    if cell is None:
        return Shown()
    shown = _scored(cell.mean, cell.sd, table.key.metric)
    if language != table.pivot:  # the pivot's difference has a column of its own
        _differ(shown, cell.difference, cell.comparison, table.key.metric)
    return shown


def _change(row: Row, pivot: str, metric: str) -> Shown:
    cell = row.cells.get(pivot)
    if row.control or cell is None or cell.difference is None or not math.isfinite(cell.difference):
        return Shown("")
    shown = Shown("", sort=repr(cell.difference))
    _differ(shown, cell.difference, cell.comparison, metric)
    return shown


def _differ(shown: Shown, difference: float | None, comparison: Comparison | None, metric: str) -> None:
    """Add the difference to the control, its interval and its mark."""
    if difference is None or not math.isfinite(difference):
        return
    share = is_share(metric)
    shown.delta = signed(difference, share)
    if comparison is not None:
        shown.interval = f"[{number(comparison.low, share)}, {number(comparison.high, share)}]"
        if comparison.p < SIGNIFICANT:
            shown.tone = "better" if (difference > 0) != lower_is_better(metric) else "worse"


def _mark_best(columns: Iterable[list[Shown]], best: Callable[[list[float]], float]) -> None:
    """Bold the best of each column as printed, all of them in a tie, none where there is only one system."""
    for column in columns:
        known = [cell for cell in column if cell.sort]
        if len(known) > 1:
            top = best([float(cell.sort) for cell in known])
            text = next(cell.text for cell in known if float(cell.sort) == top)
            for cell in known:
                cell.best = cell.text == text


def _caption(table: Table) -> str:
    parts = ["Per cent" if is_share(table.key.metric) else ""]
    sizes = sorted({cell.n_items for row in table.rows for cell in row.cells.values() if cell.n_items})
    if sizes:
        span = count(sizes[0]) if len(sizes) == 1 else f"{count(sizes[0])} to {count(sizes[-1])}"
        parts.append(f"{span} test items a language")
    parts.append(f"data: {', '.join(table.datasets)} ({table.key.split})")
    if any(len(cell.directions) > 1 for row in table.rows for cell in row.cells.values()):
        parts.append("mean of both directions")
    if len(table.others) > 1:
        parts.append(f"average over {listing(table.others)}")
    if lower_is_better(table.key.metric):
        parts.append("lower is better")
    text = "; ".join(part for part in parts if part) + "."
    return text[0].upper() + text[1:]


def _seeds(table: Table) -> str:
    """What ``n`` is, systems of equal seeds together."""
    told: dict[str, list[str]] = {}
    for row in table.rows:
        seeds = describe_seeds([seeds for seeds, _ in row.units])
        told.setdefault(f"n = {len(row.units)}, {seeds}", []).append(row.system)
    if len(told) == 1:
        return f"Each system: {next(iter(told))}."
    return " ".join(f"{listing(systems)}: {text}." for text, systems in told.items())
