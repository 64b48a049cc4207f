"""Transfer to derived languages: zero-shot and supervised scores, and how they relate to alignment.

BZ is the score on a derived language of a head trained on the original language, BS that of a head trained on the
derived language itself, and Δ = BZ - BS (for errors BS - BZ). Alignment is the share of pieces whose nearest neighbor
is their twin (Tang et al. 2022).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from paralign.analyses.base import AnalysisResult, ResultsAnalysis
from paralign.errors import UserError
from paralign.languages import parse_derived
from paralign.metrics.correlation import spearman, spearman_interval
from paralign.results import FINE_TUNING, Measurement, other_language
from paralign.systems import check_training_data, distinct_labels
from paralign.task_table import HEAD_OUTPUTS, metric_without_conditions, task_info

__all__ = ["Correlation", "Point", "TransferAnalysis", "correlations", "transfer_points"]

_ALIGNMENT = ("twins", "precision_at_1_cosine")
_HEADER = (
    "task", "metric", "language", "system", "model_hash", "pretrain_seed", "BZ", "BS", "delta", "alignment",
    "finetune_seeds", "condition",
)  # fmt: skip
_Key = tuple[str, str, str, str, frozenset[tuple[str, str]]]
"""Task, metric, language, hash of the encoder, and how the score was measured."""


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
        condition: test set, split and settings in which the points of the task differ; empty if they do not.
        lower_is_better: whether the scores are errors.
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
    condition: str = ""
    lower_is_better: bool = False

    @property
    def delta(self) -> float:
        """BZ - BS, of errors BS - BZ, rounded so that equal differences are equal."""
        difference = self.zero - self.supervised
        return round(-difference if self.lower_is_better else difference, 12)


@dataclass(frozen=True)
class Correlation:
    """Spearman's correlation of alignment and Δ over the points of a task, with its 95 % interval over encoders.

    Attributes:
        task: the task.
        metric: its metric.
        points: number of points.
        value: the correlation.
        low: lower end of the interval from resampling encoders; NaN for few of them.
        high: upper end.
        condition: that of its points.
    """

    task: str
    metric: str
    points: int
    value: float
    low: float
    high: float
    condition: str = ""


class TransferAnalysis(ResultsAnalysis):
    """Zero-shot and supervised scores on derived languages, and their correlation with alignment."""

    name: ClassVar[str] = "transfer"

    def analyze(self, rows: Sequence[tuple[Path, Measurement]]) -> AnalysisResult:
        """Return the points as a table and a figure, with the correlation of each task."""
        points, notes = transfer_points(row for _, row in rows)
        if not points and notes:
            raise UserError(notes[0], hint="repeat one of them with the settings of the other")
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
            warnings=notes,
        )


def _table_row(point: Point) -> tuple[str, ...]:
    seed = "" if point.seed is None else str(point.seed)
    alignment = "" if math.isnan(point.alignment) else f"{point.alignment:.4f}"
    scores = (f"{point.zero:.4f}", f"{point.supervised:.4f}", f"{point.delta:.4f}")
    names = (point.task, point.metric, point.language, point.system, point.model_hash)
    return (*names, seed, *scores, alignment, str(point.heads), point.condition)


def _describe_point(point: Point) -> str:
    alignment = "" if math.isnan(point.alignment) else f", alignment {100 * point.alignment:.1f}"
    scores = f"BZ {100 * point.zero:.1f}, BS {100 * point.supervised:.1f}, Δ {100 * point.delta:+.1f}"
    condition = f" ({point.condition})" if point.condition else ""
    return f"{point.task} {point.language} {point.system}{condition}: {scores}{alignment}"


def _describe_correlation(found: Correlation) -> str:
    limits = f" (95 % interval from resampling encoders: {found.low:.2f} to {found.high:.2f})"
    interval = "" if math.isnan(found.low) else limits
    condition = f" ({found.condition})" if found.condition else ""
    return (
        f"{found.task}{condition}: Spearman of alignment and Δ {found.value:.2f} over {found.points} points{interval}"
    )


def transfer_points(rows: Iterable[Measurement]) -> tuple[list[Point], list[str]]:
    """Return a point for each encoder, derived language, task and way of measuring it with both scores.

    The metric of a task is its main one, also without punctuation, with subtypes, or by MLQA's script. Scores on other
    test sets, splits or settings, or with other layers reinitialized or frozen, are other points, not averaged.

    Returns:
        the points, and notes on encoders whose BZ and BS were measured in different ways.

    Raises:
        UserError: if the test texts or gold answers of BZ and BS differ, the training data of the seeds of one of them,
            or the ways in which alignment was measured.
    """
    metrics: dict[str, str] = {}
    scores: dict[_Key, dict[bool, list[Measurement]]] = defaultdict(lambda: defaultdict(list))
    alignments: dict[tuple[str, str], dict[tuple[str, ...], Measurement]] = defaultdict(dict)
    for row in rows:
        derived = parse_derived(row.language)
        if derived is None:
            continue
        if (row.task, row.metric) == _ALIGNMENT:
            alignments[row.model_hash, row.language][row.key()] = row
        elif row.where.layer is not None:  # a linear probe
            continue
        elif row.train in (derived.base, row.language) and _is_main_metric(row, metrics):
            condition = _condition(row)
            if row.where.direction:  # of question answering
                condition["questions"] = other_language(row.where.direction, row.language)
            key = (row.task, row.metric, row.language, row.model_hash, frozenset(condition.items()))
            scores[key][row.train == row.language].append(row)
    labels = _labels((key, row) for key, sides in scores.items() for side in sides.values() for row in side)
    conditions = _describe_conditions(scores)
    points = []
    for key, sides in scores.items():
        zero, supervised = (_once(sides[side]) for side in (False, True))
        if not zero or not supervised:
            continue
        task, metric, language, model_hash, _ = key
        for side in sides.values():
            check_training_data(side, labels[key])
        _check_same_data(zero + supervised, labels[key])
        points.append(
            Point(
                task=task,
                metric=metric,
                language=language,
                system=labels[key],
                model_hash=model_hash,
                seed=zero[0].seeds.pretrain,
                zero=_mean(zero),
                supervised=_mean(supervised),
                alignment=_alignment(list(alignments.get((model_hash, language), {}).values())),
                heads=min(len(zero), len(supervised)),
                condition=conditions[key],
                lower_is_better=metric in task_info(task, zero[0].settings).lower_is_better,
            )
        )
    return sorted(points), _unpaired(scores, labels, conditions)


def _once(rows: Iterable[Measurement]) -> list[Measurement]:
    """Return the rows of one key and training language, the same measurement in two folders once."""
    return list({(row.dataset, row.seeds, row.where): row for row in rows}.values())


def _is_main_metric(row: Measurement, metrics: dict[str, str]) -> bool:
    """Whether the metric is the main one of its task: the first seen, for a task that names none."""
    main = task_info(row.task, row.settings).main_metrics
    metric = metric_without_conditions(row.metric)
    return metric == (main[0] if main else metrics.setdefault(row.task, metric))


def _condition(row: Measurement) -> dict[str, str]:
    """Return how a score was measured, apart from encoder, language and seed."""
    condition = {"data": row.dataset, "split": row.split}
    if row.settings.get("maps"):
        condition["maps"] = ", ".join(map(str, row.settings["maps"]))
    for section in ("task", "training", "layers"):
        settings = row.settings.get(section)
        for name, value in settings.items() if isinstance(settings, Mapping) else ():
            if value not in ("", None) and name != "of" and not (section == "task" and name in HEAD_OUTPUTS):
                condition[name] = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    return condition


def _labels(rows: Iterable[tuple[_Key, Measurement]]) -> dict[_Key, str]:
    """Return the label of each key. Encoders of several languages, pretrained alike, may have the same."""
    by_language: dict[str, list[tuple[_Key, Measurement]]] = defaultdict(list)
    for key, row in rows:
        # How it was fine-tuned and its maps are part of the condition.
        plain = {name: value for name, value in row.settings.items() if name not in (*FINE_TUNING, "maps")}
        by_language[row.language].append((key, row.model_copy(update={"settings": plain})))
    out: dict[_Key, str] = {}
    for members in by_language.values():
        named = [(str(row.settings.get("system") or row.model), row) for _, row in members]
        out |= {key: label for (key, _), label in zip(members, distinct_labels(named), strict=True)}
    return out


def _describe_conditions(keys: Iterable[_Key]) -> dict[_Key, str]:
    """Return the settings of each key in which the keys of its task and metric differ."""
    by_metric: dict[tuple[str, str], list[_Key]] = defaultdict(list)
    for key in keys:
        by_metric[key[:2]].append(key)
    out = {}
    for members in by_metric.values():
        common = frozenset.intersection(*(key[-1] for key in members))
        for key in members:
            out[key] = ", ".join(f"{name} {value}" for name, value in sorted(key[-1] - common))
    return out


def _unpaired(
    scores: Mapping[_Key, Mapping[bool, Sequence[Measurement]]],
    labels: Mapping[_Key, str],
    conditions: Mapping[_Key, str],
) -> list[str]:
    """Return a note for each encoder, language and task whose scores of both kinds were measured in different ways."""
    ways: dict[tuple[str, str, str], dict[bool, list[str]]] = defaultdict(lambda: defaultdict(list))
    names: dict[tuple[str, str, str], str] = {}
    paired = set()
    for key, sides in scores.items():
        task, metric, language, model_hash, _ = key
        encoder = (task, language, model_hash)
        names.setdefault(encoder, labels[key])
        known = [side for side in (False, True) if sides.get(side)]
        if len(known) == 2:
            paired.add(encoder)
        for side in known:
            ways[encoder][side].append(metric + (f" ({conditions[key]})" if conditions[key] else ""))
    return [
        f"{encoder[0]} {encoder[1]} {names[encoder]}: no Δ, BZ was measured as {' and '.join(by_side[False])},"
        f" BS as {' and '.join(by_side[True])}"
        for encoder, by_side in ways.items()
        if len(by_side) == 2 and encoder not in paired
    ]


def _check_same_data(rows: Sequence[Measurement], label: str) -> None:
    for name, what in (("data", "test texts"), ("gold", "gold answers")):
        if len({str(row.settings.get(name)) for row in rows}) > 1:
            row = rows[0]
            raise UserError(
                f"the {what} of {row.language} in {row.dataset} differ between runs of {row.task} {label}",
                hint="evaluate all of them on one file, or give the runs of one file",
            )


def _alignment(rows: Sequence[Measurement]) -> float:
    """Return the mean over both directions, rounded so that equal means are equal; NaN if it was not measured."""
    ways = {f"{row.dataset} {row.split} {dict(sorted(_condition(row).items()))}" for row in rows}
    if len(ways) > 1:
        row = rows[0]
        raise UserError(
            f"the alignment of {row.language} in {row.model} was measured in several ways: {'; '.join(sorted(ways))}",
            hint="give the runs of one of them",
        )
    return round(_mean(rows), 12) if rows else math.nan


def _mean(rows: Sequence[Measurement]) -> float:
    return float(np.mean([row.value for row in rows]))


def correlations(points: Iterable[Point]) -> list[Correlation]:
    """Return the correlation of each task and condition with at least two points of known alignment."""
    groups: dict[tuple[str, str, str], list[Point]] = defaultdict(list)
    for point in points:
        if not math.isnan(point.alignment):
            groups[point.task, point.metric, point.condition].append(point)
    found = []
    for (task, metric, condition), measured in sorted(groups.items()):
        if len(measured) > 1:
            sides = [point.alignment for point in measured], [point.delta for point in measured]
            # Points of one encoder on several languages are not independent.
            low, high = spearman_interval(*sides, groups=[[point.model_hash for point in measured]])
            value = float(spearman(*sides))
            found.append(Correlation(task, metric, len(measured), value, low, high, condition))
    return found
