"""The head of extractive question answering: logits of where the answer starts and ends, and a ranking of spans."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from paralign.batches.views import Batch, View
from paralign.device import on_device
from paralign.encoder import Encoder, HiddenStates
from paralign.objectives import Step
from paralign.ragged import row_positions
from paralign.tasks.head import TaskHead, linear_layer

__all__ = ["SpanHead", "ranked_spans"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

_FIRST = 64  # usually more spans than an n-best list needs, and few enough to sort fast


class SpanHead(TaskHead):
    """A linear layer d → 2 on the candidates of each row: [CLS] and the pieces of the context.

    The targets of a row are the positions of the context's first and last piece (first - 1 if it has none). Its labels
    are the positions where the answer starts and ends, both 0 ([CLS]) if the row does not contain it.

    Loss ``span``, a mean over rows: the mean of the two cross-entropies over the candidates of a row, without dropout,
    as in BERT (Devlin et al. 2019, section 4.2). Unlike there, the question and special tokens, which cannot be part of
    an answer, are not candidates.

    Args:
        encoder: the encoder it reads.
    """

    name: ClassVar[str] = "span"

    def __init__(self, encoder: Encoder) -> None:
        super().__init__(encoder)
        self.linear = linear_layer(encoder.width, 2)

    def counts(self, batch: Batch) -> Mapping[str, int]:
        """Count rows."""
        return {self.name: len(batch.view("example").lengths)}

    def logits(self, states: HiddenStates) -> tuple[Tensor, Ints]:
        """Return the logits of starting and ending at each candidate, and the number of candidates in each row.

        Shapes: [C, 2], row after row, and [B].
        """
        positions, sizes = _candidates(states.view)
        out: Tensor = self.linear(states.at(positions))
        return out.float(), sizes

    def forward(self, step: Step) -> Mapping[str, Tensor]:
        """Return the loss summed over rows."""
        states = step.hidden("example")
        logits, sizes = self.logits(states)
        inside = np.arange(int(sizes.max())) < sizes[:, None]
        cells = on_device(np.flatnonzero(inside), logits.device)  # a mask would wait for the accelerator
        padded = logits.new_full((inside.size, 2), -torch.inf).index_copy(0, cells, logits).view(*inside.shape, 2)
        first = states.view.masked[::2] - states.view.starts
        labels = states.view.labels.reshape(-1, 2)
        gold = on_device(np.where(labels > 0, labels - first[:, None] + 1, 0), logits.device)
        return {self.name: nn.functional.cross_entropy(padded, gold, reduction="sum") / 2}

    def decode(self, states: HiddenStates) -> list[Floats]:
        """Return the logits of each row's [CLS] and m context pieces. Shape of each: [m + 1, 2].

        They are not normalized, since the windows of a context are compared.
        """
        logits, sizes = self.logits(states)
        return np.split(logits.cpu().numpy(), np.cumsum(sizes)[:-1])


def _candidates(view: View) -> tuple[Ints, Ints]:
    """Return the positions of the candidates of a view, row after row, and their number in each row.

    Shapes: [C] and [B].
    """
    first, last = view.masked[::2], view.masked[1::2]
    sizes = last - first + 2
    nth = row_positions(sizes)
    places = np.where(nth == 0, np.repeat(view.starts, sizes), np.repeat(first, sizes) + nth - 1)
    return places, sizes


def ranked_spans(windows: Sequence[Floats], longest: int) -> Iterator[tuple[int, int, float]]:
    """Yield the spans of all windows of a context, best first.

    Args:
        windows: logits of each window, as returned by :meth:`SpanHead.decode`. [CLS] is not an answer. Shape of each:
            [m + 1, 2].
        longest: length of the longest span, in pieces.

    Yields:
        First and last piece, numbered over the context pieces of all windows, and the sum of their two logits. Equal
        sums are in the order of the first, then of the last piece.

    >>> logits = np.array([[0, 0], [2, 0], [0, 1]], np.float32)  # [CLS] and two pieces
    >>> list(ranked_spans([logits], longest=2))
    [(0, 1, 3.0), (0, 0, 2.0), (1, 1, 1.0)]
    """
    width = min(longest, max((len(window) - 1 for window in windows), default=0))
    if width < 1:
        return
    flat = np.concatenate([_band(window[1:], width) for window in windows if len(window) > 1]).reshape(-1)
    yielded, size = 0, _FIRST
    while yielded < len(flat):
        if size < len(flat):
            least = np.partition(flat, -size)[-size]
            chosen = np.flatnonzero(flat >= least)  # with all ties, so that the order does not depend on the size
        else:
            chosen = np.arange(len(flat))
        chosen = chosen[np.argsort(-flat[chosen], kind="stable")]
        for index in chosen[yielded:].tolist():
            if not flat[index] > -np.inf:  # beyond the end of a window, or NaN
                return
            first, more = divmod(index, width)
            yield first, first + more, float(flat[index])
        yielded, size = max(yielded, len(chosen)), 8 * size


def _band(logits: Floats, width: int) -> Floats:
    """Return the logits of the spans that start at each piece, by length. Shape: [m, width]."""
    ends = np.full(len(logits) + width - 1, -np.inf, np.float32)
    ends[: len(logits)] = logits[:, 1]
    out: Floats = logits[:, :1] + np.lib.stride_tricks.sliding_window_view(ends, width)
    return out
