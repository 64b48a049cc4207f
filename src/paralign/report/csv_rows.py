"""The numbers for other programs: one line a system, task, metric, place and language."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import replace

from paralign.report.runs import Run
from paralign.report.tables import Table, build_tables

__all__ = ["COLUMNS", "csv_text"]

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
)


def csv_text(runs: Sequence[Run], tables: Sequence[Table], controls: set[str]) -> str:
    """The tables as CSV, unrounded; shares of 1.

    Where a score is the mean of several directions its ``direction`` is ``mean``, and each direction has a
    line of its own after it. Text that a spreadsheet would take for a formula gets an apostrophe before it.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    several = any(len(cell.directions) > 1 for t in tables for row in t.rows for cell in row.cells.values())
    directions = sorted({row.where.direction for run in runs for row in run.rows if row.where.direction})
    for table in tables:
        writer.writerows(_lines(table))
    for direction in directions if several else []:
        part = [replace(r, rows=tuple(row for row in r.rows if row.where.direction == direction)) for r in runs]
        for table in build_tables(part, controls):
            writer.writerows(_lines(table))
    return out.getvalue()


def _lines(table: Table) -> Iterable[list[object]]:
    key = table.key
    for row in table.rows:
        for language in table.languages:
            cell = row.cells.get(language)
            if cell is None:
                continue
            compared = cell.comparison
            direction = "mean" if len(cell.directions) > 1 else next(iter(cell.directions), "")
            fields: list[object] = [
                *(
                    row.system,
                    str(row.control).lower(),
                    key.task,
                    " ".join(cell.datasets),
                    key.split,
                    key.train,
                ),
                *(key.metric, key.pool, key.layer, direction, language),
                *(cell.mean, cell.sd, len(cell.scores), cell.n_items, cell.difference),
                *((compared.low, compared.high, compared.p) if compared else (None, None, None)),
            ]
            yield [_plain(field) for field in fields]


def _plain(field: object) -> object:
    if isinstance(field, str) and field[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{field}"
    return repr(field) if isinstance(field, float) else field
