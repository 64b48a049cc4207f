"""Hidden states of a view, and sentence vectors pooled from them."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from paralign.batches.views import View
from paralign.device import on_device
from paralign.ragged import row_ids

__all__ = ["POOLINGS", "HiddenStates", "Pooling"]

Pooling = Literal["cls", "mean", "last"]
POOLINGS: tuple[Pooling, ...] = get_args(Pooling)


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
            The states, of shape [M, d].
        """
        return self.flat.index_select(0, on_device(positions, self.flat.device))

    def cls(self) -> Tensor:
        """Return the state of each row's first piece, [CLS] or <s>; zero for an empty row. Shape: [B, d]."""
        return self._of_rows(self.view.starts)

    def last(self) -> Tensor:
        """Return the state of each row's last piece, special ones included; zero for an empty row. Shape: [B, d]."""
        return self._of_rows(self.view.starts + self.view.lengths - 1)

    def _of_rows(self, positions: npt.NDArray[np.int64]) -> Tensor:
        """Return the state at a position of each row, zero for an empty row. Shape: [B, d]."""
        if self.view.lengths.all():
            return self.at(positions)
        rows = np.flatnonzero(self.view.lengths)  # a tokenizer without special pieces makes none of an empty text
        out = self.flat.new_zeros(len(positions), self.flat.shape[1])
        return out.index_copy(0, on_device(rows, out.device), self.at(positions[rows]))

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
            pooling: ``cls``, ``mean`` or ``last``, see the methods of these names.

        Raises:
            ValueError: for any other value.
        """
        if pooling not in POOLINGS:
            raise ValueError(f"pool is 'cls', 'mean' or 'last', not {pooling!r}")
        return {"cls": self.cls, "mean": self.mean, "last": self.last}[pooling]()
