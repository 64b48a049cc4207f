"""Denoising word alignment: masked pieces point to their translations (XLM-Align, Chi et al. 2021)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor, nn

from paralign.batches.views import Batch, View
from paralign.device import on_device
from paralign.encoder import Encoder, HiddenStates
from paralign.objectives.base import LayerConfig, Objective, ObjectiveConfig, Step
from paralign.objectives.sentence_units import pad_rows
from paralign.ragged import row_ids, row_positions
from paralign.words.matching import itermax, transport_plan

__all__ = ["DenoiseLinks", "DenoiseLinksConfig", "pointer_loss", "self_labeled_links"]

Ints = npt.NDArray[np.int64]


class DenoiseLinksConfig(LayerConfig):
    """Settings under ``[denoise_links]``. ``layer`` is the hidden state of the masked pair that the pointer reads."""

    label_layer: int | float = 0.83
    """Hidden state of the unmasked pair from which the links are computed: a number or a fraction of the depth. 0.83 is
    layer 10 of 12, as in the paper."""
    smoothing: float = Field(default=0.1, gt=0)
    """Weight of the entropy of the transport plan, in units of cosine."""
    iterations: int = Field(default=2, ge=1)
    """Number of iterations of Sinkhorn's algorithm."""
    rounds: int = Field(default=2, ge=1)
    """Number of rounds of iterative matching; from the second on, words that have a link are discounted by 0.9."""


@dataclass(frozen=True)
class _Sides:
    """Pieces of the two sentences of each row of a view, special tokens excluded.

    Attributes:
        positions: positions in the view, of the first and of the second sentences. Shapes: [p] and [r].
        sizes: number of pieces of the first and of the second sentence of each row. Shape of each: [B].
    """

    positions: tuple[Ints, Ints]
    sizes: tuple[Ints, Ints]

    def padded(self, states: HiddenStates, side: int) -> Tensor:
        """Return the states of a side in fp32. Shape: [B, m, d]."""
        return pad_rows(states.at(self.positions[side]).float(), self.sizes[side])

    def inside(self, side: int, device: torch.device) -> Tensor:
        """Return where :meth:`padded` has pieces. Shape: [B, m]."""
        sizes = on_device(self.sizes[side], device)
        return torch.arange(max(1, int(self.sizes[side].max(initial=0))), device=device) < sizes[:, None]


def _sides(batch: Batch, view: View) -> _Sides:
    """Locate the sentences in the view ``joint`` or ``pair``, whose first sentence is that of the view ``first``."""
    single = batch.view("first")
    first = np.bincount(row_ids(single.lengths)[~single.special], minlength=batch.size)[view.rows]
    pieces = np.flatnonzero(~view.special)
    row = row_ids(view.lengths)[pieces]
    both = np.bincount(row, minlength=len(view.rows))
    second = row_positions(both) >= first[row]
    return _Sides((pieces[~second], pieces[second]), (first, both - first))


@torch.no_grad()
def self_labeled_links(
    first: Tensor, second: Tensor, inside: tuple[Tensor, Tensor], *, smoothing: float, iterations: int, rounds: int
) -> Tensor:
    """Return the links of an optimal transport plan between pieces, by iterative matching (XLM-Align, Chi et al. 2021).

    Args:
        first: states of the first sentences. Shape: [B, n, d].
        second: states of the second sentences. Shape: [B, m, d].
        inside: where there are pieces, not padding. Shapes: [B, n] and [B, m].
        smoothing: weight of the entropy, in units of cosine.
        iterations: of Sinkhorn's algorithm.
        rounds: of matching.

    Returns:
        The links, of shape [B, n, m].
    """
    x, y = (nn.functional.normalize(side.float(), dim=2) for side in (first, second))
    plan = transport_plan(x @ y.transpose(1, 2), *inside, smoothing, iterations)
    plan = (plan - plan.amax((1, 2), keepdim=True)).exp()
    return itermax(plan, inside[0].unsqueeze(2) & inside[1].unsqueeze(1), rounds)


