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
from paralign.metrics import ratio
from paralign.objectives import Objective
from paralign.results import Where

__all__ = ["TASKS", "Score", "Task", "TaskConfig", "find_task", "read_data"]

TASKS = {
    "nli": "paralign.tasks.classification:Inference",
    "paraphrase": "paralign.tasks.classification:Paraphrase",
    "qa": "paralign.tasks.question_answering:QuestionAnswering",
    "pos": "paralign.tasks.tagging:PartOfSpeech",
    "ner": "paralign.tasks.tagging:NamedEntities",
    "parsing": "paralign.tasks.parsing:Parsing",
    "retrieval": "paralign.tasks.retrieval:Retrieval",
    "mining": "paralign.tasks.mining:Mining",
    "lexicon": "paralign.tasks.lexicon:LexiconInduction",
    "twins": "paralign.tasks.twins:Twins",
    "alignment": "paralign.tasks.word_alignment:WordAlignment",
}


class TaskConfig(Config):
    """Settings of a task, the section ``[task]``."""


@dataclass(frozen=True)
class Score:
    """One measurement of one data set.

    Attributes:
        metric: its name.
        items: [n, 2] numerator and denominator of each item; the score is the ratio of the sums.
        where: layer, pooling and direction, for tasks that have them.
    """

    metric: str
    items: npt.NDArray[np.float64]
    where: Where = field(default_factory=Where)

    @property
    def value(self) -> float:
        """Ratio of the sums; not a number over nothing."""
        return ratio(self.items)


class Task(ABC):
    """Base of every task. ``trains`` says whether it has a head to be fine-tuned.

    Data are whatever ``read`` returns; the other methods take it back.

    Args:
        config: settings, defaults where none are given.
    """

    name: ClassVar[str]
    trains: ClassVar[bool]
    Config: ClassVar[type[TaskConfig]] = TaskConfig

    def __init__(self, config: Any = None) -> None:
        self.config: Any = self.Config() if config is None else config

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


def find_task(name: str, settings: Mapping[str, Any] | None = None) -> Task:
    """The task of that name, or ``my_module:Class``, with settings.

    Raises:
        UserError: if there is none, or a setting is wrong.
    """
    kind = find_class("task", name, TASKS, Task)  # type: ignore[type-abstract]
    return kind(resolve(kind.Config, settings or {}))


def read_data(work: Task, spec: str, lenient: bool, limit: int | None) -> tuple[Any, Counter[str]]:
    """Read a data set of a task; return it and what was dropped, by reason."""
    dropped: Counter[str] = Counter()
    return work.read(spec, lenient=lenient, dropped=dropped, limit=limit), dropped
