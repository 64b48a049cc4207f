"""Contrast of translations within the batch, with both sides trained (LaBSE, Feng et al. 2022)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from paralign.batches.rows import row_hashes
from paralign.batches.views import Batch
from paralign.device import on_device
from paralign.encoder.hidden_states import spread
from paralign.objectives.base import LayerConfig, ObjectiveConfig, Step
from paralign.objectives.global_batch import GlobalObjective

__all__ = ["InBatchConfig", "InBatchContrast", "in_batch_loss"]


class InBatchConfig(LayerConfig):
    """Settings under ``[in_batch]``."""

    temperature: float = Field(default=0.05, gt=0)
    """Divisor of the cosines before the softmax; lower values weight the hardest negatives more."""
    margin: float = Field(default=0.0, ge=0)
    """Subtracted from the cosine of translations, as in LaBSE, which has 0.3."""
    pool: Literal["cls", "mean"] = "mean"
    """Sentence vector: ``cls``, the state of the first piece, or ``mean`` over pieces, special ones excluded."""


def in_batch_loss(
    first: Tensor,
    second: Tensor,
    *,
    temperature: float = 0.05,
    margin: float = 0.0,
    excluded: Tensor | None = None,
) -> Tensor:
    """Return the additive-margin softmax loss of translations within a batch, in both directions.

    The loss of LaBSE (Feng et al. 2022), of Yang et al. 2019. Vectors are normalized here.

    Args:
        first: vectors of the first sentences. Shape: [n, d].
        second: vectors of their translations. Shape: [n, d].
        temperature: divides the cosines.
        margin: subtracted from the cosine of translations.
        excluded: bool, which pairs of a first and a second sentence are not negatives; the diagonal has no effect.
            None: all others are negatives. Shape: [n, n].

    Returns:
        The loss of each pair, the mean of both directions, of shape [n].

    >>> import math
    >>> loss = in_batch_loss(torch.eye(2), torch.eye(2), temperature=1.0)
    >>> torch.allclose(loss, torch.tensor(math.log(1 + math.exp(-1))))
    True
    """
    cosine = F.normalize(first, dim=1) @ F.normalize(second, dim=1).T
    diagonal = torch.eye(len(cosine), dtype=torch.bool, device=cosine.device)
    logits = (cosine - margin * diagonal) / temperature
    if excluded is not None:
        logits = logits.masked_fill(excluded & ~diagonal, -torch.inf)
    target = torch.arange(len(logits), device=logits.device)
    forward, backward = (F.cross_entropy(rows, target, reduction="none") for rows in (logits, logits.T))
    return (forward + backward) / 2


class InBatchContrast(GlobalObjective):
    """Distinguish the translation of a sentence from the others of the batch (Yang et al. 2019, Feng et al. 2022).

    The negatives of a pair are all other pairs of the global batch, except those that contain one of its sentences
    (equal pieces), on either side: which side is first differs between pairs (``views.shuffle``).

    Reads ``first`` and ``second``. Loss ``in_batch``, a mean over pairs.
    """

    name: ClassVar[str] = "in_batch"
    reads: ClassVar[tuple[str, ...]] = ("first", "second")
    Config: ClassVar[type[ObjectiveConfig]] = InBatchConfig
    config: InBatchConfig
    _last: tuple[Tensor, Tensor, Tensor] | None = None

    def counts(self, batch: Batch) -> Mapping[str, int]:
        """Count pairs."""
        return {self.name: batch.size}

    def represent(self, step: Step) -> Tensor:
        """Return the sentence vectors of each pair. Shape: [n, 2, d]."""
        states = (step.hidden(view, self.config.layer) for view in self.reads)
        return torch.stack([of_view.pool(self.config.pool).float() for of_view in states], 1)

    def identify(self, batch: Batch) -> npt.NDArray[np.int64]:
        """Return a hash of the text of both sides. Shape: [n, 2]."""
        return np.stack([row_hashes(batch.view(name)) for name in self.reads], 1)

    def losses(self, vectors: Tensor, identities: npt.NDArray[np.int64]) -> Tensor:
        """Return the loss of each pair."""
        first, second = vectors.unbind(1)
        shared = _share_text(on_device(identities, first.device))
        self._last = first.detach(), second.detach(), shared
        return in_batch_loss(
            first,
            second,
            temperature=self.config.temperature,
            margin=self.config.margin,
            excluded=shared,
        )

    def metrics(self) -> Mapping[str, float]:
        """Return metrics of the batch: the share of first sentences whose translation is nearer than all negatives.

        The others are the spread of the first sentences.
        """
        if self._last is None or not len(self._last[0]):
            return {}
        first, second, shared = self._last
        cosine = F.normalize(first, dim=1) @ F.normalize(second, dim=1).T
        translation = cosine.diagonal().clone()
        best = cosine.masked_fill(shared, -torch.inf).amax(1)  # a pair shares its text with itself
        accuracy = float((translation > best).float().mean())
        values = {f"in_batch_{name}": value for name, value in spread(first).items()}
        return {"in_batch_accuracy": accuracy, **values}


def _share_text(identities: Tensor) -> Tensor:
    """Return which pairs contain a sentence of each pair, on either side. Shapes: [N, 2], [N, N]."""
    first, second = identities.T.contiguous()
    shared: Tensor = first[:, None] == first
    for one, other in ((first, second), (second, first), (second, second)):
        shared |= one[:, None] == other
    return shared
