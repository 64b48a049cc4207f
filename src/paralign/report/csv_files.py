"""The numbers of the page as CSV files."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from paralign.metrics import Comparison, is_significant
from paralign.metrics.significance import untested
from paralign.report.cells import Cell
from paralign.report.figure import Figure
from paralign.report.runs import Run
from paralign.report.tables import Table, build_tables

__all__ = ["COLUMNS", "csv_text", "figures_csv", "table_rows", "tables_csv"]

COLUMNS = (
    "system", "control", "task", "dataset", "split", "train", "metric", "pool", "layer", "direction", "language",
    "mean", "sd", "n_seeds", "n_items", "diff_to_control", "low", "high", "p", "baseline", "settings",
    "interval_over", "significant", "score_low", "score_high", "compared_with",
)  # fmt: skip

_FIRST_SCORE = COLUMNS.index("mean")
"""The columns before it identify a row."""


def tables_csv(runs: Sequence[Run], tables: Sequence[Table], controls: set[str]) -> str:
    """Return the tables as CSV; see :func:`table_rows`."""
    return csv_text([COLUMNS, *table_rows(runs, tables, controls)])


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """Return rows as CSV."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def table_rows(runs: Sequence[Run], tables: Sequence[Table], controls: set[str]) -> Iterator[list[object]]:
    """Yield the fields of :data:`COLUMNS`: a row for each system, task, metric and language, unrounded, as shares of 1.

    The ``language`` of an average over several languages is ``average``; its ``n_seeds`` are those measured on all of
    them, and its ``n_items`` is empty.
    The ``direction`` of a mean of several directions is ``mean``; rows for the single directions follow it. Rows of
    baselines have ``true`` in the column ``baseline`` and the baseline's name as ``system``. Text that a spreadsheet
    would read as a formula starts with an apostrophe. ``p`` is empty where a difference is not tested, for one seed or
    few items.
    """
    averaged = {(t.key.task, t.key.metric) for t in tables if t.averages_directions}
    rows = [[row for row in run.rows if (row.task, row.metric) in averaged and row.where.direction] for run in runs]
    directions = sorted({str(row.where.direction) for of_run in rows for row in of_run})
    written = set()
    for table in tables:
        for line in _lines(table):
            written.add(tuple(line[:_FIRST_SCORE]))
            yield line
    for direction in directions:
        one_way = [tuple(row for row in of_run if row.where.direction == direction) for of_run in rows]
        part = [replace(run, rows=of_run) for run, of_run in zip(runs, one_way, strict=True)]
        for table in build_tables(part, controls):
            yield from (line for line in _lines(table) if tuple(line[:_FIRST_SCORE]) not in written)


def figures_csv(sections: Iterable[tuple[str, Sequence[Figure]]]) -> str:
    """Return the points of all figures as CSV, unrounded."""
    columns = ("section", "figure", "panel", "series", "at", "value", "low", "high")
    points = (
        [_cell(field) for field in (section, figure.title, *point)]
        for section, figures in sections
        for figure in figures
        for point in figure.points
    )
    return csv_text([columns, *points])


def _lines(table: Table) -> Iterable[list[object]]:
    averaged = len(table.others) > 1
    for row in table.rows:
        for language in table.languages:
            cell = row.cells.get(language)
            if cell is None:
                continue
            yield _line(
                *(row.system, row.control, table, cell.datasets, cell.directions, language),
                *(cell.mean, cell.sd, len(cell.scores), cell.n_items, cell.difference),
                *_interval_fields(cell.comparison)[:3],
                "false",
                last=(*_interval_fields(cell.comparison)[3:], *(cell.interval or (None, None)), row.reference),
            )
        if averaged:
            compared = _interval_fields(row.average_comparison)
            yield _line(
                *(row.system, row.control, table, *_data([row.cells[name] for name in table.others]), "average"),
                *(row.average, row.average_sd, len(row.average_scores), None, row.average_difference),
                *compared[:3],
                "false",
                last=(*compared[3:], *(row.ranked_interval or (None, None)), row.reference),
            )
    for baseline in table.baselines:
        scores = [(name, [name], baseline.values.get(name)) for name in table.languages]
        scores += [("average", table.others, baseline.average)] if averaged else []
        for language, measured, value in scores:
            if value is not None:
                cells = [row.cells[name] for row in table.rows for name in measured if name in row.cells]
                yield _line(baseline.name, False, table, *_data(cells), language, value, *[None] * 7, "true")


def _data(cells: Sequence[Cell]) -> tuple[list[str], list[str]]:
    """Return the data sets and directions of cells."""
    datasets = {name for cell in cells for name in cell.datasets}
    return sorted(datasets), sorted({name for cell in cells for name in cell.directions})


def _interval_fields(compared: Comparison | None) -> tuple[object, ...]:
    """Return low, high and p of a difference, what the interval is over, and whether it is significant."""
    if compared is None:
        return (None,) * 5
    over = "items and seeds" if compared.seeds > 1 else "items"
    if untested(compared):
        return compared.low, compared.high, None, over, None
    return compared.low, compared.high, compared.p, over, str(is_significant(compared)).lower()


def _line(
    system: str,
    control: bool,
    table: Table,
    datasets: Sequence[str],
    directions: Sequence[str],
    language: str,
    *numbers: object,
    last: Sequence[object] = (None,) * 5,
) -> list[object]:
    key = table.key
    direction = "mean" if len(directions) > 1 else next(iter(directions), "")
    first = (system, str(control).lower(), key.task, " ".join(datasets), key.split, key.train)
    fields = (*first, key.metric, key.pool, key.layer, direction, language, *numbers, key.settings, *last)
    return [_cell(field) for field in fields]


def _cell(field: object) -> object:
    """Return a field without text that a spreadsheet would run, and floats in full precision."""
    if isinstance(field, str):
        field = field.replace("\r\n", "\n").replace("\r", "\n")  # the writer puts no quotes around a carriage return
        return f"'{field}" if field[:1] in ("=", "+", "-", "@", "\t", "\n") and not _is_number(field) else field
    return repr(field) if isinstance(field, float) else field


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
