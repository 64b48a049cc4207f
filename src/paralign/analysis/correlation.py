"""What tells how well a task will transfer: similarity, retrieval and static alignment beside what transfer lost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from paralign.metrics.correlation import spearman, spearman_interval
from paralign.results import Measurement

__all__ = ["PREDICTORS", "Predicted", "Transferred", "predicted", "transferred"]

PREDICTORS = ("cka, last layer", "cka, mean of layers", "retrieval, mean", "retrieval, cls", "lexicon", "twins")
"""What may be known of an encoder and a language without fine-tuning."""
_FEWEST = 4


@dataclass(frozen=True)
class Transferred:
    """One encoder, task, source and target.

    Attributes:
        task, metric, source, language: what was fine-tuned and where it was scored.
        system, model_hash: the encoder.
        score: on the target, mean over fine-tuning seeds.
        loss: the source's score minus that, 0 where nothing is lost.
        known: by predictor.
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


@dataclass(frozen=True)
class Predicted:
    """Spearman's correlation of a predictor with the share that transfer keeps (minus its loss).

    Attributes:
        task, metric, predictor: what with what.
        points: encoders x languages; encoders, languages: how many of each.
        value, low, high: over all points, with the interval of resampled points.
        within: mean over languages of the correlation over encoders alone; nan with fewer than four encoders. Over all
            points near languages may lead far ones in everything, whatever was done to the encoder.
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


def transferred(rows: Iterable[Measurement]) -> list[Transferred]:
    """Every zero-shot score whose source was scored too, with what else is known of its encoder and language; of each
    task the metric told first counts, and rows of changed layers do not."""
    metrics: dict[str, str] = {}
    scores: dict[tuple[str, str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    found: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    layers: dict[tuple[str, str], dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    names: dict[str, str] = {}
    for row in rows:
        place = (row.model_hash, row.language)
        if row.train is not None and not row.settings.get("layers"):
            if metrics.setdefault(row.task, row.metric) == row.metric:
                scores[row.task, row.model_hash, row.train][row.language].append(row.value)
                names[row.model_hash] = str(row.settings.get("system") or row.model)
        elif row.task == "similarity" and row.metric == "cka" and row.where.layer is not None:
            layers[place][row.where.layer].append(row.value)
        elif row.task == "retrieval" and row.metric == "accuracy_cosine":
            found[place][f"retrieval, {row.where.pool}"].append(row.value)
        elif row.task in ("lexicon", "twins") and row.metric == "precision_at_1_cosine":
            found[place][row.task].append(row.value)
    for place, by_layer in layers.items():
        means = {layer: float(np.mean(some)) for layer, some in by_layer.items()}
        found[place]["cka, last layer"].append(means[max(means)])
        inner = [value for layer, value in means.items() if layer]
        found[place]["cka, mean of layers"].append(float(np.mean(inner or list(means.values()))))
    out = []
    for (task, model_hash, source), by_language in scores.items():
        if source not in by_language:
            continue
        own = float(np.mean(by_language[source]))
        for language, values in by_language.items():
            known = {name: float(np.mean(some)) for name, some in found.get((model_hash, language), {}).items()}
            if language != source and known:
                score = float(np.mean(values))
                out.append(
                    Transferred(
                        task, metrics[task], source, language, names[model_hash], model_hash, score,
                        round(own - score, 12), known,
                    )
                )  # fmt: skip
    return sorted(out, key=lambda p: (p.task, p.source, p.language, p.system, p.model_hash))


def predicted(points: Iterable[Transferred]) -> list[Predicted]:
    """Every predictor of every task with at least four points."""
    groups: dict[tuple[str, str, str], list[Transferred]] = defaultdict(list)
    for point in points:
        for name in point.known:
            groups[point.task, point.metric, name].append(point)
    out = []
    for (task, metric, name), some in groups.items():
        if len(some) < _FEWEST:
            continue
        x, y = [p.known[name] for p in some], [-p.loss for p in some]
        languages = sorted({p.language for p in some})
        inside = [_of([p for p in some if p.language == language], name) for language in languages]
        known = [value for value in inside if not np.isnan(value)]
        out.append(
            Predicted(
                task, metric, name, len(some), len({p.model_hash for p in some}), len(languages), spearman(x, y),
                *spearman_interval(x, y), float(np.mean(known)) if known else float("nan"),
            )
        )  # fmt: skip
    return sorted(out, key=lambda c: (c.task, PREDICTORS.index(c.predictor)))


def _of(points: Sequence[Transferred], name: str) -> float:
    if len(points) < _FEWEST:
        return float("nan")
    return spearman([p.known[name] for p in points], [-p.loss for p in points])
