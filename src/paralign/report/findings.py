"""Findings: a sentence or two about the best system of each headline table."""

from __future__ import annotations

import math

from paralign.metrics import Comparison, is_significant
from paralign.metrics.significance import untested
from paralign.report.cells import Row
from paralign.report.number_format import format_difference, format_score, join_names
from paralign.report.tables import Table

__all__ = ["describe_difference", "describe_table"]

_MAX_NAMED = 8
"""More languages than these are counted instead of named."""


def describe_table(table: Table) -> str:
    """Return what the best system of a table reaches, and how it compares with the control; empty if unknown.

    Args:
        table: the table.
    """
    key = table.key
    candidates = [row for row in table.rows if not row.control] or table.rows
    scored = [(score, row) for row in candidates if math.isfinite(score := table.ranked_score(row).value)]
    if not scored:
        return ""
    sign = -1 if key.lower_is_better else 1
    value, best = max(scored, key=lambda pair: sign * pair[0])
    unit = "\N{NO-BREAK SPACE}%" if key.is_percentage else ""
    text = best.system
    if len(scored) > 1:
        besides = f" besides the control{'s' * (len(table.controls) > 1)}" if table.controls else ""
        rank = "lowest" if key.lower_is_better else "highest"
        text += f", the {rank} of {len(scored)} systems{besides},"
    text += f" reaches {format_score(value, key.scaled)}{unit} {_languages(table)}"
    if best.control or not table.controls:
        return text + "."
    if best.reference is None:
        return text + "; no single control has the same base and settings."
    text += _compare_with_control(table, best)
    pivot = best.cells.get(table.pivot or "")
    if pivot is not None and pivot.difference is not None and math.isfinite(pivot.difference) and table.others:
        shown = key.scaled, key.lower_is_better
        if is_significant(pivot.comparison):
            text += f" On {table.pivot} it is {_amount(pivot.difference, key.scaled)} the control"
            text += f" ({_interval(pivot.comparison, *shown)})."
        else:
            text += f" On {table.pivot} {_undecided(pivot.difference, pivot.comparison, *shown)}."
    return text


def _languages(table: Table) -> str:
    if len(table.ranked_on) == 1:
        return f"on {table.ranked_on[0]}"
    many = len(table.others) > _MAX_NAMED
    return f"on average over {f'{len(table.others)} languages' if many else join_names(table.others)}"


def _compare_with_control(table: Table, row: Row) -> str:
    ranked = table.ranked_score(row)
    if ranked.difference is None:
        return "; the control was measured in other directions."
    if not math.isfinite(ranked.difference):
        return "; the score of the control is undefined."
    key = table.key
    return describe_difference(ranked.difference, ranked.comparison, key.scaled, row.reference, key.lower_is_better)


def describe_difference(
    difference: float,
    comparison: Comparison | None,
    scaled: bool,
    reference: str | None,
    lower_is_better: bool = False,
) -> str:
    """Return the end of a sentence about a system: how much better or worse than the control it is, if that is known.

    Args:
        difference: the difference from the control.
        comparison: the comparison with it. None: there is no interval.
        scaled: whether scores are shown × 100.
        reference: the name of the control.
        lower_is_better: whether to give the reduction, as in the tables, instead of the difference.
    """
    name = reference if reference and reference != "control" else ""
    if is_significant(comparison):
        details = "; ".join(part for part in (name, _interval(comparison, scaled, lower_is_better)) if part)
        return f", {_amount(difference, scaled)} the control ({details})."
    text = _undecided(difference, comparison, scaled, lower_is_better, name)
    return f". {text[0].upper()}{text[1:]}."


def _undecided(
    difference: float, comparison: Comparison | None, scaled: bool, lower_is_better: bool, name: str = ""
) -> str:
    """Describe a difference that is not significant, or not tested, without calling it better or worse."""
    reason = untested(comparison)
    details = [name, _interval(comparison, scaled, lower_is_better), f"not tested: {reason}" if reason else ""]
    what, gain = ("reduction relative to", -difference) if lower_is_better else ("difference from", difference)
    text = f"the {what} the control is {format_difference(gain, scaled)}{' points' if scaled else ''}"
    text += f" ({'; '.join(filter(None, details))})"
    return text if reason else f"{text}, not statistically significant"


def _interval(comparison: Comparison | None, scaled: bool, lower_is_better: bool) -> str:
    if comparison is None or not math.isfinite(comparison.low):
        return ""
    ends = (-comparison.high, -comparison.low) if lower_is_better else (comparison.low, comparison.high)
    low, high = (format_score(end, scaled) for end in ends)
    over = "test items and seeds" if comparison.seeds > 1 else "test items"
    return f"95\N{NO-BREAK SPACE}% interval over {over} {low} to {high}"


def _amount(difference: float, scaled: bool) -> str:
    size = format_score(abs(difference), scaled)
    if not float(size):
        return "equal to"
    return f"{size}{' points' if scaled else ''} {'above' if difference > 0 else 'below'}"
