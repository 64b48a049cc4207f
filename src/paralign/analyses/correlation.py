"""Predictors of transfer: how similarity, retrieval and static alignment correlate with what transfer loses."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from paralign.analyses.base import AnalysisResult, ResultsAnalysis
from paralign.errors import UserError
from paralign.metrics.correlation import spearman, spearman_interval
from paralign.results import CHOSEN, Measurement, other_language, requested_layer
from paralign.systems import encoder_labels, training_data
from paralign.task_table import HEAD_OUTPUTS, metric_without_conditions, task_info

__all__ = [
    "PREDICTORS",
    "CorrelationAnalysis",
    "PredictorCorrelation",
    "TransferScore",
    "predictor_correlations",
    "transfer_scores",
]

PREDICTORS = (
    "cka, last layer",
    "cka, mean of layers",
    *(f"retrieval, {pool}" for pool in ("mean", "cls", "last", CHOSEN)),
    "lexicon",
    "twins",
)
"""What can be measured of an encoder and a language without fine-tuning."""
_MIN_POINTS = 4
_Way = tuple[Hashable, str | None]
_NO_MEASURE = {"halves", "streamed", "seed", "pool", *HEAD_OUTPUTS}
"""Settings that do not change what a measure means, and the pooling, which rows have in ``where``."""


@dataclass(frozen=True)
class TransferScore:
    """One encoder, task, source and target.

    Attributes:
        task: the task.
        metric: its metric.
        source: language of fine-tuning.
        language: language of the test set.
        system: name of the encoder.
        model_hash: the encoder.
        score: score on the target, mean over fine-tuning seeds.
        loss: score on the source minus score on the target, for errors the reverse; 0 if transfer loses nothing.
        known: predictor -> its value for this encoder and language.
        lower_is_better: whether the scores are errors.
    """

    task: str
    metric: str
    source: str
    language: str
    system: str
    model_hash: str
    score: float
    loss: float
    known: Mapping[str, float]
    lower_is_better: bool = False


@dataclass(frozen=True)
class PredictorCorrelation:
    """Spearman's correlation of a predictor with the negated loss of transfer.

    Attributes:
        task: the task.
        metric: its metric.
        predictor: one of ``PREDICTORS``.
        points: number of points, encoders x languages.
        encoders: number of encoders.
        languages: number of languages.
        value: correlation over all points.
        low: lower end of the interval from resampling encoders and languages; NaN if there are few of them.
        high: upper end.
        within: correlation over encoders only, averaged over sources and targets; NaN for fewer than four encoders.
            Over all points, languages close to the source may do better in everything, whatever was done to the
            encoder.
    """

    task: str
    metric: str
    predictor: str
    points: int
    encoders: int
    languages: int
    value: float
    low: float
    high: float
    within: float


class CorrelationAnalysis(ResultsAnalysis):
    """Correlation of each predictor with what transfer loses, for each task."""

    name: ClassVar[str] = "correlation"

    def analyze(self, rows: Sequence[tuple[Path, Measurement]]) -> AnalysisResult:
        """Return the points as a table and a figure, with the correlations of each task."""
        points, notes = transfer_scores(row for _, row in rows)
        correlations = predictor_correlations(points)
        if not correlations:
            raise UserError(
                "fewer than four encoders or languages have both a transfer score and a predictor",
                hint="run paralign finetune --eval, and on the same encoders paralign analyze similarity or evaluate",
            )
        predictors = [name for name in PREDICTORS if any(name in point.known for point in points)]
        header = ("task", "metric", "source", "language", "system", "model_hash", "score", "loss", *predictors)
        return AnalysisResult(
            correlations,
            figures={"correlation": {"points": points, "correlations": correlations}},
            table=[header, *(_table_row(point, predictors) for point in points)],
            summary=[_describe(correlation) for correlation in correlations],
            warnings=notes,
        )


def _table_row(point: TransferScore, predictors: Sequence[str]) -> tuple[str, ...]:
    names = (point.task, point.metric, point.source, point.language, point.system, point.model_hash)
    values = [f"{point.known[name]:.4f}" if name in point.known else "" for name in predictors]
    return (*names, f"{point.score:.4f}", f"{point.loss:.4f}", *values)


def _describe(found: PredictorCorrelation) -> str:
    interval = "" if math.isnan(found.low) else f" ({found.low:.2f} to {found.high:.2f})"
    within = "" if math.isnan(found.within) else f"; over encoders only {found.within:.2f}"
    counts = f"{found.points} points of {found.encoders} encoders and {found.languages} languages"
    value = "undefined" if math.isnan(found.value) else f"{found.value:.2f}"
    return f"{found.task}, {found.predictor}: Spearman {value}{interval}{within}; {counts}"


def transfer_scores(rows: Iterable[Measurement]) -> tuple[list[TransferScore], list[str]]:
    """Return every zero-shot score whose source was scored too, with the predictors of its encoder and language.

    For each task the metric of the first row counts; rows of changed layers and of linear probes do not. Values that
    were measured in several ways (on other data, with other settings) are never averaged or compared: the most frequent
    way counts, for all encoders.

    Returns:
        the points, and notes on what was left out.
    """
    metrics: dict[str, str] = {}
    errors: set[str] = set()  # tasks whose smaller scores are better
    scored: list[Measurement] = []
    scores, predictors, layers = _Values(), _Values(), _Values()
    for row in rows:
        if row.train is not None and not row.settings.get("layers"):
            if row.where.layer is not None:  # a linear probe
                continue
            metric = metric_without_conditions(row.metric)
            if metrics.setdefault(row.task, metric) == metric:
                if metric in task_info(row.task, row.settings).lower_is_better:
                    errors.add(row.task)
                scores.add((row.task, row.train, row.language, row.model_hash), _score_ways(row), row.value)
                scored.append(row)
            continue
        languages = _language_pair(row.where.direction, row.language)
        pair = (row.model_hash, *languages)
        if row.task == "similarity" and row.metric == "cka" and row.where.layer is not None:
            way = f"CKA of {row.n:,} sentences of {row.dataset} {_describe_settings(row.settings.get('similarity'))}"
            way += f", pool {row.where.pool}" if row.where.pool != "mean" else ""
            layers.add((*pair, row.where.layer), [(languages, way)], row.value)
        elif row.task == "retrieval" and row.metric == "accuracy_cosine":
            name, way = f"retrieval, {row.where.pool}", f"retrieval among {row.n:,} of {row.dataset} {row.split}"
            asked, half = requested_layer(row), _describe_precision(row.settings.get("task"))
            way += f"{'' if asked in (None, -1) else f', layer {asked}'}{half}{_maps(row)}"
            predictors.add((*pair, name), [((*languages, name), way)], row.value)
        elif row.task in ("lexicon", "twins") and row.metric == "precision_at_1_cosine":
            way = f"{row.task} on {row.dataset} {_describe_settings(row.settings.get('task'))}{_maps(row)}"
            predictors.add((*pair, row.task), [((*languages, row.task), way)], row.value)
    means, notes = scores.means()
    of_pairs, notes_on_pairs = predictors.means()
    of_layers, notes_on_layers = layers.means()
    notes += notes_on_pairs + notes_on_layers
    predictor_values = _predictor_values(of_pairs, of_layers)
    systems = encoder_labels(scored)
    points = []
    for (task, source, language, model_hash), score in means.items():
        on_source = means.get((task, source, source, model_hash))
        values = predictor_values.get((model_hash, *sorted((source, language))), {})
        if on_source is not None and language != source and values:
            names = (task, metrics[task], source, language, systems[model_hash], model_hash)
            loss = round(score - on_source if task in errors else on_source - score, 12)
            points.append(TransferScore(*names, score, loss, values, lower_is_better=task in errors))
    return sorted(points, key=lambda p: (p.task, p.source, p.language, p.system, p.model_hash)), notes


def _maps(row: Measurement) -> str:
    return f", maps {row.settings['maps']}" if row.settings.get("maps") else ""


def _score_ways(row: Measurement) -> list[_Way]:
    """Return how a score was measured: training must be equal for all languages and encoders, the test set for all
    encoders."""
    training = f"{row.task} from {row.train} {_describe_settings(row.settings.get('training'))}".rstrip()
    parts = [
        f"{row.task} on {row.dataset} {row.split}",
        row.where.direction,
        _describe_settings(row.settings.get("task")),
    ]
    test = " ".join(filter(None, [*parts, row.settings.get("data"), row.settings.get("gold")])) + _maps(row)
    data = training_data(row)
    content = f"{row.task} from {row.train} {_describe_settings(data)}" if data else None
    source = (row.task, row.train)
    scorer = f"{row.task} scored by {row.metric}"
    return [(source, training), (source, content), (source, scorer), ((*source, row.language), test)]


def _predictor_values(
    predictors: Mapping[Any, float], of_layers: Mapping[Any, float]
) -> dict[tuple[Any, ...], dict[str, float]]:
    """Return the predictors of each encoder and pair of languages; CKA of the last layer, and as a mean of layers.

    They are rounded so that equal values are equal, as means over seeds and layers are not always.
    """
    by_pair: dict[tuple[Any, ...], dict[str, float]] = defaultdict(dict)
    for (*pair, name), value in predictors.items():
        by_pair[tuple(pair)][name] = value
    by_layer: dict[tuple[Any, ...], dict[int, float]] = defaultdict(dict)
    for (*pair, layer), value in of_layers.items():
        by_layer[tuple(pair)][layer] = value
    for key, values in by_layer.items():
        without_embeddings = [value for layer, value in values.items() if layer] or list(values.values())
        mean = float(np.mean(without_embeddings))
        by_pair[key] |= {"cka, last layer": values[max(values)], "cka, mean of layers": mean}
    return {pair: {name: round(value, 12) for name, value in values.items()} for pair, values in by_pair.items()}


class _Values:
    """Values by key that may have been measured in several ways, of which one counts for all encoders."""

    def __init__(self) -> None:
        self._values: list[tuple[Hashable, Sequence[_Way], float]] = []

    def add(self, key: tuple[Any, ...], ways: Sequence[_Way], value: float) -> None:
        """Add a value.

        Args:
            key: what was measured.
            ways: how: for each aspect, in the order in which they are chosen, a group of keys that must agree in it,
                and its text. None: not recorded.
            value: the value.
        """
        self._values.append((key, ways, value))

    def means(self) -> tuple[dict[Any, float], list[str]]:
        """Return the mean of each key, and notes on the ways that do not count.

        In each group the most frequent way counts, the first of equally frequent ones. A value whose way was not
        recorded counts if there is only one, and no other value of its key.
        """
        kept, notes = self._values, dict[str, None]()
        for aspect in range(max((len(ways) for _, ways, _ in kept), default=0)):
            counts: dict[Hashable, Counter[str]] = defaultdict(Counter)
            for _, ways, _ in kept:
                group, way = ways[aspect]
                counts[group].update([] if way is None else [way])
            best = {group: found.most_common(1)[0][0] for group, found in counts.items() if found}
            for group, found in counts.items():
                for way in found:
                    if way != best[group]:
                        notes[f"measured in several ways: {best[group]} counts, {way} does not"] = None
            known = {key for key, ways, _ in kept if ways[aspect][1] is not None}
            kept = [
                (key, ways, value)
                for key, ways, value in kept
                for group, way in [ways[aspect]]
                if (way == best.get(group) if way is not None else len(counts[group]) <= 1 and key not in known)
            ]
        values: dict[Any, list[float]] = defaultdict(list)
        for key, _, value in kept:
            values[key].append(value)
        return {key: float(np.mean(found)) for key, found in values.items()}, list(notes)


def _describe_settings(settings: object) -> str:
    """Return the settings that change what a measure means."""
    if not isinstance(settings, Mapping):
        return ""
    described = (f"{k}={v}" for k, v in sorted(settings.items()) if k not in _NO_MEASURE and k != "precision")
    return " ".join(described) + _describe_precision(settings)


def _describe_precision(settings: object) -> str:
    """Return the precision of an evaluation unless it is fp32."""
    precision = settings.get("precision", "fp32") if isinstance(settings, Mapping) else "fp32"
    return "" if precision == "fp32" else f" precision={precision}"


def _language_pair(direction: str | None, language: str) -> tuple[str, str]:
    """Return two languages, sorted: the row's, and the other one of its direction, or English if it has none."""
    first, second = sorted((other_language(direction, language) if direction else "en", language))
    return first, second


