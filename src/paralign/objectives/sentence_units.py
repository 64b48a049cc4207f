"""Vectors of the pieces or words of each sentence, padded, shared by the objectives that compare all of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor

from paralign.batches.views import Batch, PairBatch
from paralign.device import on_device
from paralign.objectives.base import LayerConfig, Objective, Step
from paralign.ragged import row_ids, row_positions

__all__ = [
    "Unit",
    "UnitAlignment",
    "UnitAlignmentConfig",
    "Units",
    "alignment_loss",
    "alignment_probabilities",
    "locate_units",
    "pad_rows",
    "padded_units",
]

Unit = Literal["piece", "word"]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Units:
    """The units of a view.

    Attributes:
        pieces: positions in the view of the pieces of units, special tokens excluded. Shape: [p].
        unit: index of the unit of each piece. Shape: [p].
        sizes: number of units of each row. Shape: [B].
    """

    pieces: Ints
    unit: Ints
    sizes: Ints

    def of_positions(self, positions: Ints) -> Ints:
        """Return the index in its row of the unit at each position of the view. Shapes: [x], [x]."""
        unit = self.unit[np.searchsorted(self.pieces, positions)]
        return row_positions(self.sizes)[unit]


def locate_units(batch: PairBatch, name: str, unit: Unit) -> Units:
    """Return the pieces or words of the sentences of a view, ``first`` or ``second``.

    A piece outside words, such as a space, is a unit among pieces and in no unit among words.
    """
    view = batch.view(name)
    pieces = np.flatnonzero(~view.special)
    row = row_ids(view.lengths)[pieces]
    if unit == "piece":
        return Units(pieces, np.arange(len(pieces)), np.bincount(row, minlength=batch.size))
    words = batch.words(name)
    inside = words >= 0
    pieces, row, words = pieces[inside], row[inside], words[inside]
    begins = np.append(True, (row[1:] != row[:-1]) | (words[1:] != words[:-1]))[: len(words)]
    return Units(pieces, np.cumsum(begins) - 1, np.bincount(row[begins], minlength=batch.size))


def padded_units(step: Step, name: str, units: Units, layer: float) -> Tensor:
    """Return the vectors of units, those of words being means of their pieces, in fp32. Shape: [B, m, d]."""
    states = step.hidden(name, layer).at(units.pieces).float()
    total, count = int(units.sizes.sum()), np.bincount(units.unit, minlength=int(units.sizes.sum()))
    index = on_device(units.unit, states.device)
    means = states.new_zeros(total, states.shape[1]).index_add(0, index, states)
    means = means / on_device(count.astype(np.float32), states.device).unsqueeze(1)
    return pad_rows(means, units.sizes)


def pad_rows(vectors: Tensor, sizes: Ints) -> Tensor:
    """Return rows of vectors, padded with zeros to the longest.

    Args:
        vectors: of all rows, one after the other. Shape: [n, d].
        sizes: number of vectors of each row. Shape: [B].

    Returns:
        The padded rows, of shape [B, m, d], where m is the largest of ``sizes``, at least 1.
    """
    longest, width = max(1, int(sizes.max(initial=0))), vectors.shape[1]
    place = on_device(row_ids(sizes) * longest + row_positions(sizes), vectors.device)
    padded = vectors.new_zeros(len(sizes) * longest, width)
    return padded.index_copy(0, place, vectors).view(len(sizes), longest, width)


def alignment_probabilities(
    first: Tensor, second: Tensor, sizes: Tensor, other_sizes: Tensor, scale: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Return softmaxes of dot products, over the second sentence and over the first.

    Those of awesome-align (Dou and Neubig 2021, section 2).

    Args:
        first: vectors of n units of the first sentences, padded. Shape: [B, n, d].
        second: vectors of m units of the second sentences, padded. Shape: [B, m, d].
        sizes: number of units of each first sentence. Shape: [B].
        other_sizes: number of units of each second sentence. Shape: [B].
        scale: factor of the dot products.

    Returns:
        S by row and S by column, 0 in padding, both of shape [B, n, m].
    """
    own = torch.arange(first.shape[1], device=first.device) < sizes[:, None]
    other = torch.arange(second.shape[1], device=first.device) < other_sizes[:, None]
    inside = own[:, :, None] & other[:, None]
    scores = (scale * first @ second.transpose(1, 2)).masked_fill(~inside, torch.finfo(first.dtype).min)
    return scores.softmax(2) * inside, scores.softmax(1) * inside


def alignment_loss(row: Tensor, column: Tensor, links: Tensor, sizes: Tensor, other_sizes: Tensor) -> Tensor:
    """Return the loss of given links: −½ Σ A (S by row / n + S by column / m) (Dou and Neubig 2021, equation 4).

    Args:
        row: probabilities over the second sentence. Shape: [B, n, m].
        column: probabilities over the first sentence. Shape: [B, n, m].
        links: A, 1 for linked units. Shape: [B, n, m].
        sizes: n of each pair. Shape: [B].
        other_sizes: m of each pair. Shape: [B].

    Returns:
        The loss of each pair, of shape [B].
    """
    own, other = sizes.clamp_min(1)[:, None, None], other_sizes.clamp_min(1)[:, None, None]
    return -(links * (row / own + column / other)).sum((1, 2)) / 2


class UnitAlignmentConfig(LayerConfig):
    """Settings of :class:`UnitAlignment`."""

    scale: float = Field(default=1.0, gt=0)
    """Factor of the dot products. awesome-align's 1 suits mBERT; encoders with vectors of other norms need another,
    so that neither softmax is flat or one-hot."""
    unit: Unit = "piece"
    """What is linked: ``piece`` or ``word``, whose vector is the mean of its pieces."""


class UnitAlignment(Objective):
    """Raises the probabilities of links between the units of a pair. The loss, a mean over pairs, has its name."""

    reads: ClassVar[tuple[str, ...]] = ("first", "second")
    config: UnitAlignmentConfig

    def counts(self, batch: Batch) -> Mapping[str, int]:
        """Count pairs."""
        return {self.name: batch.size}

    def forward(self, step: Step) -> Mapping[str, Tensor]:
        """Return the summed loss of all pairs."""
        assert isinstance(step.batch, PairBatch)
        units = [locate_units(step.batch, name, self.config.unit) for name in self.reads]
        x, y = (padded_units(step, n, u, self.config.layer) for n, u in zip(self.reads, units, strict=True))
        n, m = (on_device(of_side.sizes, x.device) for of_side in units)
        with torch.autocast(x.device.type, enabled=False):
            row, column = alignment_probabilities(x, y, n, m, self.config.scale)
            total = alignment_loss(row, column, self.links(step.batch, units, row, column), n, m).sum()
        return {self.name: total}

    @abstractmethod
    def links(self, batch: PairBatch, units: Sequence[Units], row: Tensor, column: Tensor) -> Tensor:
        """Return which units are linked. Shape: [B, n, m].

        Args:
            batch: the batch.
            units: those of both sentences.
            row: probabilities over the second sentence. Shape: [B, n, m].
            column: probabilities over the first sentence. Shape: [B, n, m].
        """
