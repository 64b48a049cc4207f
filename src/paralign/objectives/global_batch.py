"""The base class of objectives whose loss compares items of the whole global batch, however it is divided."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from paralign.batches.views import Batch
from paralign.objectives.base import Objective, Step

__all__ = ["GlobalObjective"]


class GlobalObjective(Objective):
    """An objective with one loss, whose negatives are all items of the global batch.

    If a batch is divided into slices (``training.accumulate``) or between processes, the loop takes two passes, as
    GradCache does (Gao et al. 2021): it encodes all slices without gradient, computes the loss of the whole batch and
    its gradient with respect to the vectors, and encodes the slices again, one by one, with these gradients. The first
    slice of each process is encoded once. Loss and gradient are those of an undivided batch, in the memory of a slice;
    dropout is the same in both passes. An undivided batch is encoded once.

    A subclass defines ``name``, ``reads``, :meth:`counts` (the number of items) and the three methods below.
    """

    name: ClassVar[str]

    @abstractmethod
    def represent(self, step: Step) -> Tensor:
        """Return the vectors of the items of a slice, in fp32 and with gradient. Shape: [n, k, d]."""

    @abstractmethod
    def identify(self, batch: Batch) -> npt.NDArray[np.int64]:
        """Return what :meth:`losses` needs to know about the items besides their vectors, such as ids.

        Ids must be those of the global batch (``batch.positions``, ``batch.ids``), not of the slice. Shape: [n, m].
        """

    @abstractmethod
    def losses(self, vectors: Tensor, identities: npt.NDArray[np.int64]) -> Tensor:
        """Return the loss of every item.

        Args:
            vectors: of all N items of the global batch. Shape: [N, k, d].
            identities: what :meth:`identify` returned for them. Shape: [N, m].

        Returns:
            The loss of every item, of shape [N].
        """

    def forward(self, step: Step) -> Mapping[str, Tensor]:
        """Return the summed loss of the slice's items."""
        vectors = self.represent(step)
        with torch.autocast(vectors.device.type, enabled=False):
            if step.share is None:
                return {self.name: self.losses(vectors, self.identify(step.batch)).sum()}
            share = step.share(self, vectors.detach())
            linear = (vectors * share.gradient).sum()
            return {self.name: share.loss + linear - linear.detach()}
