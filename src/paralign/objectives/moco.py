"""Momentum contrast between a sentence and its translation (PPA, Pan et al. 2021, section 2.1)."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import get_ema_multi_avg_fn

from paralign.batches.rows import row_hashes
from paralign.batches.views import Batch, View
from paralign.device import on_device
from paralign.encoder import Encoder, HiddenStates
from paralign.encoder.hidden_states import spread
from paralign.objectives.base import Batches, Gather, LayerConfig, Objective, ObjectiveConfig, Step

__all__ = ["MoCoConfig", "MomentumContrast", "contrastive_loss"]


class MoCoConfig(LayerConfig):
    """Settings of MoCo. Defaults are those of PPA (Pan et al. 2021) where the paper states them."""

    queue: int = Field(default=32_000, ge=1)
    """Number of keys kept as negatives, K."""
    temperature: float = Field(default=0.05, gt=0)
    """Divisor of the similarities before the softmax, T; lower values weight the hardest negatives more."""
    momentum: float = Field(default=0.999, ge=0, le=1)
    """Decay of the moving average that updates the momentum encoder."""
    projection: int = Field(default=300, ge=1)
    """Size of the projected vectors."""
    pool: Literal["cls", "mean"] = "cls"
    """Sentence vector: ``cls``, the state of the first piece, or ``mean`` over pieces, special ones excluded."""
    normalize_projection: bool = True
    """Whether projected vectors are L2-normalized, as in MoCo."""
    positive_in_denominator: bool = True
    """Whether the denominator includes the positive, as in MoCo and InfoXLM. False: equation 3 of PPA as printed."""
    queue_init: Literal["warm", "random"] = "warm"
    """``warm``: fill the queue with real keys before the first step; ``random``: as in MoCo, whose loss first rises."""
    mask_same_pair: bool = True
    """Whether keys of the same pair as the query are excluded from the negatives."""


def contrastive_loss(
    queries: Tensor,
    keys: Tensor,
    queue: Tensor,
    *,
    temperature: float = 0.05,
    positive_in_denominator: bool = True,
    excluded: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the InfoNCE loss of queries against their positives and the keys of a queue (PPA, Pan et al. 2021, eq. 3).

    Args:
        queries: vectors of the queries, normalized by the caller: similarities are dot products. Shape: [B, p].
        keys: the positive of each query. Shape: [B, p].
        queue: the negatives. Shape: [K, p].
        temperature: divides the similarities.
        positive_in_denominator: whether the denominator includes the positive, as in MoCo. False: equation 3 as
            printed.
        excluded: which keys of the queue are not negatives of each query. None: no key. Shape: [B, K].

    Returns:
        The loss of each query, of shape [B], and whether its positive has the highest logit, of shape [B].

    >>> vectors = torch.eye(3)
    >>> loss, best = contrastive_loss(vectors[:2], vectors[:2], vectors[2:], temperature=1.0)
    >>> torch.allclose(loss, torch.log1p(torch.exp(torch.tensor(-1.0)))), best.tolist()
    (True, [True, True])
    """
    positive = (queries * keys).sum(1, keepdim=True) / temperature
    negative = queries @ queue.T / temperature
    if excluded is not None:
        negative = negative.masked_fill(excluded, -math.inf)
    best = positive[:, 0] > negative.max(1).values
    rest = torch.cat([positive, negative], 1) if positive_in_denominator else negative
    return torch.logsumexp(rest, 1) - positive[:, 0], best


def _text_ids(view: View, device: torch.device) -> Tensor:
    """Return a number for the text of each row of a view, a hash of its pieces, never 0. Shape: [B]."""
    hashes = row_hashes(view)
    return on_device(np.where(hashes == 0, 1, hashes), device)


class _Projection(nn.Module):
    """z = W2 ReLU(W1 h) on the L2-normalized sentence vector h (equation 2), in fp32.

    Vectors of similar sentences differ by less than bf16 can represent, as in a new encoder.
    """

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.inner = nn.Linear(width, width, bias=False)
        self.outer = nn.Linear(width, size, bias=False)

    def forward(self, vectors: Tensor) -> Tensor:
        with torch.autocast(vectors.device.type, enabled=False):
            out: Tensor = self.outer(F.relu(self.inner(F.normalize(vectors.float(), dim=1))))
        return out


