"""The base class of tagging and classification: tasks that predict one label for each target position."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from paralign.encoder import Encoder
from paralign.tasks.label_head import LabelHead
from paralign.tasks.supervised import SupervisedTask

__all__ = ["LabelTask"]


class LabelTask(SupervisedTask):
    """A task whose head predicts one label for each target: linear probes of frozen states can learn it too."""

    @abstractmethod
    def names(self) -> Sequence[str]:
        """Return the labels of the head."""

    def head(self, encoder: Encoder) -> LabelHead:
        """Return a linear layer on the states of the targets."""
        return LabelHead(encoder, self.names())

    def format_label(self, label: npt.NDArray[np.int64]) -> str:
        """Return the name of a label."""
        return self.names()[int(label)]
