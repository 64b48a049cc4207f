"""The head of tagging and classification: a label for each chosen place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from paralign.device import on_device
from paralign.encoder import Encoder, States
from paralign.objectives import ObjectiveConfig, Step
from paralign.tasks.supervised import Head
from paralign.text.views import Batch

__all__ = ["LabelHead"]


class LabelHead(Head):
    """Dropout and a linear layer over the states of the targets; cross-entropy, a mean over targets.

    Args:
        encoder: for its width.
        labels: names of the labels; ``Example.labels`` count in them.
        dropout: on the states.
    """

    name: ClassVar[str] = "label"

    def __init__(self, encoder: Encoder, labels: Sequence[str], dropout: float = 0.1) -> None:
        super().__init__(ObjectiveConfig(), encoder)
        self.names = tuple(labels)
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(encoder.width, len(self.names))
        nn.init.normal_(self.linear.weight, std=0.02)
        nn.init.zeros_(self.linear.bias)

    def counts(self, batch: Batch) -> Mapping[str, int]:
        """Targets."""
        return {self.name: len(batch.view("example").masked)}

    def scores(self, states: States) -> Tensor:
        """[M, labels] scores of the targets of a view."""
        out: Tensor = self.linear(self.dropout(states.at(states.view.masked)))
        return out.float()

    def forward(self, step: Step) -> Mapping[str, Tensor]:
        """Summed cross-entropy."""
        states = step.hidden("example")
        labels = on_device(states.view.labels, states.flat.device)
        return {self.name: nn.functional.cross_entropy(self.scores(states), labels, reduction="sum")}

    def decode(self, states: States) -> list[npt.NDArray[np.float32]]:
        """[m, labels] log-probabilities of each row's targets."""
        found = self.scores(states).log_softmax(1).cpu().numpy()
        ends = np.searchsorted(states.view.masked, states.view.starts[1:])
        return np.split(found, ends)
