"""Hidden states of a view, and sentence vectors pooled from them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from paralign.batches.views import View
from paralign.device import on_device
from paralign.ragged import row_ids

__all__ = ["HiddenStates"]


class HiddenStates:
    """Hidden states of one layer for a view, without padding: the rows of the view one after another.

    Attributes:
        flat: states of all pieces, special ones included. Shape: [T, d].
        view: the view they belong to.
    """

    def __init__(self, flat: Tensor, view: View) -> None:
        self.flat = flat
        self.view = view

    def at(self, positions: npt.NDArray[np.int64]) -> Tensor:
        """Return the states at positions of the view.

        Args:
            positions: indices into ``flat``. Shape: [M].

        Returns:
            Shape: [M, d].
        """
        return self.flat.index_select(0, on_device(positions, self.flat.device))

    def cls(self) -> Tensor:
        """Return the state of each row's first piece, [CLS] or <s>. Shape: [B, d]."""
        return self.at(self.view.starts)

    def mean(self) -> Tensor:
        """Return the mean over each row's pieces, special ones excluded; zero for a row without any. Shape: [B, d]."""
        inner = np.flatnonzero(~self.view.special)
        row = row_ids(self.view.lengths)[inner]
        count = np.bincount(row, minlength=len(self.view.lengths))
        rows = on_device(row, self.flat.device)
        total = self.flat.new_zeros(len(count), self.flat.shape[1], dtype=torch.float32)
        total = total.index_add(0, rows, self.at(inner).float())
        return total / on_device(np.maximum(count, 1).astype(np.float32), total.device)[:, None]

    def pool(self, pooling: str) -> Tensor:
        """Return sentence vectors. Shape: [B, d].

        Args:
            pooling: ``cls`` or ``mean``, see the methods of these names.

        Raises:
            ValueError: for any other value.
        """
        if pooling not in ("cls", "mean"):
            raise ValueError(f"pool is 'cls' or 'mean', not {pooling!r}")
        return self.cls() if pooling == "cls" else self.mean()
