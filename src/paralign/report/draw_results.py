"""The first figure of the page: every system on every task, with intervals."""

from __future__ import annotations

import math
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from paralign.metrics import is_significant
from paralign.report.cells import Row
from paralign.report.figure import Figure, LegendEntry, Panel, Point
from paralign.report.number_format import format_difference, format_score, more_are
from paralign.report.styles import Style
from paralign.report.svg import render_svg, set_tooltip, text_width, wrap_text
from paralign.report.tables import Table
from paralign.report.titles import dataset_title, short_title, table_title

__all__ = ["draw_results", "gain", "headline_tables"]

_MAX_PANELS = 12
_MAX_SYSTEMS = 14
_NAME_WIDTH = 20
"""Names of systems are broken into lines of this many characters."""
_WIDTH = 3.9
"""Width of a panel in inches."""
_SMALL = 8
"""Font size in points."""


@dataclass(frozen=True)
class _Mark:
    """A system in a panel."""

    style: Style
    value: float
    low: float
    high: float
    score: str
    filled: bool


def headline_tables(tables: Sequence[Table]) -> list[Table]:
    """Return the tables with the main scores of each task, or all if there is none."""
    return [table for table in tables if table.key.is_headline] or list(tables)


def gain(row: Row, table: Table) -> tuple[float, float, float, bool] | None:
    """Return the gain over the control, positive if the system is better, its interval, and whether it is significant.

    For a metric of which lower values are better, such as the alignment error rate, the gain is the reduction. The ends
    of the interval are NaN if there is none.

    Args:
        row: a system.
        table: its table.

    Returns:
        ``(gain, low, high, significant)``; None if the system is not compared with a control.
    """
    ranked = table.ranked_score(row)
    difference, comparison = ranked.difference, ranked.comparison
    if row.control or difference is None or not math.isfinite(difference):
        return None
    low, high = (comparison.low, comparison.high) if comparison is not None else (math.nan, math.nan)
    if table.key.lower_is_better:
        return -difference, -high, -low, is_significant(comparison)
    return difference, low, high, is_significant(comparison)


def draw_results(tables: Sequence[Table], styles: Mapping[str, Style]) -> Figure | None:
    """Draw a panel for each headline table: gains over the control with their intervals, without a control scores.

    Args:
        tables: all tables.
        styles: color of each system.

    Returns:
        None if there is nothing to draw.
    """
    headline = headline_tables(tables)
    panels: list[Panel] = []
    points: list[Point] = []
    shown: dict[str, None] = {}
    compared = any(gain(row, table) is not None for table in headline for row in table.rows)
    drawn = [(table, marks) for table in headline if (marks := _marks(table, styles, compared))]
    systems = list(dict.fromkeys(mark.style.system for _, marks in drawn for mark in marks))
    left_out = systems[_MAX_SYSTEMS:]
    titles = _titles([table for table, _ in drawn])
    for table, marks in drawn[:_MAX_PANELS]:
        marks = [mark for mark in marks if mark.style.system not in left_out]
        if not marks:
            continue
        title, factor = titles[id(table)], 100 if table.key.scaled else 1
        reference = ", ".join(table.controls) if compared else ""
        unit = "points" if table.key.scaled else table.key.metric
        control = next((row for row in table.rows if row.control), None) if compared else None
        label = f"gain over {_control_label(control, table)}, {unit}" if compared else _score_label(table)
        panels.append(
            Panel(title, _plot(f"results/{len(panels)}", marks, label, factor, compared), _describe(marks, compared))
        )
        shown |= dict.fromkeys(mark.style.system for mark in marks)
        for mark in marks:
            ends = [end if math.isfinite(end) else None for end in (mark.low, mark.high)]
            points.append((title, mark.style.system, reference, mark.value, ends[0], ends[1]))
    if not panels:
        return None
    return Figure(
        "Results",
        "Gain over the control" if compared else "Scores",
        [LegendEntry.dot(styles[system]) for system in shown],
        panels,
        caption=_caption(headline, compared, len(drawn) - len(panels), left_out),
        points=points,
    )


def _titles(tables: Sequence[Table]) -> dict[int, str]:
    """Return a title for each table: its task and data, or the full title where two would be the same."""
    short = [f"{short_title(table.key)}{_data(table)}" for table in tables]
    counts = Counter(short)
    return {
        id(table): title if counts[title] == 1 else table_title(table.key)
        for table, title in zip(tables, short, strict=True)
    }


def _data(table: Table) -> str:
    """Return ``, PUD test`` if all scores are of one data set that has a name."""
    if len(table.datasets) != 1 or table.key.dataset or table.datasets[0] == table.key.split:
        return ""
    title = dataset_title(table.datasets[0], table.key.split).removesuffix(f" ({table.key.split})")
    return f", {title.removesuffix(f' {table.key.split}') if table.key.names_split else title}"


