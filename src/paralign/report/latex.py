"""The tables of the page as LaTeX, for a paper."""

from __future__ import annotations

import re
from collections.abc import Iterator

from paralign.report.formatted_table import FormattedCell, FormattedRow, FormattedTable
from paralign.report.page import Page

__all__ = ["latex"]

_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "%": r"\%", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "−": "$-$", "×": r"$\times$",
    "†": r"$^\dagger$", "→": r"$\rightarrow$", "–": "--", "\N{NO-BREAK SPACE}": "~", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}",
}  # fmt: skip


def latex(page: Page) -> str:
    r"""Return all tables of the page, each a ``table`` with the rules of the package booktabs.

    Cells have the score, its standard deviation over seeds, and ``*`` for a significant difference from the control;
    the best score of a column is bold. Include the file with ``\input{report}`` after ``\usepackage{booktabs}``.
    """
    labels: dict[str, int] = {}
    blocks = ["% Needs \\usepackage{booktabs}. Written by `paralign report --latex`."]
    for table in page.tables:
        slug = re.sub(r"[^a-z0-9]+", "-", table.title.lower()).strip("-") or "table"
        labels[slug] = labels.get(slug, 0) + 1
        blocks.append("\n".join(_table(table, slug if labels[slug] == 1 else f"{slug}-{labels[slug]}")))
    return "\n\n".join(blocks) + "\n"


def _table(table: FormattedTable, label: str) -> Iterator[str]:
    # The change on the training language is a difference; its own column would be empty here.
    columns = [number for number, name in enumerate(table.columns) if not name.startswith("change on ")]
    yield r"\begin{table}"
    yield r"\centering"
    yield r"\begin{tabular}{l" + "r" * len(columns) + "}"
    yield r"\toprule"
    yield " & ".join(["system", *(_escape(table.columns[number]) for number in columns)]) + r" \\"
    yield r"\midrule"
    for row in table.rows:
        yield _row(row, columns)
    if table.baselines:
        yield r"\midrule"
        for row in table.baselines:
            yield _row(row, columns)
    yield r"\bottomrule"
    yield r"\end{tabular}"
    notes = " * marks significant differences from the control." if table.compared else ""
    yield rf"\caption{{{_escape(table.title)}. {_escape(table.caption)} {_escape(table.seeds)}{notes}}}"
    yield rf"\label{{tab:{label}}}"
    yield r"\end{table}"


def _row(row: FormattedRow, columns: list[int]) -> str:
    name = _escape(row.name)
    name = "{}" * name.startswith("[") + name  # after \\ of the row before, [...] would be its argument
    return " & ".join([name, *(_score(row.cells[number]) for number in columns)]) + r" \\"


def _score(cell: FormattedCell) -> str:
    text = _escape(cell.text + cell.dagger)
    text = rf"\textbf{{{text}}}" if cell.best and text else text
    spread = rf" {{\scriptsize {_escape(cell.spread)}}}" if cell.spread else ""
    return f"{text}{'$^{*}$' if cell.star else ''}{spread}"


def _escape(text: str) -> str:
    """Escape what LaTeX would read as a command, and join lines."""
    return "".join(_SPECIAL.get(character, character) for character in " ".join(text.split(" ")).replace("\n", " "))
