"""What a task is: it reads its data, owns a head (an objective), decodes and scores."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from paralign.config import did_you_mean
from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.objectives import Batches, Objective
from paralign.results import Where
from paralign.training import TrainingConfig

__all__ = ["TASKS", "Score", "Task", "find_task"]

TASKS = {"pos": "paralign.tasks.tagging:PartOfSpeech", "retrieval": "paralign.tasks.retrieval:Retrieval"}


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
        """Ratio of the sums."""
        return float(self.items[:, 0].sum() / max(1e-12, self.items[:, 1].sum()))


class Task(ABC):
    """Base of every task. ``trains`` says whether it has a head to be fine-tuned.

    Data are whatever ``read`` returns; the other methods take it back.
    """

    name: ClassVar[str]
    trains: ClassVar[bool]

    @abstractmethod
    def read(self, spec: str, *, lenient: bool, dropped: Counter[str], limit: int | None) -> Any:
        """Read one data set, ``LANG=PATH`` (or ``SRC-TGT=PATH``).

        Raises:
            UserError: with file and line.
        """

    @abstractmethod
    def language(self, data: Any) -> str:
        """The language a row of results is about."""

    @abstractmethod
    def evaluate(self, encoder: Encoder, head: Objective | None, data: Any) -> list[Score]:
        """Score one data set."""

    def head(self, encoder: Encoder) -> Objective:
        """A fresh head on an encoder."""
        raise UserError(f"the task {self.name!r} is not trained", mend="use paralign evaluate")

    def batches(self, encoder: Encoder, data: Any, training: TrainingConfig) -> Batches:
        """Training batches of one data set."""
        raise UserError(f"the task {self.name!r} is not trained", mend="use paralign evaluate")


def find_task(name: str) -> Task:
    """The task of that name.

    Raises:
        UserError: if there is none.
    """
    import importlib

    if name not in TASKS:
        raise UserError(f"unknown task {name!r}", mend=did_you_mean(name, TASKS))
    module, _, attribute = TASKS[name].partition(":")
    task: Task = getattr(importlib.import_module(module), attribute)()
    return task
