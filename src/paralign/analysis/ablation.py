"""What an encoder's layers are worth: scores with some of them drawn anew, beside those without (Muller et al. 2021).

A layer that transfer needs costs the target languages more than the source when it is drawn anew before fine-tuning.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from paralign.metrics import mean_sd, paired_bootstrap
from paralign.results import Measurement, natural, read_items

__all__ = ["AblationCell", "ablation_cells"]


@dataclass(frozen=True)
class AblationCell:
    """One encoder, task, source and target, with some layers drawn anew, or with all as they were.

    Attributes:
        task, metric, dataset: what was measured.
        system, model_hash: the encoder before fine-tuning.
        source, target: languages of training and of the test.
        reset: layers drawn anew, as the user wrote them; empty for none.
        score, sd: mean over fine-tuning seeds and their sample standard deviation (nan for one seed).
        seeds: how many.
        difference: to the mean without a reset, of the seeds both have; nan where there is none.
        low, high: its 95 % interval, paired bootstrap over test items; it does not speak of other seeds.
        spread: standard deviation of the difference over seeds, nan for fewer than two.
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


def ablation_cells(rows: Iterable[tuple[Path, Measurement]]) -> tuple[list[AblationCell], list[str]]:
    """All cells among the results of fine-tunings, each compared with that without a reset.

    Args:
        rows: measurements with the folder of their run; of each task the metric told first counts.

    Returns:
        the cells in the order of the rows; and what could not be compared, in words.
    """
    metrics: dict[str, str] = {}
    found: dict[tuple[Any, ...], dict[str, dict[int | None, tuple[Path, Measurement]]]] = defaultdict(
        lambda: defaultdict(dict)
    )
    for folder, row in rows:
        if row.train is None or row.seeds.finetune is None:
            continue
        if metrics.setdefault(row.task, row.metric) != row.metric:
            continue
        layers = dict(row.settings.get("layers") or {})
        reset = str(layers.pop("reset", ""))
        system = str(layers.pop("of", None) or row.settings.get("system") or row.model)
        others = tuple(sorted((k, str(v)) for k, v in layers.items() if v not in ("", None)))
        settings = tuple(sorted((k, str(v)) for k, v in (row.settings.get("task") or {}).items()))
        same = (row.split, others, settings)
        key = (row.task, row.metric, row.dataset, system, row.model_hash, row.train, row.language, same)
        found[key][reset][row.seeds.finetune] = (folder, row)
    cells, notes = [], []
    for key, resets in found.items():
        if set(resets) == {""}:
            continue
        whole = resets.get("", {})
        task, metric, dataset, system, model_hash, source, target = key[:7]
        if not whole:
            notes.append(f"{task}, {system}, {source} to {target}: nothing to compare with, no run without a reset")
        for reset, some in sorted(resets.items(), key=lambda item: (item[0] != "", natural(item[0]))):
            mean, sd = mean_sd([row.value for _, row in some.values()])
            shared = sorted(set(some) & set(whole), key=str) if reset else []
            gaps = [some[seed][1].value - whole[seed][1].value for seed in shared]
            low, high, note = _interval([some[s] for s in shared], [whole[s] for s in shared])
            if note:
                notes.append(f"{task}, {system}, {source} to {target}, {reset}: no interval, {note}")
            cells.append(
                AblationCell(
                    task, metric, dataset, system, model_hash, source, target, reset, mean,
                    math.nan if sd is None else sd, len(some), float(np.mean(gaps)) if gaps else math.nan, low, high,
                    float(np.std(gaps, ddof=1)) if len(gaps) > 1 else math.nan,
                )
            )  # fmt: skip
    return cells, notes


def _interval(
    treated: list[tuple[Path, Measurement]], whole: list[tuple[Path, Measurement]]
) -> tuple[float, float, str | None]:
    if not treated:
        return math.nan, math.nan, None
    if len({str(row.settings.get("data")) for _, row in (*treated, *whole)}) > 1:
        return math.nan, math.nan, "other test items"
    sides = [[read_items(folder, row) for folder, row in some] for some in (treated, whole)]
    known = [[items for items in some if items is not None] for some in sides]
    if any(len(some) < len(treated) for some in known) or len({len(items) for some in known for items in some}) > 1:
        return math.nan, math.nan, "no items of every seed"
    compared = paired_bootstrap(np.stack(known[0]), np.stack(known[1]))
    return compared.low, compared.high, None
