"""The base class of tasks. A task reads its data and scores an encoder; tasks with a head are in ``supervised``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch

from paralign.config import Config, find_class, resolve
from paralign.encoder import Encoder
from paralign.encoder.precision import choose_precision
from paralign.errors import UserError
from paralign.metrics import item_score
from paralign.objectives import Objective
from paralign.results import Where
from paralign.task_table import TASKS, TaskInfo

__all__ = ["TASKS", "Score", "Task", "TaskConfig", "find_task", "find_task_class", "read_data"]


class TaskConfig(Config):
    """Settings of a task, in the section ``[task]``."""

    precision: Literal["fp32", "bf16"] = "fp32"
    """Precision of matrix products in evaluation and prediction. ``bf16`` is faster where the hardware supports it; a
    few answers may differ."""


@dataclass(frozen=True)
class Score:
    """The score of one metric on one data set.

    Attributes:
        metric: name of the metric.
        items: a row for each item. For ``statistic="ratio"`` it holds numerator and denominator, and the score is the
            ratio of their sums. For a correlation it holds the pair of values, for example prediction and gold score;
            for ``macro_f1`` the numbers of the gold and the predicted label. Shape: [n, 2].
        where: layer, pooling and direction, for tasks that have them.
        statistic: how the score is computed from the items: ``ratio``, ``pearson``, ``spearman`` or ``macro_f1``.

    >>> Score("accuracy", np.array([[1.0, 1.0], [0.0, 1.0]])).value
    0.5
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
    """Base class of tasks.

    A subclass defines ``name``, ``trains``, :meth:`read`, :meth:`language` and :meth:`evaluate`; the other methods are
    optional. Tasks that train a head derive from :class:`paralign.tasks.supervised.SupervisedTask` instead. What
    :meth:`read` returns is passed to the other methods as ``data``.

    Args:
        config: the settings, an instance of the class's ``Config``. None: defaults.

    >>> task = find_task("retrieval")
    >>> data = task.read("en-de=smallworld:0-4", lenient=False, dropped=Counter(), limit=None)
    >>> task.language(data), task.baselines(data)["chance"]["accuracy_cosine"]
    ('de', 0.25)
    """

    name: ClassVar[str]
    """Name of the task on the command line and in results."""
    trains: ClassVar[bool]
    """Whether the task has a head that is fine-tuned."""
    accepts_causal: ClassVar[bool] = False
    """Whether it can measure causal language models; a task with a head, by its linear probe."""
    Config: ClassVar[type[TaskConfig]] = TaskConfig
    """Class of its settings, ``--set task.KEY=VALUE``."""
    title: ClassVar[str] = ""
    """The task's name in reports, for tasks that are not in the table ``TASKS``; ``name`` by default."""
    main_metrics: ClassVar[tuple[str, ...]] = ()
    """The metrics that reports show unfolded, the headline metric first, for tasks that are not in the table; all by
    default."""
    lower_is_better: ClassVar[tuple[str, ...]] = TaskInfo.lower_is_better
    """The metrics of which smaller values are better, for tasks that are not in the table."""

    items_are_words: ClassVar[bool] = False
    """Whether the texts of items are single words: an item was then seen in training if all of its texts were.
    Otherwise one text of some length is enough."""

    def __init__(self, config: Any = None) -> None:
        self.config: Any = self.Config() if config is None else config

    @classmethod
    def measures_causal(cls) -> bool:
        """Return whether causal language models can be evaluated on the task as they are: it has no head to train."""
        return cls.accepts_causal and not cls.trains

    @property
    def info(self) -> TaskInfo:
        """Title, main metrics and their direction: the table's entry, or what the class declares."""
        if self.name in TASKS:
            return TASKS[self.name].info
        return TaskInfo(self.title or self.name, tuple(self.main_metrics), tuple(self.lower_is_better))

    @abstractmethod
    def read(self, spec: str, *, lenient: bool, dropped: Counter[str], limit: int | None, labeled: bool = True) -> Any:
        """Read one data set.

        Args:
            spec: what the user gave, ``LANG=PATH`` or ``SRC-TGT=PATH``.
            lenient: whether to drop items that cannot be used instead of raising an error.
            dropped: counts dropped items, by reason.
            limit: number of items to read, from the first. None: all.
            labeled: whether items must have labels; False for data to predict on.

        Returns:
            The data set, which the other methods get as ``data``.

        Raises:
            UserError: for data that cannot be read, with file and line.
        """

    @abstractmethod
    def language(self, data: Any) -> str:
        """Return the language that is recorded with results."""

    @abstractmethod
    def evaluate(self, encoder: Encoder, head: Objective | None, data: Any) -> list[Score]:
        """Score an encoder on one data set.

        Args:
            encoder: the encoder.
            head: the fine-tuned head. None: there is none.
            data: what :meth:`read` returned.

        Returns:
            A score for each metric, with its items in the order of the data.
        """

    def autocast(self, encoder: Encoder) -> AbstractContextManager[Any]:
        """Return a context with the precision of the settings, for :meth:`evaluate` and :meth:`predict`.

        Raises:
            UserError: if the encoder cannot be computed in this precision.
        """
        half = choose_precision(self.config.precision, [encoder], option="--set task.precision=fp32") == "bf16"
        return torch.autocast(encoder.device.type, torch.bfloat16) if half else nullcontext()

    def alternatives(self, encoder: Encoder) -> Sequence[Mapping[str, Any]]:
        """Return the settings that can be chosen on development data (``paralign evaluate --dev``), such as
        ``[{"layer": 0}, {"layer": 1}]``.

        Default: none. Each must be a subset of :attr:`Config`.
        """
        return ()

    def predict(self, encoder: Encoder, head: Objective | None, data: Any, path: Path) -> list[Path]:
        """Write predictions in the task's format.

        Args:
            encoder: the encoder.
            head: the fine-tuned head. None: there is none.
            data: what :meth:`read` returned.
            path: the file to write.

        Returns:
            The files written.

        Raises:
            UserError: by default, if the task has no predictions.
        """
        raise UserError(f"the task {self.name!r} has no predictions", hint="use paralign evaluate")

    def outputs(self, path: Path) -> list[Path]:
        """Return the files that :meth:`predict` writes for a ``path``, which are checked before it is called.

        Default: ``path`` alone.
        """
        return [path]

    def texts_of(self, data: Any) -> Iterable[Sequence[str]]:
        """Return the texts of each item, to look for train–test overlap. Default: none."""
        return ()

    def texts_by_language(self, data: Any) -> Iterable[tuple[str, Iterable[str]]]:
        """Return languages and their texts, to warn about text in another language or script.

        Default: all texts are in :meth:`language`.
        """
        return ((self.language(data), (text for texts in self.texts_of(data) for text in texts)),)

    def labels_of(self, data: Any) -> Iterable[Sequence[str]]:
        """Return the labels of each item, to warn about constant labels. Default: none."""
        return ()

    def gold_of(self, data: Any) -> Iterable[Sequence[str]]:
        """Return the gold answers of each item as text: with other ones, scores are not compared item by item.

        Only what scores depend on, in addition to :meth:`texts_of`. Default: :meth:`labels_of`.
        """
        return self.labels_of(data)

    def warnings(self, data: Any) -> Sequence[str]:
        """Return warnings about how a data set is scored. Default: none."""
        return ()

    def baselines(self, data: Any) -> Mapping[str, Mapping[str, float]]:
        """Return the scores of baselines without a model, such as ``{"chance": {metric: value}, "majority": {...}}``.

        Default: none.
        """
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
        settings: settings of the task. None, and settings that are missing: defaults.

    Raises:
        UserError: if there is no such task, or a setting is wrong.
    """
    task_class = find_task_class(name)
    return task_class(resolve(task_class.Config, settings or {}, section="task"))


def read_data(task: Task, spec: str, lenient: bool, limit: int | None) -> tuple[Any, Counter[str]]:
    """Read a data set of a task; return it with the number of dropped items by reason. See :meth:`Task.read`."""
    dropped: Counter[str] = Counter()
    return task.read(spec, lenient=lenient, dropped=dropped, limit=limit), dropped
