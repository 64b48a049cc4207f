"""Distillation of a teacher's sentence vectors into both languages (Reimers and Gurevych 2020)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from paralign.batches.views import Batch, PairBatch, take_rows
from paralign.device import on_device
from paralign.encoder import Encoder
from paralign.encoder.sentences import sentence_view
from paralign.errors import UserError
from paralign.objectives.base import LayerConfig, Objective, ObjectiveConfig, Step
from paralign.objectives.frozen_copy import frozen_copy

__all__ = ["Distill", "DistillConfig", "distillation_loss"]


class DistillConfig(LayerConfig):
    """Settings under ``[distill]``."""

    teacher: str = ""
    """Encoder whose vectors are the target: name or folder. Empty: the encoder as it is at the start of the run."""
    teacher_layer: int | float = -1
    """Hidden state of the teacher that is read; see ``layer``."""
    pivot: str = "en"
    """The language whose sentences the teacher reads."""
    pool: Literal["cls", "mean"] = "mean"
    """Sentence vector of both encoders: ``cls``, or ``mean`` over pieces, special ones excluded.

    The targets are pooled hidden states of the teacher, also if it is a sentence-transformers model: choose its pooling
    here. Dense layers and other modules after the pooling are not applied; a note names them.
    """


def distillation_loss(pivot: Tensor, other: Tensor, teacher: Tensor) -> Tensor:
    """Return ‖s(x) − t(x)‖² + ‖s(y) − t(x)‖², means over dimensions (Reimers and Gurevych 2020, equation 1).

    Args:
        pivot: the student's vectors of sentences x in the pivot language. Shape: [n, d].
        other: its vectors of their translations y. Shape: [n, d].
        teacher: the teacher's vectors of x. Shape: [n, d].

    Returns:
        The loss of each sentence pair, of shape [n].

    >>> distillation_loss(torch.ones(1, 2), torch.zeros(1, 2), torch.zeros(1, 2)).tolist()
    [1.0]
    """
    return ((pivot - teacher).square() + (other - teacher).square()).mean(1)


class Distill(Objective):
    """Both sides of a pair learn the teacher's vector of the pivot side (Reimers and Gurevych 2020, equation 1).

    The teacher reads longer sentences up to its maximum length. If it is wider or narrower, a linear layer projects the
    student's vectors; it is trained, and not part of the saved encoder.

    Reads ``first`` and ``second``. Loss ``distill``, a mean over the pairs that have the pivot language on one side.
    """

    name: ClassVar[str] = "distill"
    reads: ClassVar[tuple[str, ...]] = ("first", "second")
    Config: ClassVar[type[ObjectiveConfig]] = DistillConfig
    config: DistillConfig

    def __init__(self, config: DistillConfig, encoder: Encoder) -> None:
        super().__init__(config, encoder)
        self.teacher = Encoder.from_pretrained(config.teacher, quiet=True) if config.teacher else frozen_copy(encoder)
        self.teacher.requires_grad_(False)
        self.teacher.layer_number(config.teacher_layer)  # refuses a missing layer before the run begins
        self._same_pieces = self.teacher.tokenizer_id == encoder.tokenizer_id
        wide = self.teacher.width
        self.projection = nn.Identity() if wide == encoder.width else nn.Linear(encoder.width, wide)

    @classmethod
    def encoders(cls, config: ObjectiveConfig) -> Sequence[str]:
        """Return the teacher, if it is another encoder."""
        assert isinstance(config, DistillConfig)
        return [config.teacher] if config.teacher else []

    def counts(self, batch: Batch) -> Mapping[str, int]:
        """Count pairs with the pivot language."""
        return {self.name: sum(len(rows) for rows in self._pivot(batch))}

    def forward(self, step: Step) -> Mapping[str, Tensor]:
        """Return the summed loss of the pairs with the pivot language."""
        batch = step.batch
        assert isinstance(batch, PairBatch)
        states = (step.hidden(view, self.config.layer) for view in self.reads)
        vectors = [self._project(of_view.pool(self.config.pool)) for of_view in states]
        total = (vectors[0].sum() + vectors[1].sum()) * 0
        for side, rows in enumerate(self._pivot(batch)):
            targets = self._teach(batch, self.reads[side], rows)
            chosen = on_device(rows, targets.device)
            pivot, other = vectors[side][chosen], vectors[1 - side][chosen]
            total = total + distillation_loss(pivot, other, targets).sum()
        return {self.name: total}

    def _project(self, vectors: Tensor) -> Tensor:
        """Return vectors of the teacher's width, in fp32: their errors are small."""
        with torch.autocast(vectors.device.type, enabled=False):
            projected: Tensor = self.projection(vectors.float())
        return projected

    @torch.no_grad()
    def _teach(self, batch: PairBatch, name: str, rows: npt.NDArray[np.int64]) -> Tensor:
        """Return the teacher's vectors of some sentences of a view. Shape: [n, d].

        It encodes even if there are none: the processes of a sharded teacher encode at the same time.
        """
        teacher = self.teacher.eval()
        view = take_rows(batch.view(name), rows)
        if not self._same_pieces or view.lengths.max(initial=0) > teacher.max_pieces:
            longest = teacher.max_pieces - teacher.template.special_pieces()
            texts = batch.texts(name)
            pieces = teacher.tokenize([texts[row] for row in rows.tolist()], self.config.pivot)
            view = sentence_view(teacher, [ids[:longest] for ids, _ in pieces], None)
        (states,) = teacher.encode_layers(view, [teacher.layer_number(self.config.teacher_layer)])
        return states.pool(self.config.pool).float()

    def _pivot(self, batch: Batch) -> list[npt.NDArray[np.int64]]:
        """Return the rows with the pivot language in ``first``, and those with it only in ``second``."""
        assert isinstance(batch, PairBatch)
        pivot = self.config.pivot
        if pivot not in batch.languages:
            raise UserError(
                f"there is no text in the pivot language {pivot!r}", hint=f"--set distill.pivot={batch.languages[0]}"
            )
        first, second = (batch.in_language(name, pivot) for name in self.reads)
        return [np.flatnonzero(first), np.flatnonzero(second & ~first)]
