"""Scores that need no model, such as chance and majority class, shown below the systems."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from paralign.report.cells import Cell

__all__ = ["Baseline", "collect_baselines"]

_FIRST = ("chance", "majority")
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Baseline:
    """A row of a table that is no system."""

    name: str
    values: dict[str, float]
    """Language -> score, where all systems record the same."""
    average: float | None
    """Mean over the languages of the systems' average; ``None`` if one of them is unknown."""


def collect_baselines(rows: Sequence[Mapping[str, Cell]], others: Sequence[str], notes: list[str]) -> list[Baseline]:
    """Return the baselines that the rows of a table record, chance first.

    Systems with different values of a baseline were measured on different data, or choose from different labels: the
    value is left out, with a note.

    Args:
        rows: the cells of each system, by language.
        others: the languages of the average.
        notes: collects the notes of the table.
    """
    recorded: dict[str, dict[str, list[float]]] = {}
    for cells in rows:
        for language, cell in cells.items():
            for name, value in cell.baselines.items():
                recorded.setdefault(name, {}).setdefault(language, []).append(value)
    baselines = []
    for name in sorted(recorded, key=lambda name: (_FIRST.index(name) if name in _FIRST else len(_FIRST), name)):
        agreed = {
            language: values[0]
            for language, values in recorded[name].items()
            if max(values) - min(values) <= _TOLERANCE
        }
        different: dict[str, list[str]] = {}
        for language in sorted(recorded[name].keys() - agreed.keys()):
            measured = [cells[language] for cells in rows if language in cells]
            reason = _reason([cell for cell in measured if name in cell.baselines])
            different.setdefault(reason, []).append(language)
        for reason, languages in different.items():
            notes.append(
                f"The baseline {name!r} is not shown for {', '.join(languages)}: it differs between systems, {reason}."
            )
        values = [agreed[language] for language in others if language in agreed]
        complete = bool(others) and len(values) == len(others)
        baselines.append(Baseline(name, agreed, math.fsum(values) / len(values) if complete else None))
    return baselines


def _reason(cells: Sequence[Cell]) -> str:
    """Return why a baseline of systems differs, as far as their rows record what they were measured on."""
    if len({(cell.data, cell.gold) for cell in cells}) > 1:
        return "so they were measured on different data"
    return "so their heads have different labels"
