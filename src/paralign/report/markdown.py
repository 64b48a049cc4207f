"""The page as Markdown, for a README."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from paralign.report.formatted_table import FormattedCell, FormattedTable
from paralign.report.page import Page

__all__ = ["markdown"]


def markdown(page: Page) -> str:
    """Return summary, tables, warnings, costs and commands of the page."""
    blocks = [f"# {_escape(page.title)}", _escape(" ".join(page.opening))]
    if page.overview:
        blocks += ["## Overview", *_described(page.overview)]
    if page.missing:
        blocks += ["## Missing", "\n".join(f"* {_escape(line)}" for line in page.missing)]
    if page.tables:
        blocks.append("## Results")
    for table in page.tables:
        blocks += [f"### {_escape(table.title)}", *_described(table)]
    if any(table.compared for table in page.tables) or page.baseline_legend:
        blocks.append(_escape(" ".join(part for part in (page.legend, page.baseline_legend) if part)))
    if page.costs:
        blocks.append("## Cost")
        blocks += _described(page.times) if page.times else []
        blocks.append(
            _grid(
                ["run", *page.cost_columns],
                ([name, *(text for text, _ in cells)] for name, cells in page.costs),
            )
        )
        blocks += [_escape(sentence) for sentence in page.cost_comparisons]
    if page.commands:
        blocks.append("## Commands")
        blocks += [_fenced(command) for _, command in page.commands]
    blocks.append("## Warnings")
    rest = [f"{len(page.more_alarms)} more on the HTML page."] if page.more_alarms else []
    blocks.append("\n".join(f"* {_escape(alarm)}" for alarm in [*page.alarms, *rest]) or "None.")
    if page.run_notes:
        blocks.append("## Notes on the runs")
        blocks.append("\n".join(f"* {_escape(note)}" for note in page.run_notes))
    return "\n\n".join(blocks) + "\n"


def _table(table: FormattedTable) -> str:
    lines: list[list[str | FormattedCell]] = [[row.name, *row.cells] for row in (*table.rows, *table.baselines)]
    return _grid(["system", *table.columns], lines)


def _described(table: FormattedTable) -> list[str]:
    """Return a table with its finding, caption and notes."""
    text = " ".join(filter(None, (table.finding, table.caption, table.seeds)))
    return [_table(table), _escape(text), *(_escape(note) for note in table.notes)]


def _grid(head: Sequence[str], lines: Iterable[Sequence[str | FormattedCell]]) -> str:
    rows = ["| " + " | ".join(_escape(name) for name in head) + " |"]
    rows.append("| --- |" + " ---: |" * (len(head) - 1))
    for line in lines:
        cells = [_score(cell) if isinstance(cell, FormattedCell) else _escape(cell) for cell in line]
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)


def _score(cell: FormattedCell) -> str:
    score = " ".join(
        part
        for part in (f"**{cell.text}**{cell.dagger}" if cell.best else cell.text + cell.dagger, cell.spread)
        if part
    )
    difference = " ".join(part for part in (cell.difference + _escape(cell.star), cell.interval) if part)
    return "<br>".join(part for part in (score, difference) if part)


def _escape(text: str) -> str:
    """Escape markup and cell borders, and join lines."""
    text = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\`*_~|\[\]])", r"\\\1", text)


def _fenced(code: str) -> str:
    """Return a code block with a fence longer than any run of backticks in the code."""
    longest = max((len(run) for run in re.findall(r"`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}sh\n{code}\n{fence}"
