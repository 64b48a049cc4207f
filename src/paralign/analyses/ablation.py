"""What an encoder's layers are worth: scores with some of them drawn anew, beside those without (Muller et al. 2021).

A layer that transfer needs costs the target languages more than the source when it is drawn anew before fine-tuning.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from paralign.errors import UserError
from paralign.metrics import mean_sd, over_seeds, paired_bootstrap_mean
from paralign.results import Measurement, natural, read_items

__all__ = ["AblationCell", "ablation_cells"]


@dataclass(frozen=True)
class AblationCell:
    """One encoder, task, source and target, with some layers drawn anew, or with all as they were.

    With several targets beside the source there is also the mean of them.

    Attributes:
        task, metric, dataset: what was measured.
        system, model_hash: the encoder before fine-tuning.
        source, target: languages of training and of the test; ``mean`` of several.
        reset: layers drawn anew, as the user wrote them; empty for none.
        score, sd: mean over fine-tuning seeds and their sample standard deviation (nan for one seed).
        seeds: how many.
        difference: to the mean without a reset, of the seeds both have; nan where there is none.
        low, high: its 95 % interval: of other test items (paired bootstrap), and with two seeds or more of other seeds
            (:func:`paralign.metrics.over_seeds`).
        spread: standard deviation of the difference over seeds, nan for fewer than two.
        targets: test sets behind it, 1 but for the mean.
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


_Seeds = dict[int | None, tuple[Path, Measurement]]
"""Of one test set: the folder of a run and its measurement, by fine-tuning seed."""


def ablation_cells(rows: Iterable[tuple[Path, Measurement]]) -> tuple[list[AblationCell], list[str]]:
    """All cells among the results of fine-tunings, each compared with that without a reset.

    Args:
        rows: measurements with the folder of their run; of each task the metric told first counts.

    Returns:
        the cells in the order of the rows; behind those of an encoder and source the mean of their targets, if there
        are two or more and the same layers and seeds of all; and what could not be compared, in words.
    """
    metrics: dict[str, str] = {}
    groups: dict[tuple[Any, ...], dict[tuple[str, str], dict[str, _Seeds]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(dict))
    )
    for folder, row in rows:
        if row.train is None or row.seeds.finetune is None:
            continue
        if metrics.setdefault(row.task, row.metric) != row.metric:
            continue
        layers = dict(row.settings.get("layers") or {})
        reset = str(layers.pop("reset", ""))
        system = str(layers.pop("of", None) or row.settings.get("system") or row.model)
        changed = tuple(sorted((k, str(v)) for k, v in layers.items() if v not in ("", None)))
        ways = [tuple(sorted((k, str(v)) for k, v in (row.settings.get(name) or {}).items()))
                for name in ("task", "training")]  # fmt: skip
        key = (row.task, row.metric, system, row.model_hash, row.train, (row.split, changed, *ways))
        groups[key][row.language, row.dataset][reset][row.seeds.finetune] = (folder, row)
    cells, notes = [], []
    for (task, metric, system, model_hash, source, _), places in groups.items():
        known = {place: resets for place, resets in places.items() if set(resets) != {""}}
        sets = [(*place, [resets]) for place, resets in known.items()]
        others = [resets for (language, _), resets in known.items() if language != source]
        if len(others) > 1 and all(_seeds(other) == _seeds(others[0]) for other in others):
            names = {dataset for language, dataset in known if language != source}
            sets.append(("mean", ", ".join(sorted(names)), others))
        for target, dataset, found in sets:
            what = f"{task}, {system}, {source} to {target}"
            whole = [resets.get("", {}) for resets in found]
            if not all(whole):
                notes.append(f"{what}: nothing to compare with, no run without a reset")
            for reset in sorted(found[0], key=lambda name: (name != "", natural(name))):
                compared, note = _compared([resets[reset] for resets in found], whole if reset else [{} for _ in found])
                notes += [f"{what}, {reset}: no interval, {note}"] if note else []
                about = (task, metric, dataset, system, model_hash, source, target, reset)
                cells.append(AblationCell(*about, *compared, len(found)))
    return cells, notes


def _seeds(resets: dict[str, _Seeds]) -> dict[str, set[int | None]]:
    return {reset: set(some) for reset, some in resets.items()}


def _compared(
    treated: list[_Seeds], whole: list[_Seeds]
) -> tuple[tuple[float, float, int, float, float, float, float], str | None]:
    """Mean over test sets and seeds, with and without a reset: a cell's fields from ``score`` to ``spread``; and why
    there is no interval."""
    mean, sd = mean_sd([fmean([some[seed][1].value for some in treated]) for seed in treated[0]])
    shared = sorted(set(treated[0]).intersection(*treated, *whole), key=str)
    sides = [([one[s] for s in shared], [other[s] for s in shared]) for one, other in zip(treated, whole, strict=True)]
    gaps = [fmean([one[k][1].value - other[k][1].value for one, other in sides]) for k in range(len(shared))]
    low, high, note = _interval(sides) if shared else (math.nan, math.nan, None)
    gap, spread = mean_sd(gaps) if gaps else (math.nan, None)
    if spread is not None and not math.isnan(low):
        low, high = over_seeds(gap, (low, high), spread, len(gaps))
    return (mean, _or_nan(sd), len(treated[0]), gap, low, high, _or_nan(spread)), note


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


_Runs = list[tuple[Path, Measurement]]


def _interval(sides: list[tuple[_Runs, _Runs]]) -> tuple[float, float, str | None]:
    """Of the mean over test sets, each of them treated and whole."""
    pairs = []
    for treated, whole in sides:
        if len({str(row.settings.get("data")) for _, row in (*treated, *whole)}) > 1:
            return math.nan, math.nan, "other test items"
        try:
            known = [[read_items(folder, row) for folder, row in some] for some in (treated, whole)]
        except UserError as error:  # the scores are there
            return math.nan, math.nan, error.message
        found = [[items for items in some if items is not None] for some in known]
        sizes = {len(items) for some in found for items in some}
        if len(sizes) != 1 or any(len(some) < len(treated) for some in found):
            return math.nan, math.nan, "no items of every seed"
        pairs.append((np.stack(found[0]), np.stack(found[1])))
    compared = paired_bootstrap_mean(pairs)
    return compared.low, compared.high, None
