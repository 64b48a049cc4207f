"""Measurements of a run: scores as rows of ``results.jsonl``, and as lines on the terminal."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from paralign.console import echo
from paralign.encoder import Encoder
from paralign.metrics import mean_sd
from paralign.metrics.bootstrap import bootstrap_interval
from paralign.objectives import Objective
from paralign.results import Items, Measurement, Seeds
from paralign.task_table import TASKS, is_scaled
from paralign.tasks import Score, Task
from paralign.tasks.supervised import SupervisedTask

__all__ = [
    "RowContext",
    "content_digest",
    "echo_scores",
    "echo_summary",
    "echo_truncated",
    "measure",
    "recorded_settings",
]


@dataclass(frozen=True)
class RowContext:
    """Fields that all rows of a measurement share.

    Attributes:
        model_facts: facts about the model (:func:`paralign.runs.model_folder.describe_encoder`).
        run: name of the run.
        seeds: seeds of the model.
        split: name of the split.
        train: languages the head was trained on. None: the task has no head.
        settings: settings recorded with every row.
    """

    model_facts: Mapping[str, Any]
    run: str
    seeds: Seeds
    split: str
    train: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


def measure(
    task: Task, encoder: Encoder, head: Objective | None, data: Any, dataset: str, context: RowContext
) -> list[tuple[Measurement, Items | None]]:
    """Score one data set.

    Args:
        task: the task.
        encoder: the encoder.
        head: the head of the task. None: the task has none.
        data: the data set, as the task reads it.
        dataset: name of the data set.
        context: fields that all rows share.

    Returns:
        Rows, each with the scores of its items.
    """
    model_facts = context.model_facts
    baselines = task.baselines(data)
    settings: dict[str, Any] = {"data": _digest(task.texts_of(data))}
    gold = list(task.gold_of(data))
    if any(gold):
        settings["gold"] = _digest(gold)
    settings |= {name: model_facts[name] for name in ("origin", "lineage", "base") if model_facts.get(name)}
    settings |= dict(context.settings)
    if task.name not in TASKS:  # a report cannot look it up
        settings["task_info"] = asdict(task.info)
    rows: list[tuple[Measurement, Items | None]] = []
    with task.autocast(encoder):
        scores = task.evaluate(encoder, head, data)
    for score in scores:
        values = {name: by_metric.get(score.metric, math.nan) for name, by_metric in baselines.items()}
        values = {name: value for name, value in values.items() if math.isfinite(value)}
        row = Measurement.of_model(
            model_facts,
            task=task.name,
            dataset=dataset,
            split=context.split,
            train=context.train,
            language=task.language(data),
            metric=score.metric,
            value=score.value,
            n=len(score.items),
            seeds=context.seeds,
            run=context.run,
            where=score.where,
            settings=settings | ({"baselines": values} if values else {}) | _correlation_settings(score),
        )
        rows.append((row, score.items))
    return rows


def _correlation_settings(score: Score) -> dict[str, Any]:
    """Return what a row records about a score that is not a ratio: the statistic, and a 95 % interval over items."""
    if score.statistic == "ratio":
        return {}
    interval = bootstrap_interval(score.items, statistic=score.statistic)
    return {"statistic": score.statistic, "interval": [None if math.isnan(end) else end for end in interval]}


def recorded_settings(task: Task) -> dict[str, Any]:
    """Return the settings of a task as rows record them."""
    settings = task.config.model_dump(mode="json")
    return {"task": settings} if settings else {}


def echo_truncated(task: Task, where: str, notes: set[str], quiet: bool) -> None:
    """Print how many items a task has truncated since the last call. Each note is printed once.

    Args:
        task: the task.
        where: name of the data.
        notes: the notes printed before; new ones are added.
        quiet: print nothing.
    """
    if isinstance(task, SupervisedTask):
        for reason, count in task.cut.items():
            note = f"{where}: {count:,} {reason}"
            if note not in notes:
                notes.add(note)
                echo(f"note: {note}", quiet=quiet)
        task.cut.clear()


def echo_scores(rows: Sequence[Measurement], quiet: bool) -> None:
    """Print one line per score."""
    for row in rows:
        where = " ".join(str(v) for v in (row.where.pool, row.where.direction) if v is not None)
        seed = "" if row.seeds.finetune is None else f" seed {row.seeds.finetune}"
        baselines = row.settings.get("baselines", {})
        baseline_text = "".join(f", {name} {_shown(value, row.metric)}" for name, value in baselines.items())
        value = _shown(row.value, row.metric)
        echo(f"{row.task} {row.language} {row.metric} {where} {value} (n={row.n:,}{baseline_text}){seed}", quiet=quiet)


def echo_summary(rows: Sequence[Measurement], quiet: bool) -> None:
    """Print mean and standard deviation over seeds of each main metric, and the gap to English."""
    groups: dict[tuple[str, ...], list[Measurement]] = {}
    main: dict[tuple[str, ...], str] = {}
    for row in rows:
        key = (row.task, row.dataset, row.language, str(row.where.direction))
        if main.setdefault(key, row.metric) == row.metric:
            groups.setdefault(key, []).append(row)
    english = {
        key[:2]: mean_sd([row.value for row in group])[0] for key, group in groups.items() if key[2:] == ("en", "None")
    }
    for (task, dataset, language, _), group in groups.items():
        mean, sd = mean_sd([row.value for row in group])
        reference = english.get((task, dataset)) if language != "en" else None
        metric = group[0].metric
        gap = "" if reference is None else f", {_shown(mean - reference, metric, '+')} compared with en"
        spread = "" if sd is None else f" ± {_shown(sd, metric)}"
        seeds = f"{len(group)} fine-tuning seed{'s' * (len(group) > 1)}"
        echo(f"{task} {dataset} {language}: {metric} {_shown(mean, metric)}{spread} ({seeds}{gap})", quiet=quiet)


def _shown(value: float, metric: str, sign: str = "") -> str:
    return f"{100 * value:{sign}.1f}" if is_scaled(metric) else f"{value:{sign}.2f}"


def content_digest(task: Task, data: Any) -> str:
    """Return the digest of the texts and labels of a data set, whatever its file; empty if the task names no texts."""
    return _digest(task.texts_of(data)) + _digest(task.gold_of(data)) if any(task.texts_of(data)) else ""


def _digest(items: Iterable[Sequence[str]]) -> str:
    """Return the digest of the texts or gold answers of items, in order: only scores of the same items are compared
    pairwise."""
    hasher = hashlib.blake2b(digest_size=8)
    for texts in items:
        for text in texts:
            hasher.update(text.encode("utf-8", "surrogatepass") + b"\0")
        hasher.update(b"\1")
    return hasher.hexdigest()
