"""The base class of task heads: objectives over a task's examples that also make predictions."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

from torch import nn

from paralign.encoder import Encoder, HiddenStates
from paralign.objectives import Objective, ObjectiveConfig

__all__ = ["TaskHead", "linear_layer"]


class TaskHead(Objective):
    """An objective over the view ``example`` that can also decode hidden states into predictions.

    A subclass defines ``name``, ``counts`` and ``forward`` as every :class:`paralign.objectives.Objective`, and
    :meth:`decode`. In the view ``example``, ``masked`` are the target positions of all rows, and ``labels`` their
    labels (see :class:`paralign.tasks.example_batches.Example`).

    Args:
        encoder: the encoder it reads, for the size of hidden states.
    """

    reads: ClassVar[tuple[str, ...]] = ("example",)

    def __init__(self, encoder: Encoder) -> None:
        super().__init__(ObjectiveConfig(), encoder)

    @abstractmethod
    def decode(self, states: HiddenStates) -> list[Any]:
        """Return a prediction for each row of a view, as NumPy arrays; the task turns them into answers.

        Args:
            states: last hidden states of a view ``example``.
        """


def linear_layer(inputs: int, outputs: int) -> nn.Linear:
    """Return a linear layer initialized as in BERT: weights of standard deviation 0.02, and zero biases."""
    linear = nn.Linear(inputs, outputs)
    nn.init.normal_(linear.weight, std=0.02)
    nn.init.zeros_(linear.bias)
    return linear
