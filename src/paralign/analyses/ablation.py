"""Layer ablation: scores with some layers reinitialized before fine-tuning, compared with none (Muller et al. 2021).

If transfer needs a layer, reinitializing it costs the target languages more than the source.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from paralign.analyses.base import AnalysisResult
from paralign.errors import UserError
from paralign.metrics import Comparison, compare_over_seeds, mean_sd, paired_bootstrap_mean
from paralign.results import Measurement, natural_sort_key, read_items
from paralign.systems import check_training_data
from paralign.task_table import HEAD_OUTPUTS, metric_without_conditions, task_info

__all__ = ["AblationCell", "ablation_cells", "ablation_result"]


@dataclass(frozen=True)
class AblationCell:
    """One encoder, task, source and target, with some layers reinitialized or none.

    If there are several targets other than the source, there are also cells for their mean.

    Attributes:
        task: the task.
        metric: its metric.
        dataset: the test set.
        system: name of the encoder before fine-tuning.
        model_hash: its fingerprint.
        source: training language.
        target: language of the test set, ``en-de`` for German contexts with English questions; ``mean`` for the mean of
            several.
        reset: reinitialized layers, as the user wrote them; empty for none.
        score: mean over fine-tuning seeds.
        sd: their sample standard deviation; NaN for one seed.
        seeds: number of fine-tuning seeds.
        difference: change from the mean without a reset, over the seeds that both have; NaN if there is none.
        low: lower end of its 95 % interval over test items (paired bootstrap) and, with two or more seeds, over seeds
            (:func:`paralign.metrics.compare_over_seeds`).
        high: upper end.
        spread: standard deviation of the difference over seeds; NaN for fewer than two.
        targets: number of test sets; 1 except for the mean.
        items: number of test items of the interval, of the smallest test set for the mean; 0 without an interval.
        lower_is_better: whether the scores are errors; a positive difference is then a loss.
    """

    task: str
    metric: str
    dataset: str
    system: str
    model_hash: str
    source: str
    target: str
    reset: str
    score: float
    sd: float
    seeds: int
    difference: float
    low: float
    high: float
    spread: float
    targets: int = 1
    items: int = 0
    lower_is_better: bool = False


_Runs = list[tuple[Path, Measurement]]
_BySeed = dict[int | None, tuple[Path, Measurement]]
"""For one test set: fine-tuning seed -> folder of the run and its measurement."""
_ByReset = dict[str, _BySeed]
"""Reinitialized layers -> their runs."""


def ablation_cells(rows: Iterable[tuple[Path, Measurement]]) -> tuple[list[AblationCell], list[str]]:
    """Return all cells in the results of fine-tunings, each compared with the one without a reset.

    Args:
        rows: measurements with the folder of their run. For each task only the metric of the first row counts.

    Returns:
        the cells in the order of the rows, and notes on what could not be compared. The cells of an encoder and source
        are followed by the mean of its targets, if there are two or more with the same resets and seeds.

    Raises:
        UserError: if runs of one encoder and source have equal settings but training data of other content.
    """
    cells, notes = [], []
    for (task, metric, system, model_hash, source, _), by_target in _group_rows(rows).items():
        ablated = {target: resets for target, resets in by_target.items() if set(resets) != {""}}
        sets = [(*target, [resets]) for target, resets in ablated.items()]
        others = [resets for (target, _), resets in ablated.items() if target != source]
        if len(others) > 1 and all(_seeds(resets) == _seeds(others[0]) for resets in others):
            datasets = {dataset for target, dataset in ablated if target != source}
            sets.append(("mean", ", ".join(sorted(datasets)), others))
        for target, dataset, test_sets in sets:
            label = f"{task}, {system}, {source} to {target} ({dataset})"
            without_reset = [resets.get("", {}) for resets in test_sets]
            if not all(without_reset):
                notes.append(f"{label}: nothing to compare with, no run without a reset")
            _, first = next(iter(next(iter(test_sets[0].values())).values()))
            errors = metric in task_info(task, first.settings).lower_is_better
            for reset in sorted(test_sets[0], key=lambda name: (name != "", natural_sort_key(name))):
                reference: list[_BySeed] = without_reset if reset else [{} for _ in test_sets]
                scores, items, note = _compare([resets[reset] for resets in test_sets], reference)
                notes += [f"{label}, {reset}: no interval, {note}"] if note else []
                names = (task, first.metric, dataset, system, model_hash, source, target, reset)
                cells.append(AblationCell(*names, *scores, len(test_sets), items, errors))
    return cells, notes


def ablation_result(
    rows: Iterable[tuple[Path, Measurement]], notes: list[str], order: list[str] | None = None
) -> AnalysisResult:
    """Return the cells as table and figure.

    Args:
        rows: as in :func:`ablation_cells`.
        notes: notes on the rows, which precede those on the cells.
        order: hashes of encoders in the order of the cells; others follow.
    """
    cells, cell_notes = ablation_cells(rows)
    order = order or []
    cells.sort(key=lambda cell: order.index(cell.model_hash) if cell.model_hash in order else len(order))
    notes = notes + cell_notes
    names = [field.name for field in fields(AblationCell)]
    return AnalysisResult(
        cells,
        figures={"ablation": {"cells": cells, "notes": notes}},
        table=[names, *([_text(getattr(cell, name)) for name in names] for cell in cells)] if cells else [names],
        summary=[_describe(cell) for cell in cells],
        warnings=notes,
    )


def _text(value: object) -> str:
    return "" if isinstance(value, float) and math.isnan(value) else str(value)


def _describe(cell: AblationCell) -> str:
    change = "" if math.isnan(cell.difference) else f" ({round(100 * cell.difference, 1) + 0.0:+.1f})"
    reset = f"layers {cell.reset} reset" if cell.reset else "no reset"
    target = f"{cell.targets} targets, mean" if cell.targets > 1 else cell.target
    return (
        f"{cell.task} {cell.system} {cell.source} to {target} ({cell.dataset}), {reset}: {100 * cell.score:.1f}{change}"
    )


def _group_rows(
    rows: Iterable[tuple[Path, Measurement]],
) -> dict[tuple[Any, ...], dict[tuple[str, str], _ByReset]]:
    """Group rows by task, metric, encoder, source and settings, then by target and data set, reset and seed.

    The target is the direction of a test set that has one: its questions are in another language.
    """
    metrics: dict[str, str] = {}
    groups: dict[tuple[Any, ...], dict[tuple[str, str], _ByReset]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(dict))
    )
    members: dict[tuple[Any, ...], list[Measurement]] = defaultdict(list)
    for folder, row in rows:
        if row.train is None or row.seeds.finetune is None:
            continue
        metric = metric_without_conditions(row.metric)  # of some test sets
        if metrics.setdefault(row.task, metric) != metric:
            continue
        layers = dict(row.settings.get("layers") or {})
        reset = str(layers.pop("reset", ""))
        system = str(layers.pop("of", None) or row.settings.get("system") or row.model)
        other_layers = tuple(sorted((k, str(v)) for k, v in layers.items() if v not in ("", None)))
        settings = [
            tuple(sorted((k, str(v)) for k, v in (row.settings.get(name) or {}).items() if k not in HEAD_OUTPUTS))
            for name in ("task", "training")
        ]
        maps = tuple(map(str, row.settings.get("maps") or ()))
        way = (row.metric, row.split, other_layers, maps, *settings)
        key = (row.task, metric, system, row.model_hash, row.train, way)
        groups[key][row.where.direction or row.language, row.dataset][reset][row.seeds.finetune] = (folder, row)
        members[key].append(row)
    for (_, _, system, *_), of_key in members.items():
        check_training_data(of_key, system)
    return groups


def _seeds(resets: _ByReset) -> dict[str, set[int | None]]:
    return {reset: set(by_seed) for reset, by_seed in resets.items()}


def _compare(
    treated: list[_BySeed], reference: list[_BySeed]
) -> tuple[tuple[float, float, int, float, float, float, float], int, str | None]:
    """Compare means over test sets and seeds, with and without a reset.

    Returns:
        the fields of a cell from ``score`` to ``spread``, the number of test items, and the reason why there is no
        interval.
    """
    mean, sd = mean_sd([fmean([by_seed[seed][1].value for by_seed in treated]) for seed in treated[0]])
    shared = sorted(set(treated[0]).intersection(*treated, *reference), key=str)
    if not shared:
        return (mean, _or_nan(sd), len(treated[0]), math.nan, math.nan, math.nan, math.nan), 0, None
    with_reset, without = ({s: fmean([by_seed[s][1].value for by_seed in side]) for s in shared}
                           for side in (treated, reference))  # fmt: skip
    difference, spread = mean_sd([with_reset[seed] - without[seed] for seed in shared])
    sides = [([a[s] for s in shared], [b[s] for s in shared]) for a, b in zip(treated, reference, strict=True)]
    compared, note = _over_items(sides)
    low = high = math.nan
    if compared is not None:
        found = compare_over_seeds(compared, with_reset, without)
        low, high = found.low, found.high
    items = compared.items if compared else 0
    return (mean, _or_nan(sd), len(treated[0]), difference, low, high, _or_nan(spread)), items, note


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def _over_items(sides: list[tuple[_Runs, _Runs]]) -> tuple[Comparison | None, str | None]:
    """Return the comparison over test items, averaged over test sets, or the reason why there is none."""
    pairs = []
    statistics = {row.statistic for side in sides for runs in side for _, row in runs}
    for treated, reference in sides:
        for name, what in (("data", "test items"), ("gold", "gold answers")):
            if len({str(row.settings.get(name)) for _, row in (*treated, *reference)}) > 1:
                return None, f"other {what}"
        try:
            items = [[read_items(folder, row) for folder, row in runs] for runs in (treated, reference)]
        except UserError as error:  # the scores are still useful
            return None, error.message
        tables = [[table for table in side if table is not None] for side in items]
        sizes = {len(table) for side in tables for table in side}
        if len(sizes) != 1 or any(len(side) < len(treated) for side in tables):
            return None, "per-item scores of some seeds are missing"
        pairs.append((np.stack(tables[0]), np.stack(tables[1])))
    return paired_bootstrap_mean(pairs, statistic=statistics.pop()), None
