"""What becomes of transfer when a language is changed: zero-shot beside supervised, and beside alignment.

BZ is the score on a derived language of a head trained on the original, BS that of a head trained on the derived
language itself, Δ = BZ - BS; alignment is the share of pieces whose nearest neighbour is their twin (Tang et al. 2022).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from paralign.languages import parse_derived
from paralign.metrics.correlation import spearman, spearman_interval
from paralign.results import Measurement

__all__ = ["Correlation", "Point", "correlations", "transfer_points"]

_METRICS = ("f1", "accuracy", "las")
_TWINS = ("twins", "precision_at_1_cosine")


@dataclass(frozen=True, order=True)
class Point:
    """One encoder on one derived language and task; scores are means over fine-tuning seeds.

    Attributes:
        task, metric: what was measured.
        language: the derived one.
        system: what tables call the encoder.
        model_hash: of the encoder that was fine-tuned.
        seed: of its pretraining.
        zero, supervised: BZ and BS.
        alignment: nan where it was not measured.
        heads: fine-tuning seeds behind BZ and BS, the fewer of both.
    """

    task: str
    metric: str
    language: str
    system: str
    model_hash: str
    seed: int | None
    zero: float
    supervised: float
    alignment: float
    heads: int

    @property
    def delta(self) -> float:
        """BZ - BS; without the last bits, so that equal ones are equal."""
        return round(self.zero - self.supervised, 12)


@dataclass(frozen=True)
class Correlation:
    """Spearman's of alignment and Δ over the points of a task."""

    task: str
    metric: str
    points: int
    value: float
    low: float
    high: float


def transfer_points(rows: Iterable[Measurement]) -> list[Point]:
    """Every encoder, derived language and task of which both scores are among the rows; a task's metric is f1 where it
    has one, else accuracy, else LAS."""
    scores: dict[tuple[str, str, str, str], dict[bool, list[float]]] = defaultdict(lambda: defaultdict(list))
    aligned: dict[tuple[str, str], list[float]] = defaultdict(list)
    about: dict[str, tuple[str, int | None]] = {}
    for row in rows:
        made = parse_derived(row.language)
        if made is None:
            continue
        about[row.model_hash] = (str(row.settings.get("system") or row.model), row.seeds.pretrain)
        if (row.task, row.metric) == _TWINS:
            aligned[row.model_hash, row.language].append(row.value)
        elif row.metric in _METRICS and row.train in (made.base, row.language):
            key = (row.task, row.metric, row.language, row.model_hash)
            scores[key][row.train == row.language].append(row.value)
    best = {task: min((_METRICS.index(m) for t, m, *_ in scores if t == task)) for task, *_ in scores}
    points = []
    for (task, metric, language, model_hash), found in scores.items():
        if _METRICS.index(metric) == best[task] and found[False] and found[True]:
            system, seed = about[model_hash]
            near = aligned.get((model_hash, language), [])
            points.append(
                Point(
                    task, metric, language, system, model_hash, seed, float(np.mean(found[False])),
                    float(np.mean(found[True])), float(np.mean(near)) if near else float("nan"),
                    min(len(found[False]), len(found[True])),
                )
            )  # fmt: skip
    return sorted(points)


def correlations(points: Iterable[Point]) -> list[Correlation]:
    """Of each task with at least two points of known alignment."""
    known: dict[tuple[str, str], list[Point]] = defaultdict(list)
    for point in points:
        if not np.isnan(point.alignment):
            known[point.task, point.metric].append(point)
    out = []
    for (task, metric), some in sorted(known.items()):
        if len(some) > 1:
            pair = [p.alignment for p in some], [p.delta for p in some]
            out.append(Correlation(task, metric, len(some), spearman(*pair), *spearman_interval(*pair)))
    return out
