"""ALIGN-MLM's objective: rows of the embedding table that translate each other are drawn together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from paralign.batches.views import Batch
from paralign.encoder import Encoder
from paralign.languages.dictionary import Dictionary
from paralign.objectives.base import Gather, Objective, ObjectiveConfig, Step
from paralign.ragged import ranges, row_starts
from paralign.rng import seed_for

__all__ = ["Static", "StaticConfig"]

_BLOCK = 2048
_Sides = list[Tensor]


class StaticConfig(ObjectiveConfig):
    """Settings under ``[static]``."""

    weight: float = Field(default=10.0, ge=0)
    """ALIGN-MLM's α."""
    distance: Literal["cosine", "l2"] = "cosine"
    """What is minimized: minus the cosine, or the squared distance."""
    sample: int | None = Field(default=None, ge=1)
    """Entries drawn anew for each step; all of them by default."""


class _RowCosines(torch.autograd.Function):
    """Cosines of rows of a table with other rows, and their gradient in closed form: a third of the time of composed
    operations. Some rows at a time, which stay in the processor's cache: half the time of all 40,000 at once."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, first: Tensor, second: Tensor) -> Tensor:
        cosines = torch.empty(len(first), device=table.device)
        for at, _, (a, b), (length, other) in _blocks(table, first, second):
            cosines[at] = (a * b).sum(1) / (length * other).squeeze(1)
        ctx.save_for_backward(table, first, second, cosines)
        return cosines

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        """d cos / d a = (b/|b| - cos · a/|a|) / |a|."""
        table, first, second, cosines = ctx.saved_tensors
        out = torch.zeros_like(table)
        for at, ids, rows, lengths in _blocks(table, first, second):
            scale, cosine = gradient[at].unsqueeze(1), cosines[at].unsqueeze(1)
            across = scale / (lengths[0] * lengths[1])
            for own, length, place, other in zip(rows, lengths, ids, reversed(rows), strict=True):
                found = torch.addcmul(other * across, own, scale * cosine / length.square(), value=-1)
                out.index_add_(0, place, found.to(out.dtype))
        return out, None, None


def _blocks(table: Tensor, first: Tensor, second: Tensor) -> Iterator[tuple[slice, _Sides, _Sides, _Sides]]:
    """Where in the entries, and of both sides ids, rows in fp32 and their lengths [n, 1]."""
    for start in range(0, len(first), _BLOCK):
        at = slice(start, start + _BLOCK)
        ids = [first[at], second[at]]
        rows = [table.index_select(0, chosen).float() for chosen in ids]
        yield at, ids, rows, [torch.linalg.vector_norm(side, dim=1, keepdim=True).clamp_min_(1e-8) for side in rows]


class Static(Objective):
    """Alignment of static embeddings (Tang et al. 2022, ALIGN-MLM, section 2).

    L = -α · mean over dictionary pairs of cos(E[i], E[j]), E the input embedding table alone, tied to the output layer;
    both sides get the gradient, there are no negatives. A word of several pieces is the mean of their rows.

    Reads no view; loss ``static``, a mean over dictionary entries.
    """

    name: ClassVar[str] = "static"
    reads: ClassVar[tuple[str, ...]] = ()
    needs_dictionary: ClassVar[bool] = True
    Config: ClassVar[type[ObjectiveConfig]] = StaticConfig
    config: StaticConfig

    def __init__(self, config: StaticConfig, encoder: Encoder, dictionary: Dictionary) -> None:
        super().__init__(config, encoder)
        self.entries = len(dictionary)
        for side in (0, 1):
            flat, starts = map(torch.from_numpy, dictionary.side(side))
            self.register_buffer(f"pieces_{side}", flat, persistent=False)
            self.register_buffer(f"starts_{side}", starts, persistent=False)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self._seed = seed_for(torch.initial_seed() % (1 << 62))
        self._cosine = 0.0

    def counts(self, batch: Batch) -> Mapping[str, int]:
        """Dictionary entries."""
        return {self.name: min(self.entries, self.config.sample or self.entries)}

    def forward(self, step: Step) -> Mapping[str, Tensor]:
        """Minus the summed cosines, or the summed squared distances."""
        chosen, table = self._chosen(), step.encoder.embeddings
        if self.config.distance == "l2":
            first, second = (self._rows(table, side, chosen) for side in (0, 1))
            return {self.name: (first - second).square().sum()}
        if self._single:
            # fp32 whatever the step's precision: a sum of thousands of cosines has no bits to lose
            found: Tensor = _RowCosines.apply(table, *self._ids(chosen))  # type: ignore[no-untyped-call]
        else:
            first, second = (self._rows(table, side, chosen) for side in (0, 1))
            found = nn.functional.cosine_similarity(first, second, dim=1)
        total = found.sum()
        self._cosine = float(total.detach()) / max(1, len(found))
        return {self.name: -total}

    def _chosen(self) -> Tensor | None:
        """The entries of this step; the same for all slices of its batch."""
        wanted, steps = self.config.sample, self.get_buffer("steps")
        if wanted is None or wanted >= self.entries:
            return None
        generator = torch.Generator().manual_seed(seed_for(self._seed, int(steps)))
        return torch.randperm(self.entries, generator=generator)[:wanted].to(steps.device)

    @property
    def _single(self) -> bool:
        """Whether all words are single pieces."""
        return all(len(self.get_buffer(f"pieces_{side}")) == self.entries for side in (0, 1))

    def _ids(self, chosen: Tensor | None) -> list[Tensor]:
        flat = [self.get_buffer(f"pieces_{side}") for side in (0, 1)]
        return flat if chosen is None else [ids.index_select(0, chosen) for ids in flat]

    def _rows(self, table: Tensor, side: int, chosen: Tensor | None) -> Tensor:
        flat, starts = self.get_buffer(f"pieces_{side}"), self.get_buffer(f"starts_{side}")
        if chosen is not None:
            sizes = starts.diff(append=starts.new_tensor([len(flat)]))[chosen]
            flat, starts = flat[ranges(starts[chosen], sizes)], row_starts(sizes)
        return nn.functional.embedding_bag(flat, table, starts, mode="mean").float()

    def after_step(self, encoder: Encoder, gather: Gather) -> None:
        """Count steps, which draw the entries."""
        self.get_buffer("steps").add_(1)

    def metrics(self) -> Mapping[str, float]:
        """Mean cosine of the entries."""
        return {} if self.config.distance == "l2" else {"static_cosine": self._cosine}
