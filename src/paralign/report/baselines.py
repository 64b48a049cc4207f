"""What knowing nothing scores, shown below the systems."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from paralign.report.cells import Cell

__all__ = ["Baseline", "gather_baselines", "unbeaten"]

_FIRST = ("chance", "majority")
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Baseline:
    """A line of a table that is no system."""

    name: str
    values: dict[str, float]
    """Language → score, where all systems agree on it."""
    average: float | None
    """Mean over the languages of the systems' average; ``None`` if it is not known on all of them."""


def gather_baselines(rows: Sequence[Mapping[str, Cell]], others: Sequence[str], notes: list[str]) -> list[Baseline]:
    """The baselines that the rows of a table tell, chance first.

    Where systems disagree on one, they were measured on other data: it is left out, and told in ``notes``.

    Args:
        rows: cells by language of each system.
        others: the languages averaged over.
        notes: of the table.
    """
    found: dict[str, dict[str, list[float]]] = {}
    for cells in rows:
        for language, cell in cells.items():
            for name, value in cell.baselines.items():
                found.setdefault(name, {}).setdefault(language, []).append(value)
    out = []
    for name in sorted(found, key=lambda name: (_FIRST.index(name) if name in _FIRST else len(_FIRST), name)):
        agreed = {
            language: values[0] for language, values in found[name].items() if max(values) - min(values) <= _TOLERANCE
        }
        torn = sorted(found[name].keys() - agreed.keys())
        if torn:
            notes.append(
                f"The baseline {name!r} is not shown on {', '.join(torn)}: systems differ in it, so they were"
                " measured on other data."
            )
        values = [agreed[language] for language in others if language in agreed]
        whole = bool(others) and len(values) == len(others)
        out.append(Baseline(name, agreed, math.fsum(values) / len(values) if whole else None))
    return out


def unbeaten(score: float | None, baselines: Iterable[tuple[str, float]], lower: bool) -> list[tuple[str, float]]:
    """The baselines that a score is not better than, hardest first.

    Args:
        score: of a system.
        baselines: names and values.
        lower: whether small numbers are good.
    """
    if score is None or not math.isfinite(score):
        return []
    sign = -1 if lower else 1
    found = [pair for pair in baselines if sign * (score - pair[1]) <= _TOLERANCE]
    return sorted(found, key=lambda pair: (-sign * pair[1], pair[0]))
