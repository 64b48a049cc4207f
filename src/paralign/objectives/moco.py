"""Momentum contrast between a sentence and its translation (PPA, Pan et al. 2021, section 2.1)."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import get_ema_multi_avg_fn

from paralign.device import on_device
from paralign.encoder import Encoder, States
from paralign.objectives.base import Batches, Gather, Objective, ObjectiveConfig, Step, spread
from paralign.text.views import Batch

__all__ = ["MoCoConfig", "MomentumContrast", "contrastive_loss"]


class MoCoConfig(ObjectiveConfig):
    """Settings of MoCo; defaults are the paper's where it states them."""

    queue: int = Field(default=32_000, ge=1)
    """Keys kept as negatives, K."""
    temperature: float = Field(default=0.05, gt=0)
    momentum: float = Field(default=0.999, ge=0, le=1)
    """Of the moving average that makes the key encoder."""
    projection: int = Field(default=300, ge=1)
    """Size of the projected vectors."""
    pool: Literal["cls", "mean"] = "cls"
    """The sentence vector: state of the first piece, or mean of the pieces without specials."""
    normalize_projection: bool = True
    """L2-normalise projected vectors, as MoCo does."""
    positive_in_denominator: bool = True
    """As MoCo and InfoXLM do; off is equation 3 as printed, whose sum runs over the queue alone."""
    queue_init: Literal["warm", "random"] = "warm"
    """``warm`` fills the queue with real keys before the first step; ``random`` is MoCo's, whose loss first rises."""
    mask_same_pair: bool = True
    """Leave keys of the query's own pair out of the negatives."""


def contrastive_loss(
    queries: Tensor, keys: Tensor, queue: Tensor, same: Tensor | None, config: MoCoConfig
) -> tuple[Tensor, Tensor]:
    """InfoNCE of B queries against their positive and K queue keys (equation 3).

    Args:
        queries: [B, p] with gradient.
        keys: [B, p] the positives.
        queue: [K, p] the negatives.
        same: [B, K] True where a queue key is left out, or ``None``.
        config: temperature and denominator.

    Returns:
        The loss of each query [B], and whether its positive beat all negatives [B].
    """
    positive = (queries * keys).sum(1, keepdim=True) / config.temperature
    negative = queries @ queue.T / config.temperature
    if same is not None:
        negative = negative.masked_fill(same, -math.inf)
    best = positive[:, 0] > negative.max(1).values
    rest = torch.cat([positive, negative], 1) if config.positive_in_denominator else negative
    return torch.logsumexp(rest, 1) - positive[:, 0], best


class _Projection(nn.Module):
    """z = W2 ReLU(W1 h) on the L2-normalised sentence vector h (equation 2)."""

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.inner = nn.Linear(width, width, bias=False)
        self.outer = nn.Linear(width, size, bias=False)

    def forward(self, vectors: Tensor) -> Tensor:
        out: Tensor = self.outer(F.relu(self.inner(F.normalize(vectors.float(), dim=1))))
        return out


