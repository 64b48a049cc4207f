"""The tables of the page as LaTeX, for a paper."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from paralign.report.formatted_table import FormattedCell, FormattedRow, FormattedTable
from paralign.report.page import DAGGER_LEGEND, SPREAD_LEGEND, STAR_LEGEND, Page

__all__ = ["latex"]

_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "%": r"\%", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "−": "$-$", "×": r"$\times$",
    "†": r"$^\dagger$", "→": r"$\rightarrow$", "–": "--", "\N{NO-BREAK SPACE}": "~", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}",
}  # fmt: skip
_CHANGE = "change on "


def latex(page: Page) -> str:
    r"""Return all tables of the page, each a ``table`` with the rules of the package booktabs.

    Cells have the score, its standard deviation over seeds, ``*`` for a significant difference from the control, and
    ``†`` for a score that is not better than a baseline; the best score of a column is bold. The caption has the notes
    on the table. Include the file with ``\input{report}`` after ``\usepackage{booktabs}``.
    """
    labels: dict[str, int] = {}
    blocks = ["% Needs \\usepackage{booktabs}. Written by `paralign report --latex`."]
    for table in page.tables:
        slug = re.sub(r"[^a-z0-9]+", "-", table.title.lower()).strip("-") or "table"
        labels[slug] = labels.get(slug, 0) + 1
        blocks.append("\n".join(_table(table, slug if labels[slug] == 1 else f"{slug}-{labels[slug]}")))
    return "\n\n".join(blocks) + "\n"


def _table(table: FormattedTable, label: str) -> Iterator[str]:
    # The change on the training language is a difference; its own column would have only marks here. Those are moved to
    # the scores of that language.
    changes = {name.removeprefix(_CHANGE): k for k, name in enumerate(table.columns) if name.startswith(_CHANGE)}
    columns = [(k, changes.get(name, k)) for k, name in enumerate(table.columns) if not name.startswith(_CHANGE)]
    yield r"\begin{table}"
    yield r"\centering"
    yield r"\begin{tabular}{l" + "r" * len(columns) + "}"
    yield r"\toprule"
    yield " & ".join(["system", *(_escape(table.columns[number]) for number, _ in columns)]) + r" \\"
    yield r"\midrule"
    for row in table.rows:
        yield _row(row, columns)
    if table.baselines:
        yield r"\midrule"
        for row in table.baselines:
            yield _row(row, columns)
    yield r"\bottomrule"
    yield r"\end{tabular}"
    cells = [cell for row in table.rows for cell in row.cells]
    legends = [SPREAD_LEGEND] * any("±" in cell.spread for cell in cells)
    legends += [STAR_LEGEND] * any(cell.star for cell in cells)
    legends += [DAGGER_LEGEND] * any(cell.unbeaten for cell in cells)
    caption = " ".join(filter(None, (f"{table.title}.", table.caption, table.seeds, *table.notes, *legends)))
    yield rf"\caption{{{_escape(caption)}}}"
    yield rf"\label{{tab:{label}}}"
    yield r"\end{table}"


def _row(row: FormattedRow, columns: Sequence[tuple[int, int]]) -> str:
    """Return a row: of each column, the cell with the score and the cell with the mark."""
    name = _escape(row.name)
    name = "{}" * name.lstrip().startswith(("[", "*")) + name  # after \\ of the row before, they would be its arguments
    return " & ".join([name, *(_score(row.cells[score], row.cells[mark].star) for score, mark in columns)]) + r" \\"


def _score(cell: FormattedCell, star: str) -> str:
    text = _escape(cell.text + cell.dagger)
    text = rf"\textbf{{{text}}}" if cell.best and text else text
    spread = rf" {{\scriptsize {_escape(cell.spread)}}}" if cell.spread else ""
    return f"{text}{'$^{*}$' if star else ''}{spread}"


def _escape(text: str) -> str:
    """Escape what LaTeX would read as a command, and join lines."""
    return "".join(_SPECIAL.get(character, character) for character in text.replace("\n", " "))
