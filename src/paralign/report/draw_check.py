"""Tables of ``corpus check``: problems of training text, line by line and language by language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from paralign.report.figure import Figure, FigureSource, Point, ShadedTable, TableCell

__all__ = ["draw_check"]

Row = Mapping[str, Any]
_SECTION = "Text"
_COUNTS = ("empty", "identical", "nearly identical", "duplicates", "nearly duplicates", "uneven")
_LENGTHS = ("too short", "too long")
"""Counted only where a tokenizer was given."""
_PROBLEMS_SHOWN = 3
_LINES = (
    "Ratio: median length of the second side divided by that of the first, in characters. The other columns are"
    " percentages of lines; point at a cell for the count. Nearly: the same except for case, punctuation and spaces."
    " Uneven: more than {ratio:g} times the usual ratio, or less than the usual ratio divided by {ratio:g}. Training"
    " drops empty, identical, duplicate, too short and too long lines (data.*)."
)
_LANGUAGES = (
    "Another script: most words are in a script the language is not written in. Identified: share of samples of four"
    " sentences that py3langid identifies as the language; then the most frequent other"
    " language and its share."
)
_OVERLAP = (
    "Distinct test sentences that also occur in the training text, on either side. Short: fewer than {short} letters"
    " and digits; short sentences often occur by coincidence and are no problem."
)


def draw_check(source: FigureSource) -> list[Figure]:
    """Draw tables of the problems of each text, language and test file, and the lines concerned."""
    data = source.data
    problems = data["faults"]
    finding = " ".join(f"{problem}." for problem in problems[:_PROBLEMS_SHOWN]) or "No problems found."
    hidden = len(problems) - _PROBLEMS_SHOWN
    finding += f" And {hidden:,} more, under Warnings." * (hidden > 0)
    tokenized = any(text["too_long"] is not None for text in data["texts"])
    names = _COUNTS + _LENGTHS if tokenized else _COUNTS
    lines = ShadedTable(
        ["lines", "ratio", "unreadable", *names],
        [(text["name"], _line_cells(text, names)) for text in data["texts"]],
        _LINES.format(ratio=data["ratio"]),
    )
    points: list[Point] = [
        (text["name"], name, "lines", float(count), None, None)
        for text in data["texts"]
        for name, count in _counts(text, names)
        if count is not None
    ]
    columns = ["another script, %", "identified, %", "most frequent other, %", "pieces per word", "unknown, %"]
    sides = [
        (f"{text['name']}, {side['language']}", _side_cells(side, text))
        for text in data["texts"]
        for side in text["sides"]
    ]
    languages = ShadedTable(columns if tokenized else columns[:3], sides, _LANGUAGES)
    figures = [
        Figure(_SECTION, "Lines", tables=[lines], command=source.command, points=points, finding=finding),
        Figure(_SECTION, "Languages", tables=[languages]),
    ]
    if data["tests"]:
        columns = ["sentences", "in the text", "in the same spelling", "not short"]
        counts = ("sentences", "normalized", "exact", "long")
        rows = [(_short_path(test["source"]), [TableCell(f"{test[n]:,}") for n in counts]) for test in data["tests"]]
        table = ShadedTable(columns, rows, _OVERLAP.format(short=data["short"]))
        figures.append(Figure(_SECTION, "Train–test overlap", tables=[table]))
    return figures + list(_examples(data))


def _examples(data: Row) -> Iterator[Figure]:
    """Tables of lines a person should look at."""
    overlap = [(example["where"], [example["text"]]) for test in data["tests"] for example in test["examples"]]
    uneven = [(f"{t['where']}:{line['line']}", line["texts"]) for t in data["texts"] for line in t["uneven_lines"]]
    foreign = [
        (f"{text['where']}:{line['line']}", line["texts"])
        for text in data["texts"]
        for side in text["sides"]
        for line in side["foreign_lines"]
    ]
    for title, rows in (
        ("Test sentences in the text: the longest", overlap),
        ("Uneven pairs: the most uneven", uneven),
        ("Another script: the first lines", foreign),
    ):
        if rows:
            width = max(len(texts) for _, texts in rows)
            table_rows = [
                (_short_path(where), [TableCell(text) for text in texts] + [TableCell("")] * (width - len(texts)))
                for where, texts in rows
            ]
            columns = ["text"] if width == 1 else ["source", "target"]
            yield Figure(_SECTION, title, tables=[ShadedTable(columns, table_rows, kind="lines")])


def _short_path(where: str) -> str:
    """Return folder and name of a file."""
    return "/".join(where.replace("\\", "/").split("/")[-2:])


def _counts(text: Row, names: tuple[str, ...]) -> list[tuple[str, int | None]]:
    return [("unreadable", sum(text["dropped"].values())), *((name, text[name.replace(" ", "_")]) for name in names)]


def _line_cells(text: Row, names: tuple[str, ...]) -> list[TableCell]:
    ratio = "" if text["ratio"] is None else f"{text['ratio']:.2f}"
    shares = [_share(count, text["lines"], f"{text['name']}, {name}") for name, count in _counts(text, names)]
    return [TableCell(f"{text['lines']:,}"), TableCell(ratio), *shares]


def _side_cells(side: Row, text: Row) -> list[TableCell]:
    identified = side["identified"]
    other = "" if identified is None or not identified["other"] else identified["other"]
    cells = [
        _share(side["foreign"], text["lines"], "another script"),
        TableCell("" if identified is None else f"{100 * identified['own']:.0f}"),
        TableCell(f"{other} {100 * identified['share']:.1f}" if other else ""),
    ]
    if side["words"]:
        cells.append(TableCell(f"{side['pieces'] / side['words']:.2f}"))
        cells.append(TableCell(f"{100 * side['unknown'] / max(1, side['pieces']):.2f}"))
    return cells


def _share(count: int | None, lines: int, label: str) -> TableCell:
    if count is None:
        return TableCell("")
    share = 100 * count / max(1, lines)
    return TableCell(f"{share:.0f}" if share >= 10 else f"{share:.2g}", "", f"{label}: {count:,}")
