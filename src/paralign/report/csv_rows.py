"""The numbers for other programs: one line a system, task, metric, place and language."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from paralign.report.plate import Plate
from paralign.report.runs import Run
from paralign.report.tables import Table, build_tables

__all__ = ["COLUMNS", "csv_text", "figures_csv"]

COLUMNS = (
    *(
        "system",
        "control",
        "task",
        "dataset",
        "split",
        "train",
        "metric",
        "pool",
        "layer",
        "direction",
        "language",
    ),
    *("mean", "sd", "n_seeds", "n_items", "diff_to_control", "low", "high", "p"),
    "baseline",
    "settings",
)

_SCORES = COLUMNS.index("mean")
"""What stands before it says what was measured."""


def csv_text(runs: Sequence[Run], tables: Sequence[Table], controls: set[str]) -> str:
    """The tables as CSV, unrounded; shares of 1.

    Where a score is the mean of several directions its ``direction`` is ``mean``, and each direction has a
    line of its own after it. Lines of baselines have ``true`` in the column ``baseline``, and the baseline's name as
    their ``system``. Text that a spreadsheet would take for a formula gets an apostrophe before it.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    averaged = {(t.key.task, t.key.metric) for t in tables if t.averages_directions}
    rows = [[row for row in run.rows if (row.task, row.metric) in averaged and row.where.direction] for run in runs]
    directions = sorted({str(row.where.direction) for some in rows for row in some})
    told = set()
    for table in tables:
        for line in _lines(table):
            told.add(tuple(line[:_SCORES]))
            writer.writerow(line)
    for direction in directions:
        one_way = [tuple(row for row in some if row.where.direction == direction) for some in rows]
        part = [replace(run, rows=some) for run, some in zip(runs, one_way, strict=True)]
        for table in build_tables(part, controls):
            writer.writerows(line for line in _lines(table) if tuple(line[:_SCORES]) not in told)
    return out.getvalue()


def figures_csv(sections: Iterable[tuple[str, Sequence[Plate]]]) -> str:
    """What is drawn, as CSV: a line for each point, unrounded."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("section", "figure", "panel", "series", "at", "value", "low", "high"))
    for section, plates in sections:
        for plate in plates:
            for number in plate.numbers:
                writer.writerow([_plain(field) for field in (section, plate.title, *number)])
    return out.getvalue()


def _lines(table: Table) -> Iterable[list[object]]:
    for row in table.rows:
        for language in table.languages:
            cell = row.cells.get(language)
            if cell is None:
                continue
            compared = cell.comparison
            yield _line(
                *(row.system, row.control, table, cell.datasets, cell.directions, language),
                *(cell.mean, cell.sd, len(cell.scores), cell.n_items, cell.difference),
                *((compared.low, compared.high, compared.p) if compared else (None, None, None)),
                "false",
            )
    for baseline in table.baselines:
        for language in table.languages:
            if language in baseline.values:
                cells = [row.cells[language] for row in table.rows if language in row.cells]
                datasets = sorted({name for cell in cells for name in cell.datasets})
                directions = sorted({name for cell in cells for name in cell.directions})
                value = baseline.values[language]
                yield _line(baseline.name, False, table, datasets, directions, language, value, *[None] * 7, "true")


def _line(
    system: str,
    control: bool,
    table: Table,
    datasets: Sequence[str],
    directions: Sequence[str],
    language: str,
    *numbers: object,
) -> list[object]:
    key = table.key
    direction = "mean" if len(directions) > 1 else next(iter(directions), "")
    about = (system, str(control).lower(), key.task, " ".join(datasets), key.split, key.train)
    fields = (*about, key.metric, key.pool, key.layer, direction, language, *numbers, key.settings)
    return [_plain(field) for field in fields]


def _plain(field: object) -> object:
    if isinstance(field, str) and field[:1] in ("=", "+", "-", "@", "\t", "\r") and not _number(field):
        return f"'{field}"
    return repr(field) if isinstance(field, float) else field


def _number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
