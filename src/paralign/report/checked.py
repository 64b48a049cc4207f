"""Tables of what ``corpus check`` found in text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from paralign.report.plate import Grid, Number, Plate, Square
from paralign.report.runs import Run

__all__ = ["check_plates"]

Row = Mapping[str, Any]
_COUNTS = (
    "empty",
    "identical",
    "nearly identical",
    "duplicates",
    "nearly duplicates",
    "uneven",
    "too short",
    "too long",
)
_TOLD = 3
_LINES = (
    "Ratio: usual length of the second side over the first, in characters. The others are per cent of lines; counts"
    " when one hovers. Nearly: the same but for case, punctuation and spaces. Uneven: {ratio:g} times the usual ratio,"
    " or less than one part in as many. Training drops by itself what is empty, identical, a duplicate, too short or"
    " too long (data.*)."
)
_SIDES = (
    "Another script: most words in a script the language is not written in. Identified: share of samples of four"
    " sentences that py3langid takes for the language, and what it takes most of the others for."
)
_TESTS = (
    "Different test sentences that stand in the training text, on either side. Short: less than {short} letters and"
    " digits; they are likely to be said twice, and are no fault."
)


def check_plates(runs: Sequence[Run]) -> list[Plate]:
    """What was found in each text, in each language, of each test file; and the lines themselves."""
    out = []
    for run in runs:
        for found in run.figures("check"):
            out += _plates(run, found)
    return out


def _plates(run: Run, found: Row) -> list[Plate]:
    texts, command = found["texts"], run.info.command or ""
    faults = found["faults"]
    finding = " ".join(f"{fault}." for fault in faults[:_TOLD]) or "No fault found."
    finding += f" And {len(faults) - _TOLD:,} more, under Warnings." * (len(faults) > _TOLD)
    cut = any(text["too_long"] is not None for text in texts)
    names = _COUNTS if cut else _COUNTS[:-2]
    counts: list[tuple[str, list[Square]]] = []
    numbers: list[Number] = []
    for text in texts:
        row = [Square(f"{text['lines']:,}")]
        for name, value in [("unreadable", sum(text["dropped"].values())),
                            *((name, text[name.replace(" ", "_")]) for name in names)]:  # fmt: skip
            row.append(_share(value, text["lines"], f"{text['name']}, {name}"))
            if value is not None:
                numbers.append((text["name"], name, "lines", float(value), None, None))
        row.insert(1, Square("" if text["ratio"] is None else f"{text['ratio']:.2f}"))
        counts.append((text["name"], row))
    lines = Grid(["lines", "ratio", "unreadable", *names], counts, _LINES.format(ratio=found["ratio"]))
    sides = [(f"{text['name']}, {side['language']}", _side(side, text)) for text in texts for side in text["sides"]]
    heads = ["another script, %", "identified, %", "most of the others, %", "pieces a word", "unknown, %"][
        : 5 if cut else 3
    ]
    plates = [
        Plate("Text", "Lines", grids=[lines], command=command, numbers=numbers, finding=finding),
        Plate("Text", "Languages", grids=[Grid(heads, sides, _SIDES)]),
    ]
    if found["tests"]:
        rows = [(_short(told["source"]), _test(told)) for told in found["tests"]]
        heads = ["sentences", "in the text", "in the same spelling", "not short"]
        plates.append(Plate("Text", "Test sentences in it",
                            grids=[Grid(heads, rows, _TESTS.format(short=found["short"]))]))  # fmt: skip
    plates += _shown(found)
    return plates


def _shown(found: Row) -> list[Plate]:
    """Lines a person should look at."""
    plates = []
    for title, rows in (
        ("Test sentences in it, the longest", [(one["where"], [one["text"]]) for told in found["tests"]
                                       for one in told["examples"]]),
        ("Uneven pairs, the most", [(f"{text['where']}:{odd['line']}", odd["texts"]) for text in found["texts"]
                                    for odd in text["uneven_lines"]]),
        ("Another script, the first", [(f"{text['where']}:{odd['line']}", odd["texts"]) for text in found["texts"]
                                       for side in text["sides"] for odd in side["foreign_lines"]]),
    ):  # fmt: skip
        if rows:
            width = max(len(texts) for _, texts in rows)
            heads = ["text"] if width == 1 else ["source", "target"]
            made = [(_short(where), [Square(text) for text in texts] + [Square("")] * (width - len(texts)))
                    for where, texts in rows]  # fmt: skip
            plates.append(Plate("Text", title, grids=[Grid(heads, made, kind="lines")]))
    return plates


def _short(where: str) -> str:
    """The end of a path says which file it is."""
    return "/".join(where.replace("\\", "/").split("/")[-2:])


def _side(side: Row, text: Row) -> list[Square]:
    known = side["identified"]
    row = [
        _share(side["foreign"], text["lines"], "another script"),
        Square("" if known is None else f"{100 * known['own']:.0f}"),
        Square("" if known is None or not known["other"] else f"{known['other']} {100 * known['share']:.1f}"),
    ]
    if side["words"]:
        row.append(Square(f"{side['pieces'] / side['words']:.2f}"))
        row.append(Square(f"{100 * side['unknown'] / max(1, side['pieces']):.2f}"))
    return row


def _test(told: Row) -> list[Square]:
    return [Square(f"{told[name]:,}") for name in ("sentences", "normalised", "exact", "long")]


def _share(count: int | None, lines: int, said: str) -> Square:
    if count is None:
        return Square("")
    return Square(f"{100 * count / max(1, lines):.2g}", "", f"{said}: {count:,}")