class MomentumContrast(Objective):
    """Sentence alignment by momentum contrast (He et al. 2020) over translations, with PPA's input shuffling.

    The query encoder is the one being trained and reads ``first``; the key encoder and its projection are moving
    averages, in train mode, without gradient, and read the tokens of ``second``. Loss ``moco``, a mean over pairs.
    """

    name: ClassVar[str] = "moco"
    reads: ClassVar[tuple[str, ...]] = ("first",)
    Config: ClassVar[type[ObjectiveConfig]] = MoCoConfig
    config: MoCoConfig
    queue: Tensor
    queue_ids: Tensor
    pointer: Tensor

    def __init__(self, config: MoCoConfig, encoder: Encoder) -> None:
        super().__init__(config, encoder)
        self.projection = _Projection(encoder.width, config.projection)
        self.key_encoder = encoder.headless_twin()
        self.key_projection = copy.deepcopy(self.projection).requires_grad_(False)
        random = torch.randn(config.queue, config.projection)
        self.register_buffer("queue", F.normalize(random, dim=1) if config.normalize_projection else random)
        self.register_buffer("queue_ids", torch.full((config.queue,), -1))
        self.register_buffer("pointer", torch.zeros((), dtype=torch.int64))
        self._pending: list[tuple[Tensor, Tensor, Tensor]] = []
        self._last: tuple[Tensor, Tensor, Tensor | None] | None = None

    def counts(self, batch: Batch) -> Mapping[str, int]:
        """Pairs."""
        return {self.name: batch.size}

    def chance(self) -> Mapping[str, float]:
        """log(K + 1): the positive looks like every negative."""
        return {self.name: math.log(self.config.queue + int(self.config.positive_in_denominator))}

    def _vectors(self, states: States, projection: nn.Module) -> Tensor:
        projected: Tensor = projection(states.pool(self.config.pool)).float()
        return F.normalize(projected, dim=1) if self.config.normalize_projection else projected

    @torch.no_grad()
    def _keys(self, batch: Batch) -> Tensor:
        self.key_encoder.train()
        return self._vectors(self.key_encoder.encode(batch.view("second")), self.key_projection)

    def forward(self, step: Step) -> Mapping[str, Tensor]:
        """Summed InfoNCE over the slice's pairs; its keys wait for ``after_step`` to join the queue."""
        batch = step.batch
        queries = self._vectors(step.hidden("first"), self.projection)
        keys = self._keys(batch)
        ids = on_device(batch.ids, queries.device)
        same = self.queue_ids[None] == ids[:, None] if self.config.mask_same_pair else None
        with torch.autocast(queries.device.type, enabled=False):
            loss, best = contrastive_loss(queries, keys, self.queue, same, self.config)
        self._pending.append((keys, ids, on_device(batch.positions, queries.device)))
        self._last = (queries.detach(), best, same)
        return {self.name: loss.sum()}

    def metrics(self) -> Mapping[str, float]:
        """Share of positives that beat all negatives, rate of masked own pairs, spread of the queries."""
        if self._last is None:
            return {}
        queries, best, same = self._last
        seen = {"moco_accuracy": float(best.float().mean())}
        if same is not None:
            seen["moco_same_pair"] = float(same.any(1).float().mean())
        return seen | {f"moco_{name}": value for name, value in spread(queries).items()}

    @torch.no_grad()
    def _enqueue(self, pending: list[tuple[Tensor, Tensor, Tensor]], gather: Gather) -> None:
        keys, ids, positions = (gather(torch.cat(parts)) for parts in zip(*pending, strict=True))
        order = torch.argsort(positions)[-self.config.queue :]  # one order, however the batch was sliced
        place = (self.pointer + torch.arange(len(order), device=order.device)) % self.config.queue
        self.queue[place] = keys[order]
        self.queue_ids[place] = ids[order]
        self.pointer.copy_((self.pointer + len(order)) % self.config.queue)

    def prepare(self, encoder: Encoder, batches: Batches, rank: int, ranks: int, gather: Gather) -> None:
        """Fill the queue with keys of pairs drawn in an order of their own (``queue_init = "warm"``)."""
        if self.config.queue_init == "random":
            return
        for fill in range(-(-self.config.queue // batches.size)):
            batch = batches.batch(-1 - fill, rank, ranks)
            ids = on_device(batch.ids, self.queue.device)
            positions = on_device(batch.positions, self.queue.device)
            self._enqueue([(self._keys(batch), ids, positions)], gather)
        self.pointer.zero_()

    @torch.no_grad()
    def after_step(self, encoder: Encoder, gather: Gather) -> None:
        """Enqueue the step's keys and move the key encoder, once per optimiser step."""
        self._enqueue(self._pending, gather)
        self._pending.clear()
        own = (*self.key_encoder.base_parameters(), *self.key_projection.parameters())
        query = (*encoder.base_parameters(), *self.projection.parameters())
        move = get_ema_multi_avg_fn(self.config.momentum)  # one fused operation over all tensors
        move(list(own), [parameter.detach() for parameter in query], 0)
