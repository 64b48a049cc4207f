"""Frozen probes: linear classifiers of the hidden states of each layer, trained in one language, scored in others."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field

from paralign.analyses.base import AnalysisConfig, AnalysisResult, AnalyzedEncoder
from paralign.encoder import Encoder, HiddenStates
from paralign.encoder.hidden_states import Pooling
from paralign.encoder.sentences import check_pooling
from paralign.errors import UserError
from paralign.metrics.bootstrap import Resampled, compare_resampled, resample
from paralign.metrics.linear_probe import LinearProbe, fit_linear_probe
from paralign.results import Items, Measurement, Where
from paralign.tasks import Score
from paralign.tasks.base import find_task_class
from paralign.tasks.dataset import Dataset
from paralign.tasks.label_task import LabelTask
from paralign.tasks.supervised import SupervisedTask

__all__ = ["ProbeData", "ProbesConfig", "find_probed_task", "probe_encoders"]

_RESAMPLES = 2_000
Floats = npt.NDArray[np.float32]


class ProbesConfig(AnalysisConfig):
    """Settings under ``[probes]``."""

    items: int = Field(default=2_000, ge=10)
    """Maximum number of training items (sentences or pairs), drawn at random from each training set. States of all
    layers are kept in memory: about 0.6 GB for 2,000 sentences and 12 layers of width 384."""
    penalty: float = Field(default=100.0, gt=0)
    """Strength of the L2 penalty on the weights, for whitened states. A small one fits directions of little variance,
    which costs little in the language of training and much in others; choose it on the language of training."""
    pool: Pooling = "mean"
    """State of tasks with one label per row: ``mean`` over the row's pieces, special ones excluded, ``cls``, the first
    piece, or ``last``, the last. Tagging reads the first piece of each word."""
    seed: int = 0
    """Seed of the draw of training items."""


@dataclass(frozen=True)
class ProbeData:
    """What probes are trained and scored on.

    Attributes:
        task: a task with one label per target.
        train: training sets; the probe is trained on all of them together.
        evals: names and data sets to score.
        split: name of the split, recorded with the scores.
    """

    task: LabelTask
    train: Sequence[Dataset[Any]]
    evals: Sequence[tuple[str, Dataset[Any]]]
    split: str = "test"


@dataclass
class _Scored:
    """Scores of all probes of an encoder on one data set, layer by layer."""

    name: str
    data: Dataset[Any]
    layers: list[list[Score]] = field(default_factory=list)

    def tables(self) -> list[Items]:
        """Return the items of the main metric, by layer."""
        return [scores[0].items for scores in self.layers]


def find_probed_task(name: str) -> type[LabelTask]:
    """Return the class of a task with one label per target.

    Args:
        name: a name in :data:`paralign.tasks.base.TASKS`, or ``my_module:Class``.

    Raises:
        UserError: if there is none, or if it has another head, as parsing and question answering do, or none.
    """
    kind = find_task_class(name)
    if not issubclass(kind, LabelTask):
        hint = "use pos, ner, nli, paraphrase or topics, or derive your task from LabelTask"
        raise UserError(f"the task {name!r} has no linear probe: it is neither tagging nor classification", hint=hint)
    return kind


def probe_encoders(
    encoders: Sequence[AnalyzedEncoder],
    data: ProbeData,
    config: ProbesConfig,
    *,
    run: str,
    progress: Callable[[str], None],
) -> AnalysisResult:
    """Train and score a linear probe on each hidden state of each encoder.

    Args:
        encoders: in the order given, the one before training first; the others are compared with it.
        data: the task and its data.
        config: settings.
        run: name of the run, for result rows.
        progress: prints a line.

    Returns:
        A row for each encoder, data set, layer and metric, and the figure ``probes``.
    """
    for analyzed in encoders:
        check_pooling(analyzed.encoder, config.pool)
    measured: list[Measurement] = []
    warnings: list[str] = []
    of_encoders: list[list[_Scored]] = []
    seconds = []
    train = [part.sample(min(config.items, len(part)), config.seed) for part in data.train]
    for analyzed in encoders:
        began = time.monotonic()
        with data.task.autocast(analyzed.encoder):
            states, labels, pool = _training_states(analyzed.encoder, data.task, train, config.pool)
        encoded = time.monotonic()
        classes = len(data.task.names())
        probes = []
        while states:  # each layer is released when its probe is trained
            probes.append(fit_linear_probe(states.pop(0), labels, classes, penalty=config.penalty))
        fitted = time.monotonic()
        slow = [layer for layer, probe in enumerate(probes) if not probe.converged]
        if slow:
            warnings.append(f"{analyzed.name}: the probes of layers {slow} did not converge")
        with data.task.autocast(analyzed.encoder):
            scored = [
                _Scored(name, part, _score(analyzed.encoder, data.task, part, probes, pool))
                for name, part in data.evals
            ]
        warnings += [f"{analyzed.name}: {count:,} {reason}" for reason, count in data.task.cut.items()]
        data.task.cut.clear()
        of_encoders.append(scored)
        spent = {
            "encoding": round(encoded - began, 2),
            "fitting": round(fitted - encoded, 2),
            "scoring": round(time.monotonic() - fitted, 2),
        }
        seconds.append({"system": analyzed.name, "labels": len(labels), **spent})
        progress(
            f"{analyzed.name}: {len(labels):,} labels encoded in {spent['encoding']} s, {len(probes)} probes trained in"
            f" {spent['fitting']} s, scored in {spent['scoring']} s"
        )
        for part in scored:
            measured += _rows(analyzed, data, part, config, run, pool)
            progress(_summary(analyzed.name, part))
    curves = _curves(encoders, data, of_encoders)
    figure = {
        "settings": config.model_dump(mode="json"),
        "task": data.task.info.title,
        "train": _languages(data),
        "items": sum(len(part) for part in train),
        "seconds": seconds,
        "curves": curves,
    }
    return AnalysisResult(measured, rows=measured, figures={"probes": figure}, warnings=warnings)


def _read(states: HiddenStates, pool: str | None) -> Floats:
    """Return the states that a probe reads: of the targets, or one for each row."""
    read = states.at(states.view.masked) if pool is None else states.pool(pool)
    out: Floats = read.float().cpu().numpy()
    return out


@torch.no_grad()
def _training_states(
    encoder: Encoder, task: SupervisedTask, train: Sequence[Dataset[Any]], pool: Pooling
) -> tuple[list[Floats], npt.NDArray[np.int64], str | None]:
    """Encode the training items once; return the states of every layer, their labels, and how rows are pooled."""
    layers = list(range(encoder.layers + 1))
    parts: list[list[Floats]] = [[] for _ in layers]
    labels: list[npt.NDArray[np.int64]] = []
    pooled: str | None = None
    for number, data in enumerate(train):
        for _, rows, batches in task.encode(encoder, data, layers):
            if not labels and not number:  # one target, the first piece: a label of the row, not of a word
                pooled = pool if all(row.targets.tolist() == [0] for row in rows) else None
            for _, states in batches:
                for part, of_layer in zip(parts, states, strict=True):
                    part.append(_read(of_layer, pooled))
                labels.append(states[0].view.labels)
    out = []
    while parts:
        out.append(np.concatenate(parts.pop(0)))
    return out, np.concatenate(labels), pooled


@torch.no_grad()
def _score(
    encoder: Encoder, task: SupervisedTask, data: Dataset[Any], probes: Sequence[LinearProbe], pool: str | None
) -> list[list[Score]]:
    """Score the probes of all layers on a data set, which is encoded once."""
    answered: list[list[tuple[Any, Any]]] = [[] for _ in probes]
    for items, rows, batches in task.encode(encoder, data, range(len(probes))):
        predictions: list[dict[int, Floats]] = [{} for _ in probes]
        for batch, states in batches:
            sizes = np.cumsum([1 if pool else len(rows[row].targets) for row in batch])[:-1]
            for probe, of_layer, predicted in zip(probes, states, predictions, strict=True):
                log_probabilities = probe.log_probabilities(_read(of_layer, pool))
                predicted.update(zip(batch, np.split(log_probabilities, sizes), strict=True))
        for predicted, of_layer_answers in zip(predictions, answered, strict=True):
            of_layer_answers += task.answer_all(items, rows, predicted)
    return [task.scores(of_layer_answers, data) for of_layer_answers in answered]


def _languages(data: ProbeData) -> str:
    return "+".join(dict.fromkeys(part.language for part in data.train))


def _rows(
    analyzed: AnalyzedEncoder, data: ProbeData, scored: _Scored, config: ProbesConfig, run: str, pool: str | None
) -> Iterator[Measurement]:
    settings = {"probed": data.task.name, "probes": config.model_dump(mode="json")}
    for layer, scores in enumerate(scored.layers):
        for score in scores:
            yield Measurement.of_model(
                analyzed.model_facts,
                task="probes",
                dataset=scored.name,
                split=data.split,
                train=_languages(data),
                language=scored.data.language,
                metric=f"{data.task.name}_{score.metric}",
                value=score.value,
                n=len(score.items),
                run=run,
                where=Where(layer=layer, pool=pool),
                settings=settings,
            )


def _curves(
    encoders: Sequence[AnalyzedEncoder], data: ProbeData, of_encoders: Sequence[Sequence[_Scored]]
) -> list[dict[str, Any]]:
    """Return the main metric by layer for each data set and encoder, with intervals over test items, and the paired
    differences from the first encoder if it has as many layers."""
    curves = []
    for index, (name, part) in enumerate(data.evals):
        tables = [scored[index].tables() for scored in of_encoders]
        statistic = of_encoders[0][index].layers[0][0].statistic
        every = [table for of_encoder in tables for table in of_encoder]
        flat = iter(resample(every, _RESAMPLES, statistic=statistic))
        resampled = [[next(flat) for _ in of_encoder] for of_encoder in tables]
        baselines = data.task.baselines(part)
        for number, analyzed in enumerate(encoders):
            scores = [of_layer[0] for of_layer in of_encoders[number][index].layers]
            values = [
                {"layer": layer, "value": score.value, **_interval(drawn)}
                for layer, (score, drawn) in enumerate(zip(scores, resampled[number], strict=True))
            ]
            changes = []
            if number and len(resampled[number]) == len(resampled[0]):
                changes = [
                    {"layer": layer, **_change(after, before)}
                    for layer, (after, before) in enumerate(zip(resampled[number], resampled[0], strict=True))
                ]
            metric = scores[0].metric
            curves.append(
                {
                    "system": analyzed.name,
                    "model_hash": analyzed.model_facts["model_hash"],
                    "control": analyzed.model_facts["control"],
                    "dataset": name,
                    "language": part.language,
                    "metric": metric,
                    "lower_is_better": metric in data.task.info.lower_is_better,
                    "n": len(scores[0].items),
                    "baselines": _baselines(baselines, metric),
                    "values": values,
                    "changes": changes,
                }
            )
    return curves


def _baselines(baselines: Mapping[str, Mapping[str, float]], metric: str) -> dict[str, float]:
    return {name: scores[metric] for name, scores in baselines.items() if metric in scores}


def _interval(drawn: Resampled | None) -> dict[str, float | None]:
    low, high = drawn.interval() if drawn is not None else (math.nan, math.nan)
    return {"low": low, "high": high} if math.isfinite(low) else {"low": None, "high": None}


def _change(after: Resampled | None, before: Resampled | None) -> dict[str, float | None]:
    if after is None or before is None:
        return {"value": None, "low": None, "high": None}
    compared = compare_resampled([(after, before)])
    return {"value": compared.difference, "low": compared.low, "high": compared.high}


def _summary(system: str, scored: _Scored) -> str:
    values = " ".join(f"{100 * scores[0].value:.1f}" for scores in scored.layers)
    return f"{system}, {scored.data.language} {scored.name}: {scored.layers[0][0].metric} by layer {values}"
