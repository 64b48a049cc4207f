"""What tells how well a task will transfer: similarity, retrieval and static alignment beside what transfer lost."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
        value, low, high: over all points, with the interval of resampled encoders and languages; nan with few of them.
        within: mean over sources and targets of the correlation over encoders alone; nan with fewer than four encoders.
            Over all points near languages may lead far ones in everything, whatever was done to the encoder.
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


def transferred(rows: Iterable[Measurement]) -> tuple[list[Transferred], list[str]]:
    """Every zero-shot score whose source was scored too, with what else is known of its encoder and language.

    Of each task the metric told first counts, and rows of changed layers do not. What was measured in several ways (on
    other data, with other settings) is never averaged: the way most rows have counts.

    Returns:
        the points; and what was left out, in words.
    """
    metrics: dict[str, str] = {}
    scores: _Several = _Several()
    found: _Several = _Several()
    layers: _Several = _Several()
    names: dict[str, str] = {}
    for row in rows:
        where = row.where
        if row.train is not None and not row.settings.get("layers"):
            if metrics.setdefault(row.task, row.metric) == row.metric:
                told = [_told(row.settings.get(name)) for name in ("task", "training")]
                told.append(str(row.settings.get("data", "")))
                way = " ".join([f"{row.task} on {row.dataset} {row.split}", *filter(None, told)])
                scores.add((row.task, row.train, row.language, row.model_hash), way, row.value)
                names[row.model_hash] = str(row.settings.get("system") or row.model)
            continue
        sides = _sides(where.direction, row.language)
        if row.task == "similarity" and row.metric == "cka" and where.layer is not None:
            way = f"CKA of {row.n:,} sentences of {row.dataset} {_told(row.settings.get('similarity'))}"
            layers.add((row.model_hash, *sides, where.layer), way, row.value)
        elif row.task == "retrieval" and row.metric == "accuracy_cosine":
            way = f"retrieval on {row.dataset} {row.split}, layer {where.layer}"
            found.add((row.model_hash, *sides, f"retrieval, {where.pool}"), way, row.value)
        elif row.task in ("lexicon", "twins") and row.metric == "precision_at_1_cosine":
            way = f"{row.task} on {row.dataset} {_told(row.settings.get('task'))}"
            found.add((row.model_hash, *sides, row.task), way, row.value)
    known: dict[tuple[Any, ...], dict[str, float]] = defaultdict(dict)
    for (*pair, name), value in found.means().items():
        known[tuple(pair)][name] = value
    depths: dict[tuple[Any, ...], dict[int, float]] = defaultdict(dict)
    for (*pair, layer), value in layers.means().items():
        depths[tuple(pair)][layer] = value
    for both, by_layer in depths.items():
        inner = [value for layer, value in by_layer.items() if layer] or list(by_layer.values())
        known[both] |= {"cka, last layer": by_layer[max(by_layer)], "cka, mean of layers": float(np.mean(inner))}
    means = scores.means()
    out = []
    for (task, source, language, model_hash), score in means.items():
        own = means.get((task, source, source, model_hash))
        about = known.get((model_hash, *sorted((source, language))), {})
        if own is not None and language != source and about:
            out.append(
                Transferred(task, metrics[task], source, language, names[model_hash], model_hash, score,
                            round(own - score, 12), about)
            )  # fmt: skip
    notes = scores.left_out() + found.left_out() + layers.left_out()
    return sorted(out, key=lambda p: (p.task, p.source, p.language, p.system, p.model_hash)), notes


class _Several:
    """Values of places that may have been measured in several ways; only one way of each kind counts."""

    def __init__(self) -> None:
        self._values: dict[tuple[Any, ...], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        self._ways: Counter[str] = Counter()

    def add(self, place: tuple[Any, ...], way: str, value: float) -> None:
        self._values[place][way].append(value)
        self._ways[way] += 1

    def means(self) -> dict[tuple[Any, ...], float]:
        """By place, in the way that most rows have (the first of equals)."""
        return {place: float(np.mean(ways[self._best(ways)])) for place, ways in self._values.items()}

    def left_out(self) -> list[str]:
        """The ways that do not count somewhere."""
        lost = {way: self._best(ways) for ways in self._values.values() for way in ways if way != self._best(ways)}
        return [f"measured in several ways: {best} counts, {way} does not" for way, best in lost.items()]

    def _best(self, ways: Mapping[str, list[float]]) -> str:
        return max(ways, key=lambda way: self._ways[way])


def _told(settings: object) -> str:
    """The settings that make a measure another one, in short."""
    if not isinstance(settings, Mapping):
        return ""
    return " ".join(f"{k}={v}" for k, v in sorted(settings.items()) if k not in ("halves", "streamed", "seed"))


def _sides(direction: str | None, language: str) -> tuple[str, str]:
    """Two languages, in one order for both directions; English and the row's own where no direction is told."""
    one, _, other = (direction or "").partition("-")
    first, second = sorted((one, other) if other else ("en", language))
    return first, second


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
        encoders, ways = [p.model_hash for p in some], [(p.source, p.language) for p in some]
        places = sorted(set(ways))
        inside = [_of([p for p in some if (p.source, p.language) == place], name) for place in places]
        known = [value for value in inside if not np.isnan(value)]
        out.append(
            Predicted(
                task, metric, name, len(some), len(set(encoders)), len(languages), spearman(x, y),
                *spearman_interval(x, y, groups=(encoders, ways)), float(np.mean(known)) if known else float("nan"),
            )
        )  # fmt: skip
    return sorted(out, key=lambda c: (c.task, PREDICTORS.index(c.predictor)))


def _of(points: Sequence[Transferred], name: str) -> float:
    if len({p.model_hash for p in points}) < _FEWEST:
        return float("nan")
    return spearman([p.known[name] for p in points], [-p.loss for p in points])
