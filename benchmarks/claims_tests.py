"""Differences of systems over test items and seeds, from rows of the claims.

Intervals and p values are those of paralign's reports (:func:`paralign.metrics.compare_over_seeds`): over test items,
which are the same for both systems and all seeds in each resample, and over seeds, paired, with Student's distribution.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from claims_rows import items_of

from paralign.metrics.bootstrap import Comparison, Resampled, compare_resampled, resample
from paralign.metrics.correlation import spearman, spearman_interval
from paralign.metrics.significance import compare_over_seeds
from paralign.task_table import metric_without_conditions

Row = Mapping[str, Any]
SOURCE = "en"


class NotTested(Exception):
    """Why a comparison is not tested."""


@dataclass(frozen=True)
class Quantity:
    """A score, a mean of scores or a difference of them: on resamples of the test items, and by seed."""

    resampled: Resampled
    by_seed: Mapping[int, float]

    def __sub__(self, other: Quantity) -> Quantity:
        a, b = self.resampled, other.resampled
        resampled = Resampled(a.score - b.score, a.resamples - b.resamples, min(a.items, b.items))
        return Quantity(resampled, {seed: value - other.by_seed[seed] for seed, value in self.by_seed.items()})


def mean(quantities: Sequence[Quantity]) -> Quantity:
    """Return the mean of quantities of the same seeds."""
    resampled = Resampled.mean([quantity.resampled for quantity in quantities])
    seeds = quantities[0].by_seed
    return Quantity(resampled, {s: math.fsum(q.by_seed[s] for q in quantities) / len(quantities) for s in seeds})


def compare(treated: Quantity, control: Quantity, margin: float = 0.0) -> Comparison:
    """Compare two quantities over items and seeds; ``p`` tests whether the difference is ``-margin``."""
    difference, nothing = treated - control, control - control
    over_items = compare_resampled([(_same_size(difference), _same_size(nothing))])
    found = compare_over_seeds(
        replace(over_items, items=difference.resampled.items), difference.by_seed, nothing.by_seed
    )
    if not margin:
        return found
    shift = Quantity(
        replace(nothing.resampled, score=-margin, resamples=nothing.resampled.resamples - margin),
        dict.fromkeys(nothing.by_seed, -margin),
    )
    return replace(found, p=compare(difference, shift).p)


def _same_size(quantity: Quantity) -> Resampled:
    """Means over test sets of several sizes are compared by resample: their numbers of items say nothing."""
    return replace(quantity.resampled, items=0)


def holm(p: Sequence[float], alpha: float) -> tuple[list[float], list[float]]:
    """Return the level at which each hypothesis is decided, and the adjusted p values (Holm 1979).

    After the first hypothesis that is not rejected, in the order of p, the level stays as it is.

    >>> holm([0.04, 0.01, 0.03], 0.06)
    ([0.06, 0.02, 0.03], [0.06, 0.03, 0.06])
    """
    order = sorted(range(len(p)), key=lambda k: p[k])
    levels, adjusted = [0.0] * len(p), [0.0] * len(p)
    level, largest, rejecting = 0.0, 0.0, True
    for rank, k in enumerate(order):
        if rejecting:
            level = alpha / (len(p) - rank)
        levels[k] = level
        rejecting = rejecting and p[k] <= level
        largest = adjusted[k] = max(largest, min(1.0, (len(p) - rank) * p[k]))
    return levels, adjusted


def of_task(value: Any, task: str) -> Any:
    """Return the value of a key of a claim that may be a table by task."""
    return value[task] if isinstance(value, Mapping) else value


class Rows:
    """Rows of one base.

    Args:
        rows: the rows. Where the seeds of alignment and fine-tuning differ, they are left out.
        rules: the table ``[test]`` of claims.toml.
    """

    def __init__(self, rows: Iterable[Row], rules: Mapping[str, Any]) -> None:
        self.rules = rules
        self._rows = [row for row in rows if row.get("align_seed", row["seed"]) == row["seed"]]

    def tests(self, system: str, task: str, language: str, claim: Mapping[str, Any]) -> dict[str, dict[int, Row]]:
        """Return the rows of a system that a claim is about, by test set and seed."""
        metric, dataset = of_task(claim["metric"], task), claim.get("dataset", "").lower()
        found: dict[str, dict[int, Row]] = defaultdict(dict)
        for row in self._rows:
            if (
                (row["system"], row["task"], row["language"]) == (system, task, language)
                and metric in (row["metric"], metric_without_conditions(row["metric"]))
                and ("training" in claim or row.get("train", SOURCE) == SOURCE)
                and dataset in row["dataset"].lower()
            ):
                found[f"{row['dataset']} {row['metric']} {row.get('where', {})}"][row["seed"]] = row
        return found

    def scores(
        self,
        systems: Sequence[str],
        languages: Mapping[str, Sequence[str]],
        claim: Mapping[str, Any],
    ) -> tuple[dict[tuple[str, str, str], Quantity], list[Row]]:
        """Return the scores of systems over the seeds that all of them have, and the rows that were used.

        Args:
            systems: names of the systems.
            languages: languages of each task.
            claim: the claim.

        Returns:
            by system, task and language the mean over the test sets of that language; and the rows.

        Raises:
            NotTested: if something is missing, or is not the same for all systems.
        """
        places = [(task, tag) for task, tags in languages.items() for tag in tags]
        tables = {(system, *place): self.tests(system, *place, claim) for place in places for system in systems}
        missing = [place for place, table in tables.items() if not table]
        if missing:
            names, of, tags = (", ".join(dict.fromkeys(part)) for part in zip(*missing, strict=True))
            raise NotTested(f"no rows of {names} on {of} in {tags}")
        for (system, task, tag), table in tables.items():
            others = tables[systems[0], task, tag]
            if {name: _items_key(rows) for name, rows in table.items()} != {
                n: _items_key(r) for n, r in others.items()
            }:
                raise NotTested(f"test sets of {system} and {systems[0]} differ on {task} in {tag}")
        by_test = [by_seed for table in tables.values() for by_seed in table.values()]
        seeds = sorted(set.intersection(*(set(by_seed) for by_seed in by_test)))
        if len(seeds) < self.rules["min_seeds"]:
            raise NotTested(f"{len(seeds)} of the required {self.rules['min_seeds']} seeds")
        used = [by_seed[seed] for by_seed in by_test for seed in seeds]
        pairs = sorted({row["pairs"] for row in used if "pairs" in row})
        if len(pairs) > 1 and "pairs" not in claim:
            raise NotTested(f"unequal numbers of pairs: {' and '.join(f'{number:,}' for number in pairs)}")
        quantities = iter(self._quantities(by_test, seeds))  # in the order of the tables
        return {place: mean([next(quantities) for _ in table]) for place, table in tables.items()}, used

    def _quantities(self, by_test: Sequence[Mapping[int, Row]], seeds: Sequence[int]) -> list[Quantity]:
        """Return the scores of the rows of several test sets and systems, all on the same resamples."""
        tables = []
        for by_seed in by_test:
            items = [table for seed in seeds if (table := items_of(by_seed[seed])) is not None]
            if len(items) < len(seeds):
                raise NotTested("rows without items")
            if len(items[0]) < self.rules["min_items"]:
                raise NotTested(f"{len(items[0])} of the required {self.rules['min_items']} test items")
            tables.append(np.stack(items))
        found = []
        for by_seed, resampled in zip(by_test, resample(tables, self.rules["resamples"]), strict=True):
            assert resampled is not None
            found.append(Quantity(resampled, {seed: by_seed[seed]["value"] for seed in seeds}))
        return found

    def correlation(self, tasks: Sequence[str], claim: Mapping[str, Any]) -> tuple[Comparison, list[Row]]:
        """Return Spearman's correlation of two measures over encoders and languages, and the rows that were used.

        A measure is the mean over its rows: over layers of CKA, directions of retrieval, seeds of fine-tuning. Points
        that share an encoder are resampled together, and so are those that share a language if the claim says so.

        Raises:
            NotTested: if there are too few points.
        """
        found: list[dict[tuple[str, str], list[Row]]] = []
        for task in tasks:
            found.append(defaultdict(list))
            metric = "cka" if task == "similarity" else None
            for row in self._rows:
                zero_shot = row["language"] != SOURCE and row.get("train", SOURCE) == SOURCE
                if row["system"].endswith(" reset"):  # the row names the encoder before layers were reinitialized
                    continue
                if row["task"] == task and zero_shot and metric in (None, row["metric"]):
                    found[-1][row["model"], row["language"]].append(row)
        points = sorted(found[0].keys() & found[1].keys())
        values = [[np.mean([row["value"] for row in side[point]]) for point in points] for side in found]
        groups = [[model for model, _ in points]]
        groups += [[tag for _, tag in points]] if "languages" in claim["units"] else []

        def interval(level: float) -> tuple[float, float]:
            return spearman_interval(*values, groups=groups, level=level, resamples=self.rules["resamples"])

        low, high = interval(self.rules["level"])
        if math.isnan(low):
            raise NotTested(f"{len(points)} points with both measures, too few for an interval")
        excluding, including = 0.0, 1.0
        for _ in range(11):  # the widest interval that excludes zero
            level = (excluding + including) / 2
            bounds = interval(level)
            excludes = bounds[0] > 0 or bounds[1] < 0
            excluding, including = (level, including) if excludes else (excluding, level)
        encoders = len(set(groups[0]))
        p = max(1 - excluding, 2 / (1 + self.rules["resamples"]))  # resamples cannot show a smaller one
        compared = Comparison(float(spearman(*values)), low, high, p, len(points), encoders)
        return compared, [row for side in found for point in points for row in side[point]]

    def layers(self, task: str, languages: Sequence[str]) -> tuple[dict[int, tuple[float, float, float]], list[Row]]:
        """Return CKA and its interval by layer, means over languages, of the base or of what fine-tuning changed.

        Ends of intervals are averaged, as if the errors of all languages were the same: too wide if they are not.

        Raises:
            NotTested: if a language or an interval is missing.
        """
        rows = [
            row
            for row in self._rows
            if (row["task"], row["metric"]) == (task, "cka")
            and row["language"] in languages
            and (row["system"] == "base" if task == "similarity" else "fine-tuned for" in row["system"])
        ]
        missing = set(languages) - {row["language"] for row in rows}
        if missing:
            raise NotTested(f"no rows of {task} in {', '.join(sorted(missing))}")
        if any("interval" not in row for row in rows):
            raise NotTested(f"no intervals of {task}")
        by_layer: dict[int, list[tuple[float, float, float]]] = defaultdict(list)
        for row in rows:
            by_layer[row["where"]["layer"]].append((row["value"], *row["interval"]))
        return {layer: tuple(np.mean(by_layer[layer], axis=0)) for layer in sorted(by_layer)}, rows


def _items_key(by_seed: Mapping[int, Row]) -> set[tuple[Any, ...]]:
    """Return what is equal for rows of the same test items."""
    return {(row.get("data"), row["n"]) for row in by_seed.values()}
