"""The head of tagging and classification: one label for each target position."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from paralign.batches.views import Batch
from paralign.device import on_device
from paralign.encoder import Encoder, HiddenStates
from paralign.objectives import Step
from paralign.tasks.head import TaskHead, linear_layer

__all__ = ["LabelHead"]


class LabelHead(TaskHead):
    """Dropout and a linear layer on the states of the targets. Loss ``label``: cross-entropy, a mean over targets.

    Args:
        encoder: the encoder it reads.
        labels: names of the labels; ``Example.labels`` are indices into them.
    """

    name: ClassVar[str] = "label"

    def __init__(self, encoder: Encoder, labels: Sequence[str]) -> None:
        super().__init__(encoder)
        self.names = tuple(labels)
        self.dropout = nn.Dropout(0.1)
        self.linear = linear_layer(encoder.width, len(self.names))

    def counts(self, batch: Batch) -> Mapping[str, int]:
        """Count targets."""
        return {self.name: len(batch.view("example").masked)}

    def logits(self, states: HiddenStates) -> Tensor:
        """Return the logits of the targets of a view, row after row. Shape: [M, labels]."""
        out: Tensor = self.linear(self.dropout(states.at(states.view.masked)))
        return out.float()

    def forward(self, step: Step) -> Mapping[str, Tensor]:
        """Return the summed cross-entropy."""
        states = step.hidden("example")
        labels = on_device(states.view.labels, states.flat.device)
        return {self.name: nn.functional.cross_entropy(self.logits(states), labels, reduction="sum")}

    def decode(self, states: HiddenStates) -> list[npt.NDArray[np.float32]]:
        """Return the log-probabilities of each row's m targets. Shape of each: [m, labels]."""
        log_probabilities = self.logits(states).log_softmax(1).cpu().numpy()
        ends = np.searchsorted(states.view.masked, states.view.starts[1:])
        return np.split(log_probabilities, ends)
