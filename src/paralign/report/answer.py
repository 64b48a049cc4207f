"""The finding in plain words, computed from the tables."""

from __future__ import annotations

import math
from collections.abc import Sequence

from paralign.metrics import Comparison
from paralign.report.cells import SIGNIFICANT
from paralign.report.tables import Row, Table
from paralign.report.wording import is_share, listing, number, table_title

__all__ = ["answer"]


_MANY = 8
"""More languages than these are counted, not named: the table names them."""

Told = tuple[str, str]
"""What it is about (may be empty), and a sentence or two."""


def answer(tables: Sequence[Table], *, pictures: bool = False, found: Sequence[Told] = ()) -> list[Told]:
    """The finding of each table that leads its task, and a word on it if there is no control, or (with or without
    ``pictures``) no table and nothing ``found`` elsewhere."""
    chosen = [table for table in tables if table.key.leading] or list(tables)
    told = [(table_title(table.key), text) for table in chosen if (text := _finding(table))]
    if not tables and found:
        return []
    if not tables:
        if pictures:
            return [("", "Pictures of what was measured elsewhere: no table of scores is among the runs.")]
        return [("", "Nothing was measured yet: these are the curves of training alone.")]
    if not any(table.control for table in tables):
        told.append(("", "No run is marked as the control, so nothing is compared with one."))
    return told


def _score(row: Row) -> float:
    """What rows are ranked by: the average, or the pivot's score where nothing else was measured."""
    if row.average is not None:
        return row.average
    return next(iter(row.cells.values())).mean if len(row.cells) == 1 else math.nan


def _finding(table: Table) -> str | None:
    metric = table.key.metric
    rivals = [row for row in table.rows if not row.control] or table.rows
    scored = [(score, row) for row in rivals if math.isfinite(score := _score(row))]
    if not scored:
        return None
    sign = -1 if table.key.lower_is_better else 1
    value, best = max(scored, key=lambda pair: sign * pair[0])
    unit = "\N{NO-BREAK SPACE}%" if is_share(metric) else ""
    text = best.system
    if len(scored) > 1:
        text += f", the best of {len(scored)} systems{' besides the control' if table.control else ''},"
    text += f" reaches {number(value, is_share(metric))}{unit} {_where(table, best)}"
    if best.control or not table.control:
        return text + "."
    text += _difference(table, best)
    pivot = best.cells.get(table.pivot or "")
    if pivot is not None and pivot.difference is not None and best.average is not None:
        interval = _interval(pivot.comparison, is_share(metric))
        text += f" On {table.pivot} itself it is {_amount(pivot.difference, is_share(metric))} the control"
        text += f" ({interval})." if interval else "."
    return text


def _where(table: Table, row: Row) -> str:
    if row.average is None:
        return f"on {next(iter(row.cells))}"
    if len(table.others) == 1:
        return f"on {table.others[0]}"
    many = len(table.others) > _MANY
    return f"on average over {f'{len(table.others)} languages' if many else listing(table.others)}"


def _difference(table: Table, row: Row) -> str:
    share = is_share(table.key.metric)
    if row.average is not None:
        difference, comparison = row.average_difference, row.average_comparison
    else:
        cell = next(iter(row.cells.values()))
        difference, comparison = cell.difference, cell.comparison
    if difference is None:
        return "; the control was not measured there."
    named = table.control if table.control != "control" else ""
    aside = "; ".join(part for part in (named, _interval(comparison, share) or "no interval") if part)
    text = f", {_amount(difference, share)} the control ({aside})."
    return text if comparison is None or comparison.p < SIGNIFICANT else text + " Such a difference may be chance."


def _interval(comparison: Comparison | None, share: bool) -> str:
    if comparison is None:
        return ""
    return f"95\N{NO-BREAK SPACE}% interval {number(comparison.low, share)} to {number(comparison.high, share)}"


def _amount(difference: float, share: bool) -> str:
    size = number(abs(difference), share)
    if not float(size):
        return "level with"
    return f"{size}{' points' if share else ''} {'above' if difference > 0 else 'below'}"