class MomentumContrast(Objective):
    """Sentence alignment by momentum contrast (He et al. 2020) between translations, with PPA's shuffling of inputs.

    The encoder that is trained encodes ``first`` as queries. The momentum encoder and its projection are moving
    averages without gradient, in training mode, and encode ``second`` as keys.

    Reads ``first``. Loss ``moco``, a mean over pairs.
    """

    name: ClassVar[str] = "moco"
    reads: ClassVar[tuple[str, ...]] = ("first",)
    needs_pairs: ClassVar[bool] = True
    Config: ClassVar[type[ObjectiveConfig]] = MoCoConfig
    config: MoCoConfig
    queue: Tensor
    queue_ids: Tensor
    queue_texts: Tensor
    pointer: Tensor

    def __init__(self, config: MoCoConfig, encoder: Encoder) -> None:
        super().__init__(config, encoder)
        self.projection = _Projection(encoder.width, config.projection)
        self.momentum_encoder = encoder.copy_without_head()
        self.momentum_projection = copy.deepcopy(self.projection).requires_grad_(False)
        random = torch.randn(config.queue, config.projection)
        self.register_buffer("queue", F.normalize(random, dim=1) if config.normalize_projection else random)
        self.register_buffer("queue_ids", torch.full((config.queue,), -1))
        self.register_buffer("queue_texts", torch.zeros(config.queue, dtype=torch.int64))
        self.register_buffer("pointer", torch.zeros((), dtype=torch.int64))
        self._pending: list[tuple[Tensor, ...]] = []
        self._seen: list[Tensor] = []  # of each slice of a step: its queries, and what the log says about them
        self._last: Tensor | None = None  # the same of all slices and processes of the last step

    def counts(self, batch: Batch) -> Mapping[str, int]:
        """Count pairs."""
        return {self.name: batch.size}

    def chance(self) -> Mapping[str, float]:
        """Return log(K + 1): the positive is indistinguishable from the negatives."""
        return {self.name: math.log(self.config.queue + int(self.config.positive_in_denominator))}

    def _vectors(self, states: HiddenStates, projection: nn.Module) -> Tensor:
        projected: Tensor = projection(states.pool(self.config.pool)).float()
        return F.normalize(projected, dim=1) if self.config.normalize_projection else projected

    @torch.no_grad()
    def _keys(self, batch: Batch) -> Tensor:
        self.momentum_encoder.train()
        layer = self.momentum_encoder.layer_number(self.config.layer)
        (states,) = self.momentum_encoder.encode_layers(batch.view("second"), [layer])
        return self._vectors(states, self.momentum_projection)

    def forward(self, step: Step) -> Mapping[str, Tensor]:
        """Return the summed InfoNCE of the slice's pairs; :meth:`after_step` adds their keys to the queue."""
        batch = step.batch
        queries = self._vectors(step.hidden("first", self.config.layer), self.projection)
        keys = self._keys(batch)
        ids = on_device(batch.ids, queries.device)
        same = self.queue_ids[None] == ids[:, None] if self.config.mask_same_pair else None
        with torch.autocast(queries.device.type, enabled=False):
            loss, best = contrastive_loss(
                queries,
                keys,
                self.queue,
                temperature=self.config.temperature,
                positive_in_denominator=self.config.positive_in_denominator,
                excluded=same,
            )
        texts = [_text_ids(batch.view(view), queries.device) for view in ("first", "second")]
        same_text = (self.queue_texts == texts[0][:, None]) | (self.queue_texts == texts[1][:, None])
        excluded = torch.zeros_like(same_text) if same is None else same
        facts = [best, excluded.any(1), (same_text & ~excluded).any(1)]
        self._seen.append(torch.cat([torch.stack(facts, 1).float(), queries.detach()], 1))
        self._pending.append((keys, ids, on_device(batch.positions, queries.device), texts[1]))
        return {self.name: loss.sum()}

    def metrics(self) -> Mapping[str, float]:
        """Return metrics of the queries of the last step, over all slices and processes.

        ``moco_accuracy``; ``moco_same_pair``, the share with keys that are excluded because they are of the same pair
        (by its number in the corpus); ``moco_same_text``, the share with a key that is not excluded although its text
        is that of the query or of its translation, as when several pairs share an English sentence; and their spread.
        """
        rows = torch.cat(self._seen) if self._seen else self._last
        if rows is None:
            return {}
        accuracy, same_pair, same_text = rows[:, :3].mean(0).tolist()
        values = {"moco_accuracy": accuracy, "moco_same_text": same_text}
        if self.config.mask_same_pair:
            values["moco_same_pair"] = same_pair
        return values | {f"moco_{name}": value for name, value in spread(rows[:, 3:]).items()}

    @torch.no_grad()
    def _enqueue(self, pending: list[tuple[Tensor, ...]], gather: Gather) -> None:
        keys, ids, positions, texts = (gather(torch.cat(parts)) for parts in zip(*pending, strict=True))
        order = torch.argsort(positions)[-self.config.queue :]  # the same order, however the batch is sliced
        slots = (self.pointer + torch.arange(len(order), device=order.device)) % self.config.queue
        self.queue[slots] = keys[order]
        self.queue_ids[slots] = ids[order]
        self.queue_texts[slots] = texts[order]
        self.pointer.copy_((self.pointer + len(order)) % self.config.queue)

    def prepare(self, encoder: Encoder, batches: Batches, rank: int, ranks: int, gather: Gather) -> None:
        """Fill the queue with keys of batches that are not trained on (``queue_init = "warm"``)."""
        fills = self.prepare_batches(batches)
        for fill in range(fills if self.max_prepare_batches is None else min(fills, self.max_prepare_batches)):
            batch = batches.batch(-1 - fill, rank, ranks)
            ids = on_device(batch.ids, self.queue.device)
            positions = on_device(batch.positions, self.queue.device)
            texts = _text_ids(batch.view("second"), self.queue.device)
            self._enqueue([(self._keys(batch), ids, positions, texts)], gather)

    def prepare_batches(self, batches: Batches) -> int:
        """Return the number of batches that fill the queue."""
        return -(-self.config.queue // batches.size) if self.config.queue_init == "warm" else 0

    @torch.no_grad()
    def after_step(self, encoder: Encoder, gather: Gather) -> None:
        """Add the keys of the step to the queue and update the momentum encoder."""
        self._enqueue(self._pending, gather)
        self._pending.clear()
        if self._seen:
            self._last = gather(torch.cat(self._seen))
            self._seen.clear()
        averages = (*self.momentum_encoder.base_parameters(), *self.momentum_projection.parameters())
        trained = (*encoder.base_parameters(), *self.projection.parameters())
        update = get_ema_multi_avg_fn(self.config.momentum)  # one fused operation over all tensors
        update(list(averages), [parameter.detach() for parameter in trained], 0)
