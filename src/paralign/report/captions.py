"""What stands below a table: its data, directions, languages and seeds."""

from __future__ import annotations

from paralign.report.cells import describe_seeds
from paralign.report.keys import opposite
from paralign.report.tables import Table
from paralign.report.wording import count, is_share, listing, shortened

__all__ = ["caption", "seeds"]

_MANY = 6
"""More systems than these, alike in their seeds, are "all others"."""


def caption(table: Table) -> str:
    """``Per cent; 1,000 test items a language; data: pud (test); average over de and fr.``"""
    parts = ["Per cent" if is_share(table.key.metric) else ""]
    sizes = sorted({cell.n_items for row in table.rows for cell in row.cells.values() if cell.n_items})
    if sizes:
        span = count(sizes[0]) if len(sizes) == 1 else f"{count(sizes[0])} to {count(sizes[-1])}"
        parts.append(f"{span} test items a language")
    parts.append(f"data: {shortened(table.datasets)} ({table.key.split})")
    parts.append(_directions(table))
    if len(table.others) > 1:
        parts.append(f"average over {listing(table.others)}")
    if table.key.lower_is_better:
        parts.append("lower is better")
    text = "; ".join(part for part in parts if part) + "."
    return text[0].upper() + text[1:]


def seeds(table: Table) -> str:
    """What ``n`` is, systems of equal seeds together."""
    told: dict[str, list[str]] = {}
    for row in table.rows:
        known = describe_seeds([one for one, _ in row.units])
        told.setdefault(f"n = {len(row.units)}, {known}", []).append(row.system)
    if len(told) == 1:
        return f"Each system: {next(iter(told))}."
    if len(most := max(told.values(), key=len)) > _MANY:
        (text,) = (text for text, systems in told.items() if systems is most)
        del told[text]
        told[text] = ["All others"]
    return " ".join(f"{listing(systems)}: {text}." for text, systems in told.items())


def _directions(table: Table) -> str:
    """``mean of both directions``, ``from en``, ``questions in en``."""
    found = {(language, name) for row in table.rows for language, cell in row.cells.items() for name in cell.directions}
    others = sorted({opposite(name, language) for language, name in found})
    if not others:
        return ""
    named = listing(others)
    if table.key.task == "qa":
        return f"questions in {named}, texts in the language of the column"
    if table.averages_directions:
        both = all(len(cell.directions) > 1 for row in table.rows for cell in row.cells.values())
        return f"mean of both directions{'' if both else ' where both were measured'}"
    if all(name == f"{opposite(name, language)}-{language}" for language, name in found):
        return f"from {named}"
    return f"into {named}" if all(name.startswith(f"{language}-") for language, name in found) else ""
