"""What a task is: it reads its data, decodes and scores; most own a head (see ``supervised``)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from paralign.config import Config, find_class, resolve
from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.metrics import item_score
from paralign.objectives import Objective
from paralign.results import Where
from paralign.task_table import TASKS, TaskInfo

__all__ = ["TASKS", "Score", "Task", "TaskConfig", "find_task", "find_task_class", "read_data"]


class TaskConfig(Config):
    """Settings of a task, the section ``[task]``."""


@dataclass(frozen=True)
class Score:
    """One measurement of one data set.

    Attributes:
        metric: its name.
        items: [n, 2], a row for each item. For ``statistic="ratio"`` numerator and denominator: the score is the ratio
            of their sums. For a correlation the pair of values, for example prediction and gold score.
        where: layer, pooling and direction, for tasks that have them.
        statistic: how the score is computed from the items: ``ratio``, ``pearson`` or ``spearman``.
    """

    metric: str
    items: npt.NDArray[np.float64]
    where: Where = field(default_factory=Where)
    statistic: str = "ratio"

    @property
    def value(self) -> float:
        """The score; NaN if it is undefined, as for no items."""
        return item_score(self.items, self.statistic)


class Task(ABC):
    """Base of every task. ``trains`` says whether it has a head to be fine-tuned.

    Data are whatever ``read`` returns; the other methods take it back.

    Args:
        config: settings, defaults where none are given.
    """

    name: ClassVar[str]
    trains: ClassVar[bool]
    Config: ClassVar[type[TaskConfig]] = TaskConfig
    title: ClassVar[str] = ""
    """The task's name in reports, for tasks that are not in the table ``TASKS``; ``name`` by default."""
    main_metrics: ClassVar[tuple[str, ...]] = ()
    """The metrics that reports show unfolded, the headline metric first, for tasks that are not in the table; all by
    default."""
    lower_is_better: ClassVar[tuple[str, ...]] = TaskInfo.lower_is_better
    """The metrics of which smaller values are better, for tasks that are not in the table."""

    def __init__(self, config: Any = None) -> None:
        self.config: Any = self.Config() if config is None else config

    @property
    def info(self) -> TaskInfo:
        """Title, main metrics and their direction: the table's entry, or what the class declares."""
        if self.name in TASKS:
            return TASKS[self.name].info
        return TaskInfo(self.title or self.name, tuple(self.main_metrics), tuple(self.lower_is_better))

    @abstractmethod
    def read(self, spec: str, *, lenient: bool, dropped: Counter[str], limit: int | None, labeled: bool = True) -> Any:
        """Read one data set, ``LANG=PATH`` (or ``SRC-TGT=PATH``).

        Args:
            spec: as the user gave it.
            lenient: drop items that cannot be used instead of raising.
            dropped: counts what was dropped, by reason.
            limit: the first so many items.
            labeled: off for data to predict on, which may lack labels.

        Raises:
            UserError: with file and line.
        """

    @abstractmethod
    def language(self, data: Any) -> str:
        """The language a row of results is about."""

    @abstractmethod
    def evaluate(self, encoder: Encoder, head: Objective | None, data: Any) -> list[Score]:
        """Score one data set."""

    def predict(self, encoder: Encoder, head: Objective | None, data: Any, path: Path) -> list[Path]:
        """Write predictions in the task's own format; returns the files written."""
        raise UserError(f"the task {self.name!r} predicts nothing", hint="use paralign evaluate")

    def texts_of(self, data: Any) -> Iterable[Sequence[str]]:
        """The texts of each item of a data set, to look for in training text."""
        return ()

    def labels_of(self, data: Any) -> Iterable[Sequence[str]]:
        """The labels of each item of a data set, to look for a constant."""
        return ()

    def baselines(self, data: Any) -> Mapping[str, Mapping[str, float]]:
        """What knowing nothing scores on a data set: ``{"chance": {metric: value}, "majority": {...}}``."""
        return {}


def find_task_class(name: str) -> type[Task]:
    """Return the class of a task.

    Args:
        name: a name of the table ``TASKS``, or ``my_module:Class``.

    Raises:
        UserError: if there is no such task.
    """
    implementations = {key: entry.implementation for key, entry in TASKS.items()}
    return find_class("task", name, implementations, Task)  # type: ignore[type-abstract]


def find_task(name: str, settings: Mapping[str, Any] | None = None) -> Task:
    """Return a task with its settings.

    Args:
        name: a name of the table ``TASKS``, or ``my_module:Class``.
        settings: settings of the task; defaults where none are given.

    Raises:
        UserError: if there is no such task, or a setting is wrong.
    """
    task_class = find_task_class(name)
    return task_class(resolve(task_class.Config, settings or {}))


def read_data(task: Task, spec: str, lenient: bool, limit: int | None) -> tuple[Any, Counter[str]]:
    """Read a data set of a task; return it and what was dropped, by reason."""
    dropped: Counter[str] = Counter()
    return task.read(spec, lenient=lenient, dropped=dropped, limit=limit), dropped