def pointer_loss(scores: Tensor, inside: Tensor, links: Tensor) -> tuple[Tensor, Tensor]:
    """Return the cross-entropy of pointers at linked pieces (XLM-Align, Chi et al. 2021).

    Args:
        scores: q·k / √d of masked pieces and the pieces of the other sentence. Shape: [M, m].
        inside: where there are pieces, not padding. Shape: [M, m].
        links: the linked pieces of each masked piece. Shape: [M, m].

    Returns:
        The loss, a mean over the links of each piece, 0 without links, and whether the most probable piece is linked.
        Shapes: [M], [M].

    >>> link = torch.tensor([[True, False, False, False]])
    >>> loss, _ = pointer_loss(torch.zeros(1, 4), torch.ones(1, 4) > 0, link)
    >>> torch.allclose(loss, torch.log(torch.tensor(4.0)))
    True
    """
    log_p = scores.masked_fill(~inside, torch.finfo(scores.dtype).min).log_softmax(1)
    loss = -(links * log_p).sum(1) / links.sum(1).clamp_min(1)
    return loss, links.gather(1, log_p.argmax(1, keepdim=True))[:, 0]


class DenoiseLinks(Objective):
    """The denoising word alignment of XLM-Align (Chi et al. 2021, section 3.2).

    Labels: the encoder reads the unmasked pair in evaluation mode; an optimal transport plan between the pieces of both
    sentences is matched iteratively. Loss: each masked piece points to the pieces of the other sentence it is linked
    with; q and k are linear projections that begin as the identity.

    Reads ``joint``, and ``pair`` without gradient. Loss ``denoise_links``, a mean over masked pieces; those without a
    link contribute 0, because the number of links is not known before the step.
    """

    name: ClassVar[str] = "denoise_links"
    reads: ClassVar[tuple[str, ...]] = ("joint",)
    Config: ClassVar[type[ObjectiveConfig]] = DenoiseLinksConfig
    config: DenoiseLinksConfig

    def __init__(self, config: DenoiseLinksConfig, encoder: Encoder) -> None:
        super().__init__(config, encoder)
        self.query, self.key = (nn.Linear(encoder.width, encoder.width) for _ in range(2))
        for projection in (self.query, self.key):
            nn.init.eye_(projection.weight)
            nn.init.zeros_(projection.bias)
        encoder.layer_number(config.label_layer)  # refuses a layer that does not exist

    def counts(self, batch: Batch) -> Mapping[str, int]:
        """Count masked pieces."""
        return {self.name: len(batch.view("joint").masked)}

    @torch.no_grad()
    def _links(self, encoder: Encoder, batch: Batch) -> Tensor:
        """Return the links of the unmasked pairs. Shape: [B, n, m]."""
        view, training = batch.view("pair"), encoder.training
        encoder.eval()
        device = encoder.device.type
        # Older versions of PyTorch (2.6) use weights that were cast without gradient in later passes, which then have
        # none: https://github.com/pytorch/pytorch/issues/158232
        with torch.autocast(device, enabled=torch.is_autocast_enabled(device), cache_enabled=False):
            (states,) = encoder.encode_layers(view, [encoder.layer_number(self.config.label_layer)])
        encoder.train(training)
        sides = _sides(batch, view)
        with torch.autocast(states.flat.device.type, enabled=False):
            return self_labeled_links(
                sides.padded(states, 0),
                sides.padded(states, 1),
                (sides.inside(0, states.flat.device), sides.inside(1, states.flat.device)),
                smoothing=self.config.smoothing,
                iterations=self.config.iterations,
                rounds=self.config.rounds,
            )

    def forward(self, step: Step) -> Mapping[str, Tensor]:
        """Return the summed loss of the masked pieces that have a link."""
        view, states = step.batch.view("joint"), step.hidden("joint", self.config.layer)
        links = self._links(step.encoder, step.batch)
        sides = _sides(step.batch, view)
        total = states.flat.new_zeros((), dtype=torch.float32)
        linked, right = (torch.zeros((), dtype=torch.int64, device=links.device) for _ in range(2))
        for side, of_side in enumerate((links, links.transpose(1, 2))):
            place = np.full(len(view.ids), -1)
            place[sides.positions[side]] = row_positions(sides.sizes[side])
            masked = view.masked[place[view.masked] >= 0]
            row, column = (on_device(index, links.device) for index in (row_ids(view.lengths)[masked], place[masked]))
            targets = of_side[row, column]
            queries, keys = self.query(sides.padded(states, side)), self.key(sides.padded(states, 1 - side))
            with torch.autocast(links.device.type, enabled=False):
                scores = queries.float() @ keys.float().transpose(1, 2) / queries.shape[2] ** 0.5
                loss, best = pointer_loss(scores[row, column], sides.inside(1 - side, links.device)[row], targets)
            total = total + loss.sum()
            linked, right = linked + targets.any(1).sum(), right + best.sum()
        self.measure("denoise_links_linked", linked, len(view.masked))
        self.measure("denoise_links_accuracy", right, linked)
        return {self.name: total}
