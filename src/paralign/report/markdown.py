"""The page's tables as Markdown, for a README."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from paralign.report.page import Page
from paralign.report.shown import Shown, ShownTable

__all__ = ["markdown"]


def markdown(page: Page) -> str:
    """The answer, the tables, alarms, cost and commands of the page."""
    blocks = [f"# {_escape(page.title)}", *(_told(*told) for told in page.answer)]
    if page.tables:
        blocks.append("## Results")
    for table in page.tables:
        blocks += [f"### {_escape(table.title)}", _table(table), _escape(f"{table.caption} {table.seeds}")]
        blocks += [_escape(note) for note in table.notes]
    if any(table.compared for table in page.tables) or page.baseline_legend:
        blocks.append(_escape(" ".join(part for part in (page.legend, page.baseline_legend) if part)))
    blocks.append("## Warnings")
    rest = [f"{len(page.more_alarms)} more: see the page."] if page.more_alarms else []
    blocks.append("\n".join(f"* {_escape(alarm)}" for alarm in [*page.alarms, *rest]) or "None.")
    if page.costs:
        blocks.append("## Cost")
        blocks.append(
            _grid(
                ["run", *page.cost_columns],
                ([name, *(text for text, _ in cells)] for name, cells in page.costs),
            )
        )
        blocks += [_escape(sentence) for sentence in page.fairness]
    if page.commands:
        blocks.append("## Commands")
        blocks += [_fenced(command) for _, command in page.commands]
    if page.remarks:
        blocks.append("## Remarks")
        blocks.append("\n".join(f"* {_escape(remark)}" for remark in page.remarks))
    return "\n\n".join(blocks) + "\n"


def _told(about: str, finding: str) -> str:
    return f"**{_escape(about)}.** {_escape(finding)}" if about else _escape(finding)


def _table(table: ShownTable) -> str:
    lines: list[list[str | Shown]] = [[row.name, *row.cells] for row in (*table.rows, *table.baselines)]
    return _grid(["system", *table.columns], lines)


def _grid(head: Sequence[str], lines: Iterable[Sequence[str | Shown]]) -> str:
    rows = ["| " + " | ".join(_escape(name) for name in head) + " |"]
    rows.append("| --- |" + " ---: |" * (len(head) - 1))
    for line in lines:
        cells = [_score(cell) if isinstance(cell, Shown) else _escape(cell) for cell in line]
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)


def _score(cell: Shown) -> str:
    score = " ".join(
        part for part in (f"**{cell.text}**{cell.dagger}" if cell.best else cell.text + cell.dagger, cell.sd) if part
    )
    difference = " ".join(part for part in (cell.delta + _escape(cell.star), cell.interval) if part)
    return "<br>".join(part for part in (score, difference) if part)


def _escape(text: str) -> str:
    """Text that renders as itself: no markup, no cell borders, one line."""
    text = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\`*_|\[\]])", r"\\\1", text)


def _fenced(code: str) -> str:
    """A code block whose fence is longer than any run of backticks inside."""
    longest = max((len(run) for run in re.findall(r"`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}sh\n{code}\n{fence}"