def predictor_correlations(points: Iterable[TransferScore]) -> list[PredictorCorrelation]:
    """Return the correlation of every predictor of every task with at least four points."""
    groups: dict[tuple[str, str, str], list[TransferScore]] = defaultdict(list)
    for point in points:
        for name in point.known:
            groups[point.task, point.metric, name].append(point)
    out = []
    for (task, metric, name), members in groups.items():
        if len(members) < _MIN_POINTS:
            continue
        x, y = [p.known[name] for p in members], [-p.loss for p in members]
        encoders, pairs = [p.model_hash for p in members], [(p.source, p.language) for p in members]
        within = [
            _within([p for p, own in zip(members, pairs, strict=True) if own == pair], name)
            for pair in sorted(set(pairs))
        ]
        within = [value for value in within if not math.isnan(value)]
        low, high = spearman_interval(x, y, groups=(encoders, pairs))
        out.append(
            PredictorCorrelation(
                task=task,
                metric=metric,
                predictor=name,
                points=len(members),
                encoders=len(set(encoders)),
                languages=len({p.language for p in members}),
                value=float(spearman(x, y)),
                low=low,
                high=high,
                within=float(np.mean(within)) if within else math.nan,
            )
        )
    return sorted(out, key=lambda c: (c.task, PREDICTORS.index(c.predictor)))


def _within(points: Sequence[TransferScore], name: str) -> float:
    """Return the correlation over the encoders of one source and target."""
    if len({p.model_hash for p in points}) < _MIN_POINTS:
        return math.nan
    return float(spearman([p.known[name] for p in points], [-p.loss for p in points]))