def _marks(table: Table, styles: Mapping[str, Style], compared: bool) -> list[_Mark]:
    marks = []
    for row in table.rows:
        score = table.ranked_score(row).value
        text = format_score(score, table.key.scaled)
        if compared:
            found = gain(row, table)
            if found is not None:
                marks.append(_Mark(styles[row.system], *found[:3], text, found[3]))
        elif math.isfinite(score):
            low, high = row.ranked_interval or (math.nan, math.nan)
            marks.append(_Mark(styles[row.system], score, low, high, text, True))
    return marks


def _control_label(control: Row | None, table: Table) -> str:
    if control is None or len(table.controls) != 1:
        return "the control"
    return f"{control.system} ({format_score(table.ranked_score(control).value, table.key.scaled)})"


def _score_label(table: Table) -> str:
    if table.key.lower_is_better:
        return f"{table.key.metric.replace('_', ' ')}, lower is better"
    return "percent" if table.key.is_percentage else "score"


def _caption(tables: Sequence[Table], compared: bool, panels_left_out: int, systems_left_out: Sequence[str]) -> str:
    if compared:
        several = any(
            comparison.seeds > 1
            for table in tables
            for row in table.rows
            for comparison in (row.average_comparison, *(cell.comparison for cell in row.cells.values()))
            if comparison is not None
        )
        over = "test items and, where both systems have several seeds, over seeds" if several else "test items only"
        text = (
            f"Difference from the control with its 95\N{NO-BREAK SPACE}% interval over {over}. Further right is better"
            " in every panel. Filled dots: significant; outlined dots: not significant, or not tested."
            " Numbers on the right: the score of the system."
        )
        if any(table.key.lower_is_better for table in tables):
            text += " For error rates the gain is the reduction."
    else:
        text = (
            "Averages over languages with 95\N{NO-BREAK SPACE}% intervals over test items and, with several seeds, over"
            " seeds. Overlapping intervals do not mean that systems are equal: name a control to compare them."
        )
    if panels_left_out > 0:
        text += f" {more_are(panels_left_out, 'table')} below."
    if systems_left_out:
        text += f" {more_are(len(systems_left_out), 'system')} in the tables."
    return text


def _describe(marks: Sequence[_Mark], compared: bool) -> str:
    kind = "gain" if compared else "score"
    return "; ".join(f"{mark.style.system} {kind} {mark.value:.4g}, score {mark.score}" for mark in marks)


def _plot(key: str, marks: Sequence[_Mark], label: str, factor: float, compared: bool) -> str:
    from matplotlib.ticker import MaxNLocator

    names = ["\n".join(textwrap.wrap(mark.style.system, _NAME_WIDTH)[:3]) for mark in marks]
    beside = text_width("\n".join(names), _SMALL) + text_width("\n".join(mark.score for mark in marks), _SMALL)
    label = wrap_text(label, 72 * _WIDTH - beside - 18, _SMALL)  # 18 points: gaps and margins

    def draw(axes: Any) -> None:
        if compared:
            axes.axvline(0, color="#555555", linewidth=0.9, linestyle=(0, (3, 3)))
        for y, mark in enumerate(marks):
            value, ends = factor * mark.value, [factor * mark.low, factor * mark.high]
            if all(map(math.isfinite, ends)):
                axes.plot(ends, [y, y], color=mark.style.color, linewidth=1.6, solid_capstyle="butt")
            face = mark.style.color if mark.filled and not mark.style.hollow else "white"
            (dot,) = axes.plot(
                [value], [y], "o", ms=5.5, markerfacecolor=face, markeredgecolor=mark.style.color, markeredgewidth=1.3
            )
            text = format_difference(mark.value, factor == 100) if compared else mark.score
            set_tooltip(dot, f"{mark.style.system}: {text}")
            axes.annotate(
                mark.score, (1, y), xycoords=("axes fraction", "data"), xytext=(4, 0), textcoords="offset points",
                va="center", fontsize=_SMALL, color="#555555",
            )  # fmt: skip
        axes.set_yticks(range(len(marks)), names, fontsize=_SMALL)
        axes.set_ylim(len(marks) - 0.5, -0.5)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.spines["bottom"].set_color("#999999")
        axes.tick_params(colors="#555555", length=3)
        axes.tick_params(axis="y", length=0, labelcolor="#1d2329")
        axes.grid(axis="x", color="#e6e6e6", linewidth=0.7)
        axes.set_axisbelow(True)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.set_xlabel(label, color="#555555", fontsize=_SMALL)

    lines = sum(max(1.6, 1 + name.count("\n")) for name in names)
    return render_svg(key, draw, size=(_WIDTH, 0.55 + 0.16 * lines + 0.13 * label.count("\n")))
