"""What an objective is: it names the views it reads and turns their hidden states into named losses.

Objectives do not run the encoder. The step encodes each view once, whoever asks first; every objective reads the
same states. A task's head is an objective too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, Protocol

import torch
from pydantic import Field
from torch import Tensor, nn

from paralign.config import Config, find_class
from paralign.device import on_device
from paralign.encoder import Encoder, States
from paralign.errors import UserError
from paralign.text.views import Batch

__all__ = [
    "OBJECTIVES",
    "Batches",
    "Objective",
    "ObjectiveConfig",
    "Step",
    "find_objective",
    "masked_loss",
    "spread",
]

Gather = Callable[[Tensor], Tensor]
OBJECTIVES = {
    "mlm": "paralign.objectives.mlm:MaskedLM",
    "tlm": "paralign.objectives.mlm:TranslationLM",
    "moco": "paralign.objectives.moco:MomentumContrast",
    "bilingual": "paralign.objectives.bilingual:BilingualPrediction",
    "dict_mlm": "paralign.objectives.dict_mlm:DictionaryMLM",
    "static": "paralign.objectives.static:Static",
    "word_l2": "paralign.objectives.word_l2:WordL2",
    "word_contrastive": "paralign.objectives.word_contrastive:WordContrast",
}


class ObjectiveConfig(Config):
    """Settings every objective has."""

    weight: float = Field(default=1.0, ge=0)
    """Factor of this objective's losses in the sum that is minimised."""


class Batches(Protocol):
    """Where batches come from: a pure function of the step."""

    size: int
    """Records in a global batch."""
    steps_per_epoch: int
    records: int
    """Records in the corpus."""
    fingerprint: str
    """Changes when the data change."""

    def batch(self, step: int, part: int = 0, parts: int = 1) -> Batch:
        """Slice ``part`` of ``parts`` of global batch ``step``; negative steps are never trained on."""
        ...


class Step:
    """One slice of a batch on its way through the encoder: views are encoded when first asked for, once.

    Attributes:
        encoder: the encoder being trained.
        batch: the slice.
    """

    def __init__(self, encoder: Encoder, batch: Batch) -> None:
        self.encoder = encoder
        self.batch = batch
        self.encoded: dict[str, States] = {}

    def hidden(self, view: str) -> States:
        """Last hidden states of a view; the same object for every objective."""
        if view not in self.encoded:
            self.encoded[view] = self.encoder.encode(self.batch.view(view))
        return self.encoded[view]


class Objective(nn.Module):
    """Base of everything that is minimised.

    A subclass sets ``name``, ``reads`` and ``Config``, and writes ``counts`` and ``forward``. State of its own goes
    into parameters and buffers, which the checkpoint keeps.

    Args:
        config: its settings.
        encoder: the encoder it will read, for sizes and for making a twin.
    """

    name: ClassVar[str]
    """Names its section of the settings and its loss in the log."""
    reads: ClassVar[tuple[str, ...]]
    """Views whose hidden states it reads, with gradient."""
    needs_scores: ClassVar[bool] = False
    """Whether it uses the vocabulary head."""
    needs_links: ClassVar[bool] = False
    """Whether batches must know which words are linked (``batch.linked``)."""
    needs_dictionary: ClassVar[bool] = False
    """Whether it is made with a third argument, the run's dictionary."""
    translates: ClassVar[bool] = False
    """Whether batches must know the run's dictionary (view ``translated``)."""
    Config: ClassVar[type[ObjectiveConfig]] = ObjectiveConfig

    def __init__(self, config: ObjectiveConfig, encoder: Encoder) -> None:
        super().__init__()
        self.config = config

    @classmethod
    def check(cls, encoder: Encoder) -> None:
        """Look at the encoder before a run begins.

        Raises:
            UserError: if this objective cannot do with it: it needs a vocabulary head (``needs_scores``).
        """
        if cls.needs_scores:
            encoder.check_head(cls.name)

    def weights(self) -> Mapping[str, float]:
        """Every loss this objective returns and its factor in the sum."""
        return {self.name: self.config.weight}

    def counts(self, batch: Batch) -> Mapping[str, int]:
        """How many terms each loss sums over in this slice, from the batch alone.

        The loop adds these over ranks and accumulation steps *before* the backward pass: a mean of per-rank means
        is wrong whenever counts differ.
        """
        raise NotImplementedError

    def forward(self, step: Step) -> Mapping[str, Tensor]:
        """The sum of each loss over this slice's terms, a scalar with gradient even where the count is 0."""
        raise NotImplementedError

    def prepare(self, encoder: Encoder, batches: Batches, rank: int, ranks: int, gather: Gather) -> None:
        """Act once before the first step of a fresh run (not when one is resumed)."""

    def after_step(self, encoder: Encoder, gather: Gather) -> None:
        """Act after each optimiser step; ``gather`` concatenates a tensor's rows over ranks."""

    def metrics(self) -> Mapping[str, float]:
        """Numbers of the last step worth a place in the log."""
        return {}

    def chance(self) -> Mapping[str, float]:
        """The loss of knowing nothing, for losses that have one: staying there raises an alarm."""
        return {}


def masked_loss(step: Step, view: str) -> Tensor:
    """Summed cross-entropy of the masked pieces of a view; scores are computed at masked positions only."""
    states, seen = step.hidden(view), step.batch.view(view)
    scores = step.encoder.scores(states.at(seen.masked)).float()
    labels = on_device(seen.labels, scores.device)
    return nn.functional.cross_entropy(scores, labels, reduction="sum")


@torch.no_grad()
def spread(vectors: Tensor) -> dict[str, float]:
    """How far vectors [n, d] of different sentences lie apart.

    Returns:
        ``mean_cosine`` of different rows (1 = collapsed) and ``effective_rank``, the exponential of the entropy of
        the normalised singular values (Roy and Vetterli 2007) of the centred unit vectors.
    """
    unit = nn.functional.normalize(vectors.float(), dim=1)
    n = len(unit)
    if n < 2:
        return {}
    cosine = (unit.sum(0).square().sum() - unit.square().sum()) / (n * (n - 1))
    values = torch.linalg.svdvals(unit - unit.mean(0))
    share = values / values.sum().clamp_min(1e-12)
    rank = torch.exp(-(share * share.clamp_min(1e-12).log()).sum())
    return {"mean_cosine": float(cosine), "effective_rank": float(rank)}


def find_objective(name: str) -> type[Objective]:
    """The class of an objective, by its name or as ``my_module:Class``.

    Raises:
        UserError: if there is none, or it is not an objective.
    """
    found = find_class("objective", name, OBJECTIVES, Objective)
    if not isinstance(getattr(found, "name", None), str) or not found.name.isidentifier():
        raise UserError(f"the objective {name!r} has no usable name", mend='set name = "..." in the class')
    return found
