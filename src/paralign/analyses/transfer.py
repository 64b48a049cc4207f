"""Transfer to derived languages: zero-shot and supervised scores, and how they relate to alignment.

BZ is the score on a derived language of a head trained on the original language, BS that of a head trained on the
derived language itself, and Δ = BZ - BS. Alignment is the share of pieces whose nearest neighbor is their twin (Tang et
al. 2022).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from paralign.analyses.base import AnalysisResult, ResultsAnalysis
from paralign.errors import UserError
from paralign.languages import parse_derived
from paralign.metrics.correlation import spearman, spearman_interval
from paralign.results import Measurement

__all__ = ["Correlation", "Point", "TransferAnalysis", "correlations", "transfer_points"]

_METRICS = ("f1", "accuracy", "las")
_ALIGNMENT = ("twins", "precision_at_1_cosine")
_HEADER = (
    "task", "metric", "language", "system", "model_hash", "pretrain_seed", "BZ", "BS", "delta", "alignment",
    "finetune_seeds",
)  # fmt: skip


@dataclass(frozen=True, order=True)
class Point:
    """One encoder on one derived language and task; scores are means over fine-tuning seeds.

    Attributes:
        task: the task.
        metric: its metric.
        language: the derived language.
        system: name of the encoder in tables.
        model_hash: the encoder that was fine-tuned.
        seed: seed of its pretraining.
        zero: BZ.
        supervised: BS.
        alignment: NaN if it was not measured.
        heads: number of fine-tuning seeds of BZ or BS, whichever is smaller.
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
        """BZ - BS, rounded so that equal differences are equal."""
        return round(self.zero - self.supervised, 12)


@dataclass(frozen=True)
class Correlation:
    """Spearman's correlation of alignment and Δ over the points of a task, with its 95 % interval."""

    task: str
    metric: str
    points: int
    value: float
    low: float
    high: float


class TransferAnalysis(ResultsAnalysis):
    """Zero-shot and supervised scores on derived languages, and their correlation with alignment."""

    name: ClassVar[str] = "transfer"

    def analyze(self, rows: Sequence[tuple[Path, Measurement]]) -> AnalysisResult:
        """Return the points as a table and a figure, with the correlation of each task."""
        points = transfer_points(row for _, row in rows)
        if not points:
            raise UserError(
                "no encoder was fine-tuned both on a language and on one derived from it",
                hint="paralign finetune --train en=... and --train en~trans+inv=..., both with --eval en~trans+inv=...",
            )
        by_task = correlations(points)
        figure = {"points": [asdict(point) | {"delta": point.delta} for point in points], "correlations": by_task}
        return AnalysisResult(
            points,
            figures={"transfer": figure},
            table=[_HEADER, *map(_table_row, points)],
            summary=[*map(_describe_point, points), *map(_describe_correlation, by_task)],
        )


def _table_row(point: Point) -> tuple[str, ...]:
    seed = "" if point.seed is None else str(point.seed)
    alignment = "" if math.isnan(point.alignment) else f"{point.alignment:.4f}"
    scores = (f"{point.zero:.4f}", f"{point.supervised:.4f}", f"{point.delta:.4f}")
    names = (point.task, point.metric, point.language, point.system, point.model_hash)
    return (*names, seed, *scores, alignment, str(point.heads))


def _describe_point(point: Point) -> str:
    alignment = "" if math.isnan(point.alignment) else f", alignment {100 * point.alignment:.1f}"
    scores = f"BZ {100 * point.zero:.1f}, BS {100 * point.supervised:.1f}, Δ {100 * point.delta:+.1f}"
    return f"{point.task} {point.language} {point.system}: {scores}{alignment}"


def _describe_correlation(found: Correlation) -> str:
    interval = "" if math.isnan(found.low) else f" (95 % interval from resampling: {found.low:.2f} to {found.high:.2f})"
    return f"{found.task}: Spearman of alignment and Δ {found.value:.2f} over {found.points} points{interval}"


def transfer_points(rows: Iterable[Measurement]) -> list[Point]:
    """Return a point for each encoder, derived language and task with both scores.

    The metric of a task is F1 if it has one, otherwise accuracy, otherwise LAS.
    """
    scores: dict[tuple[str, str, str, str], dict[bool, list[float]]] = defaultdict(lambda: defaultdict(list))
    alignments: dict[tuple[str, str], list[float]] = defaultdict(list)
    encoders: dict[str, tuple[str, int | None]] = {}
    for row in rows:
        derived = parse_derived(row.language)
        if derived is None:
            continue
        encoders[row.model_hash] = (str(row.settings.get("system") or row.model), row.seeds.pretrain)
        if (row.task, row.metric) == _ALIGNMENT:
            alignments[row.model_hash, row.language].append(row.value)
        elif row.metric in _METRICS and row.train in (derived.base, row.language):
            key = (row.task, row.metric, row.language, row.model_hash)
            scores[key][row.train == row.language].append(row.value)
    metrics = {task: min(_METRICS.index(m) for t, m, *_ in scores if t == task) for task, *_ in scores}
    points = []
    for (task, metric, language, model_hash), by_training in scores.items():
        zero, supervised = by_training[False], by_training[True]
        if _METRICS.index(metric) != metrics[task] or not zero or not supervised:
            continue
        system, seed = encoders[model_hash]
        measured = alignments.get((model_hash, language), [])
        points.append(
            Point(
                task=task,
                metric=metric,
                language=language,
                system=system,
                model_hash=model_hash,
                seed=seed,
                zero=_mean(zero),
                supervised=_mean(supervised),
                alignment=_mean(measured) if measured else math.nan,
                heads=min(len(zero), len(supervised)),
            )
        )
    return sorted(points)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def correlations(points: Iterable[Point]) -> list[Correlation]:
    """Return the correlation of each task with at least two points of known alignment."""
    by_task: dict[tuple[str, str], list[Point]] = defaultdict(list)
    for point in points:
        if not math.isnan(point.alignment):
            by_task[point.task, point.metric].append(point)
    found = []
    for (task, metric), measured in sorted(by_task.items()):
        if len(measured) > 1:
            sides = [point.alignment for point in measured], [point.delta for point in measured]
            interval = spearman_interval(*sides)
            found.append(Correlation(task, metric, len(measured), float(spearman(*sides)), *interval))
    return found
