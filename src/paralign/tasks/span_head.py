"""The head of extractive question answering: where the answer begins and ends, and the best spans it finds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from paralign.device import on_device
from paralign.encoder import Encoder, States
from paralign.objectives import ObjectiveConfig, Step
from paralign.tasks.supervised import Head
from paralign.text.ragged import ramp
from paralign.text.views import Batch, View

__all__ = ["SpanHead", "ranked_spans"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

_FIRST = 64  # more spans than an n-best list mostly needs, few enough to sort in no time


class SpanHead(Head):
    """A linear layer d → 2 over the candidates of each row: [CLS] and the pieces of the context.

    The targets of a row are the places of the context's first and last piece (first - 1 where it has none), its
    labels those where the answer begins and ends, 0 ([CLS]) for both where the row does not hold it. The loss of a row
    is the mean of the two cross-entropies over its candidates, as BERT's (Devlin et al. 2019, section 4.2), which has
    no dropout here either; but the question and the template, where no answer can stand, are no candidates.

    Args:
        encoder: for its width.
    """

    name: ClassVar[str] = "span"

    def __init__(self, encoder: Encoder) -> None:
        super().__init__(ObjectiveConfig(), encoder)
        self.linear = nn.Linear(encoder.width, 2)
        nn.init.normal_(self.linear.weight, std=0.02)
        nn.init.zeros_(self.linear.bias)

    def counts(self, batch: Batch) -> Mapping[str, int]:
        """Rows."""
        return {self.name: len(batch.view("example").lengths)}

    def scores(self, states: States) -> tuple[Tensor, Ints]:
        """Scores [C, 2] of beginning and ending at each candidate, row after row, and candidates a row [B]."""
        places, sizes = _candidates(states.view)
        out: Tensor = self.linear(states.at(places))
        return out.float(), sizes

    def forward(self, step: Step) -> Mapping[str, Tensor]:
        """Summed over rows."""
        states = step.hidden("example")
        scores, sizes = self.scores(states)
        inside = np.arange(int(sizes.max())) < sizes[:, None]
        padded = scores.new_full((*inside.shape, 2), -torch.inf)
        padded[on_device(inside, scores.device)] = scores
        first = states.view.masked[::2] - states.view.starts
        labels = states.view.labels.reshape(-1, 2)
        gold = on_device(np.where(labels > 0, labels - first[:, None] + 1, 0), scores.device)
        return {self.name: nn.functional.cross_entropy(padded, gold, reduction="sum") / 2}

    def decode(self, states: States) -> list[Floats]:
        """[m + 1, 2] scores of each row's [CLS] and m context pieces, before the softmax: windows are compared."""
        scores, sizes = self.scores(states)
        return np.split(scores.cpu().numpy(), np.cumsum(sizes)[:-1])


def _candidates(view: View) -> tuple[Ints, Ints]:
    """Places [C] of the candidates in a view, row after row, and how many each row [B] has."""
    first, last = view.masked[::2], view.masked[1::2]
    sizes = last - first + 2
    nth = ramp(sizes)
    places = np.where(nth == 0, np.repeat(view.starts, sizes), np.repeat(first, sizes) + nth - 1)
    return places, sizes


def ranked_spans(windows: Sequence[Floats], longest: int) -> Iterator[tuple[int, int, float]]:
    """Every span of at most ``longest`` pieces of every window, best first.

    Args:
        windows: [m + 1, 2] scores as ``SpanHead.decode`` gives them; [CLS] is no answer.
        longest: pieces.

    Yields:
        First and last piece, counted over the context pieces of all windows laid end to end, and the sum of their two
        scores. Equal scores come in the order of first, then last piece.
    """
    wide = min(longest, max((len(window) - 1 for window in windows), default=0))
    if wide < 1:
        return
    flat = np.concatenate([_band(window[1:], wide) for window in windows if len(window) > 1]).reshape(-1)
    given, wanted = 0, _FIRST
    while given < len(flat):
        if wanted < len(flat):
            least = np.partition(flat, -wanted)[-wanted]
            chosen = np.flatnonzero(flat >= least)  # with all its equals, so that the order is the same for any size
        else:
            chosen = np.arange(len(flat))
        chosen = chosen[np.argsort(-flat[chosen], kind="stable")]
        for place in chosen[given:].tolist():
            if not flat[place] > -np.inf:  # beyond the end of a window, or not a number
                return
            first, more = divmod(place, wide)
            yield first, first + more, float(flat[place])
        given, wanted = max(given, len(chosen)), 8 * wanted


def _band(scores: Floats, wide: int) -> Floats:
    """[m, wide] scores of the spans that begin at each piece, by length."""
    ends = np.full(len(scores) + wide - 1, -np.inf, np.float32)
    ends[: len(scores)] = scores[:, 1]
    out: Floats = scores[:, :1] + np.lib.stride_tricks.sliding_window_view(ends, wide)
    return out
