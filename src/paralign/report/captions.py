"""Captions of tables: data, directions, languages and seeds."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from paralign.report.number_format import format_range, join_names, shorten_list
from paralign.report.tables import Table
from paralign.report.titles import choice_title, dataset_title
from paralign.results import Seeds, other_language

__all__ = ["choices_caption", "seeds_caption", "table_caption"]

_MAX_NAMED = 6
"""More systems with equal seeds are called "all others"."""
_STAGES = (("finetune", "fine-tuning"), ("align", "alignment"), ("pretrain", "pretraining"))


def table_caption(table: Table) -> str:
    """``Percent; 1,000 test items per language; data: PUD test; average over de and fr.``"""
    key = table.key
    parts = ["Percent" if key.is_percentage else "Correlation × 100" if key.scaled else ""]
    cells = [cell for row in table.rows for cell in row.cells.values()]
    sizes = sorted({cell.n_items for cell in cells if cell.n_items})
    if sizes:
        parts.append(f"{format_range(sizes)} test items per language")
    parts.append(f"data: {shorten_list([dataset_title(name, key.split) for name in table.datasets])}")
    parts.append(_directions(table))
    if len(table.others) > 1:
        parts.append(f"average over {join_names(table.others)}")
    if key.lower_is_better:
        compared = any(cell.difference is not None for cell in cells)
        parts.append("lower is better" + ("; differences are reductions: + is better" if compared else ""))
    if any(cell.interval for cell in cells):
        parts.append("in parentheses, 95 % intervals of scores over test items and, with several seeds, over seeds")
    text = "; ".join(part for part in parts if part) + "."
    return text[0].upper() + text[1:]


def choices_caption(table: Table) -> str:
    """Return the layer and pooling of each system; empty if they were not chosen on development data."""
    systems: dict[str, list[str]] = {}
    for row in table.rows:
        titles = Counter(choice_title(*choice) for choice in row.choices)
        named = [f"{title} ({n} seeds)" if len(titles) > 1 else title for title, n in titles.most_common()]
        if named:
            systems.setdefault(" or ".join(named), []).append(row.system)
    if not systems:
        return ""
    listed = "; ".join(f"{join_names(names)}: {choice}" for choice, names in systems.items())
    return f"Layer and pooling of each system are those with the best score on development data. {listed}."


def seeds_caption(table: Table) -> str:
    """Return what ``n`` counts, for systems with equal seeds together, and which cells have fewer seeds."""
    systems: dict[str, list[str]] = {}
    for row in table.rows:
        seeds = _describe_seeds([seeds for seeds, _ in row.units])
        systems.setdefault(f"n = {len(row.units)}, {seeds}", []).append(row.system)
    if len(systems) == 1:
        return f"Each system: {next(iter(systems))}.{_fewer_seeds(table)}"
    text, names = max(systems.items(), key=lambda item: len(item[1]))
    if len(names) > _MAX_NAMED:
        del systems[text]
        systems[text] = ["All others"]
    return " ".join(f"{join_names(names)}: {text}." for text, names in systems.items()) + _fewer_seeds(table)


def _fewer_seeds(table: Table) -> str:
    """`` PPA on es: n = 2.``: cells without some of the seeds of their row; empty if there are none."""
    fewer: dict[tuple[str, int], list[str]] = {}
    for row in table.rows:
        for language in table.languages:
            n = len(row.cells[language].scores) if language in row.cells else 0
            if 0 < n < len(row.units):
                fewer.setdefault((row.system, n), []).append(language)
    if not fewer:
        return ""
    cells = [
        f"{system} on {join_names(names) if len(names) <= _MAX_NAMED else f'{len(names)} languages'}: n = {n}"
        for (system, n), names in fewer.items()
    ]
    averaged = len(table.others) > 1 and any(not {*table.others}.isdisjoint(names) for names in fewer.values())
    average = " The average is over the scores shown; its ± and interval are over the seeds with all its languages."
    return f" {shorten_list(cells)}.{average * averaged}"


def _describe_seeds(seeds: Sequence[Seeds]) -> str:
    """``3 fine-tuning seeds (0, 1, 2) × 1 alignment seed (7)`` if every combination was run, otherwise
    ``fine-tuning and alignment seeds 0, 1, 2``."""
    stages = [(word, sorted({getattr(s, stage) for s in seeds} - {None})) for stage, word in _STAGES]
    stages = [(word, values) for word, values in stages if values]
    if len(stages) < 2 or len(seeds) == math.prod(len(values) for _, values in stages):
        parts = [
            f"{len(values)} {word} seed{'s' * (len(values) > 1)} ({', '.join(map(str, values))})"
            for word, values in stages
        ]
        return " × ".join(parts) or "seeds not recorded"
    words: dict[str, list[str]] = {}
    for word, values in stages:
        words.setdefault(f"seed{'s' * (len(values) > 1)} {', '.join(map(str, values))}", []).append(word)
    return " and ".join(f"{join_names(names)} {values}" for values, names in words.items())


def _directions(table: Table) -> str:
    """``mean of both directions``, ``from en``, ``questions in en``."""
    measured = {
        (language, name) for row in table.rows for language, cell in row.cells.items() for name in cell.directions
    }
    others = sorted({other_language(name, language) for language, name in measured})
    if not others:
        return ""
    names = join_names(others)
    if table.key.task == "qa":
        return f"questions in {names}, texts in the language of the column"
    if table.averages_directions:
        both = all(len(cell.directions) > 1 for row in table.rows for cell in row.cells.values())
        return f"mean of both directions{'' if both else ' where both were measured'}"
    if all(name == f"{other_language(name, language)}-{language}" for language, name in measured):
        return f"from {names}"
    return f"into {names}" if all(name.startswith(f"{language}-") for language, name in measured) else ""
