"""Encoder and objectives as one module: the thing that is distributed, cast to bf16 and tested."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from paralign.encoder import Encoder
from paralign.encoder.dropout import quicken
from paralign.objectives.base import Objective, Step, spread
from paralign.text.views import Batch

__all__ = ["Learner"]


class Learner(nn.Module):
    """Forward takes a slice of a batch and returns the sum and the count of every named loss.

    Args:
        encoder: the encoder being trained.
        objectives: what is minimised; names must differ.
    """

    def __init__(self, encoder: Encoder, objectives: Mapping[str, Objective]) -> None:
        super().__init__()
        self.encoder = encoder
        self.objectives = nn.ModuleDict(objectives)
        quicken(self)
        self._vectors: Tensor | None = None
        if not any(o.needs_scores for o in objectives.values()):
            for parameter in encoder.head_parameters():
                parameter.requires_grad_(False)  # nothing reads the vocabulary head

    def each(self) -> Mapping[str, Objective]:
        """The objectives by name."""
        return {name: o for name, o in self.objectives.items() if isinstance(o, Objective)}

    def encoders(self) -> list[Encoder]:
        """The encoder, and those that objectives keep: moving averages and copies."""
        return [part for part in self.modules() if isinstance(part, Encoder)]

    def weights(self) -> dict[str, float]:
        """Factor of every named loss in the sum."""
        return {name: w for o in self.each().values() for name, w in o.weights().items()}

    def counts(self, batch: Batch) -> dict[str, int]:
        """Terms of every named loss in this slice."""
        return {name: n for o in self.each().values() for name, n in o.counts(batch).items()}

    def chance(self) -> dict[str, float]:
        """Loss of knowing nothing, where there is one."""
        return {name: c for o in self.each().values() for name, c in o.chance().items()}

    def forward(self, batch: Batch) -> dict[str, tuple[Tensor, int]]:
        """Sum (a scalar with gradient) and count of every named loss; each view is encoded once."""
        step = Step(self.encoder, batch)
        sums = {name: s for o in self.each().values() for name, s in o(step).items()}
        counts = self.counts(batch)
        first = next(iter(step.encoded.values()), None)
        self._vectors = None if first is None else first.mean().detach()
        return {name: (total, counts[name]) for name, total in sums.items()}

    def metrics(self) -> dict[str, float]:
        """Numbers for the log: those of the objectives, and the spread of mean-pooled sentence vectors."""
        out = {name: value for o in self.each().values() for name, value in o.metrics().items()}
        if self._vectors is not None:
            out |= {f"sentence_{name}": value for name, value in spread(self._vectors).items()}
        return out
