"""Choice of the layer and pooling of an encoder on development data, for tasks that train nothing."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from paralign.config import resolve
from paralign.encoder import Encoder
from paralign.encoder.layer_cache import cached_layers
from paralign.errors import UserError
from paralign.results import CHOSEN, Items, Measurement, Where
from paralign.task_table import metric_without_conditions
from paralign.tasks import Task

__all__ = ["ChosenLayer", "at_choice", "choose_layer", "with_settings"]


@dataclass(frozen=True)
class ChosenLayer:
    """What was chosen.

    Attributes:
        settings: the task's settings that were chosen, such as ``{"layer": 3}``.
        layer: layer of the scores. None: they have none, as static word vectors.
        pool: pooling of the scores. None: they have none.
        score: the mean of the task's main metric over development sets and directions.
    """

    settings: Mapping[str, Any]
    layer: int | None
    pool: str | None
    score: float

    @property
    def label(self) -> str:
        """``layer 4, mean``, or ``static``."""
        parts = ["" if self.layer is None else f"layer {self.layer}", self.pool or ""]
        return ", ".join(part for part in parts if part)

    def describe(self) -> dict[str, Any]:
        """Return what result rows record as ``settings["chosen"]``."""
        return {"layer": self.layer, "pool": self.pool, "score": self.score}


def choose_layer(task: Task, encoder: Encoder, dev: Sequence[Any]) -> ChosenLayer:
    """Return the layer and pooling with the best main metric on development data.

    Every alternative of the task (:meth:`paralign.tasks.Task.alternatives`) is scored on all development sets. Scores
    are averaged over sets and directions. Of equal ones the first is chosen.

    Args:
        task: a task without a head.
        encoder: the encoder.
        dev: development sets, as the task reads them.

    Raises:
        UserError: if the task has nothing to choose.
    """
    alternatives = task.alternatives(encoder)
    if not alternatives:
        raise UserError(f"the task {task.name!r} has no layer to choose", hint="leave --dev out")
    metric = task.info.main_metrics[0] if task.info.main_metrics else None
    sign = -1 if metric in task.info.lower_is_better else 1
    best: ChosenLayer | None = None
    with cached_layers():
        for settings in alternatives:
            candidate = with_settings(task, settings)
            values: dict[tuple[int | None, str | None], list[float]] = defaultdict(list)
            for data in dev:
                with candidate.autocast(encoder):
                    found = candidate.evaluate(encoder, None, data)
                for score in found:
                    if metric is None or metric_without_conditions(score.metric) == metric:
                        values[score.where.layer, score.where.pool].append(score.value)
            for (layer, pool), scores in values.items():
                mean = math.fsum(scores) / len(scores)
                if math.isfinite(mean) and (best is None or sign * mean > sign * best.score):
                    best = ChosenLayer(settings, layer, pool, mean)
    if best is None:
        raise UserError(f"no score of {task.name!r} on the development data is a number", hint="give other data")
    return best


def with_settings(task: Task, settings: Mapping[str, Any]) -> Task:
    """Return a task with some settings replaced."""
    return type(task)(resolve(type(task).Config, task.config.model_dump() | dict(settings)))


def at_choice(
    measured: Sequence[tuple[Measurement, Items | None]], choice: ChosenLayer
) -> list[tuple[Measurement, Items | None]]:
    """Return the rows of the chosen pooling, labeled so that tables compare systems with different choices.

    Their ``where`` has the pooling ``chosen`` and no layer; what was chosen is recorded as ``settings["chosen"]``.
    """
    rows = []
    for row, items in measured:
        if (row.where.layer, row.where.pool) == (choice.layer, choice.pool):
            where = Where(pool=CHOSEN, direction=row.where.direction)
            settings = row.settings | {"chosen": choice.describe()}
            rows.append((row.model_copy(update={"where": where, "settings": settings}), items))
    return rows
