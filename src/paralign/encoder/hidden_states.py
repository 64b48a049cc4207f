"""Hidden states of a view, sentence vectors pooled from them, and how different these are."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from paralign.batches.views import View
from paralign.device import on_device
from paralign.ragged import row_ids

__all__ = ["POOLINGS", "HiddenStates", "Pooling", "spread"]

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
        rows = np.flatnonzero(self.view.lengths)  # a tokenizer without special tokens makes none of an empty text
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


@torch.no_grad()
def spread(vectors: Tensor) -> dict[str, float]:
    """Measure how different vectors of different sentences are, to detect a collapse.

    Args:
        vectors: Shape: [n, d].

    Returns:
        ``mean_cosine`` of different rows (1 if they have collapsed) and ``effective_rank``, the exponential of the
        entropy of the normalized singular values (Roy and Vetterli 2007) of the centered unit vectors, which is at most
        n - 1. Empty for fewer than two rows; of two or three, there is no ``effective_rank``.

    >>> {name: round(value, 3) for name, value in spread(torch.eye(4)).items()}
    {'mean_cosine': 0.0, 'effective_rank': 3.0}
    """
    unit = nn.functional.normalize(vectors.float(), dim=1)
    n = len(unit)
    if n < 2:
        return {}
    cosine = (unit.sum(0).square().sum() - unit.square().sum()) / (n * (n - 1))
    if n < 4:  # the rank says nothing
        return {"mean_cosine": float(cosine)}
    values = torch.linalg.svdvals(unit - unit.mean(0))
    share = values / values.sum().clamp_min(1e-12)
    rank = torch.exp(-(share * share.clamp_min(1e-12).log()).sum())
    return {"mean_cosine": float(cosine), "effective_rank": float(rank)}
