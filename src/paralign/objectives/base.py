"""The base class of objectives.

An objective names the views it reads and turns their hidden states into named losses. Objectives do not run the
encoder: a :class:`Step` encodes each view once, and every objective reads the same hidden states. The head of a task is
an objective too.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Protocol

from pydantic import Field
from torch import Tensor, nn

from paralign.batches.views import Batch
from paralign.config import Config, find_class
from paralign.device import on_device
from paralign.encoder import Encoder, HiddenStates
from paralign.errors import UserError

__all__ = [
    "OBJECTIVES",
    "Batches",
    "LayerConfig",
    "Objective",
    "ObjectiveConfig",
    "Share",
    "Step",
    "find_objective",
    "masked_loss",
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
    "in_batch": "paralign.objectives.in_batch:InBatchContrast",
    "self_training": "paralign.objectives.self_training:SelfTraining",
    "gold_links": "paralign.objectives.gold_links:GoldLinks",
    "denoise_links": "paralign.objectives.denoise_links:DenoiseLinks",
    "distill": "paralign.objectives.distill:Distill",
    "anchor": "paralign.objectives.anchor:Anchor",
    "word_anchor": "paralign.objectives.anchor:WordAnchor",
}


class ObjectiveConfig(Config):
    """Settings of every objective."""

    weight: float = Field(default=1.0, ge=0)
    """Factor of this objective's losses in the sum that is minimized."""
    weight_warmup: float = Field(default=0.0, ge=0)
    """The weight rises linearly from 0 to its value in this share of the run's steps (below 1), or in this number of
    steps. Use it to phase in one of several objectives, which share one learning rate: AdamW cancels a constant factor
    of the total loss, but not of one of its terms."""


class LayerConfig(ObjectiveConfig):
    """Settings of an objective that can read any layer."""

    layer: int | float = -1
    """Hidden state that is read: 0 (embeddings) to the number of layers, -1 for the last, or a fraction of the depth,
    0.67 or 1.0 (the last). Layers above all that the objectives of a run read are neither computed nor trained."""


class Batches(Protocol):
    """A source of batches: each one is a function of the step alone."""

    size: int
    """Number of records in a global batch."""
    steps_per_epoch: int
    """Number of steps in which every record is seen once."""
    records: int
    """Number of records in the corpus."""
    fingerprint: str
    """Hash of the data."""

    def batch(self, step: int, part: int = 0, parts: int = 1) -> Batch:
        """Return a slice of a global batch.

        Args:
            step: number of the step, from 0. Negative steps are batches that are never trained on.
            part: number of the slice, from 0.
            parts: number of slices.
        """
        ...

    def slices(self, step: int, part: int, parts: int, count: int) -> Sequence[Batch]:
        """Return the records of :meth:`batch` in slices of equal size, each with records of similar lengths.

        Args:
            step, part, parts: see :meth:`batch`.
            count: number of slices. It divides the number of records.
        """
        ...


@dataclass(frozen=True)
class Share:
    """What a slice needs to know of the loss of the whole batch.

    Attributes:
        loss: sum of the losses of the slice's items. Shape: [].
        gradient: gradient of the summed losses of *all* items with respect to the slice's vectors. Shape: [n, k, d].
    """

    loss: Tensor
    gradient: Tensor


class Step:
    """A slice of a batch during one training step. Views are encoded on first use, once.

    Attributes:
        encoder: the encoder that is trained.
        batch: the slice.
        requests: for each view that is read in this step the numbers of its layers; a view is encoded once for all of
            them, and views may be encoded together.
        share: returns the share of this slice in the loss of an objective that compares items of the whole batch, given
            the objective and the slice's vectors. None: the batch is undivided.
        encoded: the hidden states encoded so far, by view and layer.
    """

    def __init__(
        self,
        encoder: Encoder,
        batch: Batch,
        requests: Mapping[str, Sequence[int]] = MappingProxyType({}),
        share: Callable[[Any, Tensor], Share] | None = None,
    ) -> None:
        self.encoder = encoder
        self.batch = batch
        self.requests = requests
        self.share = share
        self.encoded: dict[tuple[str, int], HiddenStates] = {}

    def hidden(self, view: str, layer: float = -1) -> HiddenStates:
        """Return hidden states of a view, with gradient; all objectives get the same object.

        Args:
            view: name of the view, one of the objective's ``reads``.
            layer: see :meth:`paralign.encoder.Encoder.layer_number`. Default: the last.
        """
        number = self.encoder.layer_number(layer)
        if (view, number) not in self.encoded:
            wanted: dict[str, Sequence[int]] = {view: sorted({number, *self.requests.get(view, ())})}
            if self.encoder.encodes_together:
                done = {name for name, _ in self.encoded}
                wanted |= {name: layers for name, layers in self.requests.items() if name not in {view, *done}}
            requests = [(self.batch.view(name), layers) for name, layers in wanted.items()]
            for (name, layers), states in zip(wanted.items(), self.encoder.encode_views(requests), strict=True):
                self.encoded |= {(name, n): of_layer for n, of_layer in zip(layers, states, strict=True)}
        return self.encoded[view, number]


class Objective(nn.Module, ABC):
    """Base class of objectives.

    A subclass defines

    * ``name`` and ``reads``, and ``Config`` if it has settings;
    * :meth:`counts` and :meth:`forward`: the number of terms and the sum of each loss;
    * :meth:`weights`, if it has several losses;
    * if needed, :meth:`check`, :meth:`prepare`, :meth:`after_step` and :meth:`chance`;
    * if needed, metrics for the log: :meth:`forward` calls :meth:`measure`.

    Weights of the objective are parameters: they are trained and saved. Other state goes into buffers, which are saved
    in checkpoints and restored; plain attributes are lost when a run is resumed.

    Args:
        config: the settings, an instance of the class's ``Config``.
        encoder: the encoder it will read, for sizes and for copies.

    An objective that draws the two sentence vectors of each pair together:

    >>> class SentenceL2(Objective):
    ...     name = "sentence_l2"
    ...     reads = ("first", "second")
    ...
    ...     def counts(self, batch):
    ...         return {self.name: batch.size}
    ...
    ...     def forward(self, step):
    ...         first, second = (step.hidden(view).mean() for view in self.reads)
    ...         return {self.name: (first - second).square().sum()}
    >>> from paralign.encoder import Encoder
    >>> from paralign.objectives import ObjectiveConfig
    >>> encoder = Encoder.from_pretrained("paralign-mini")
    >>> objective = SentenceL2(ObjectiveConfig(weight=0.5), encoder)
    >>> objective.weights()
    {'sentence_l2': 0.5}

    Saved as a class of ``my_module.py``, it trains with ``--set 'objectives=["tlm", "my_module:SentenceL2"]'``.
    """

    name: ClassVar[str]
    """Name of its section of the settings, and of its loss in the log."""
    reads: ClassVar[tuple[str, ...]]
    """Views whose hidden states it reads with gradient; see :mod:`paralign.batches.views`."""
    needs_pairs: ClassVar[bool] = False
    """Whether it needs pairs, even if it reads no view of pairs with gradient."""
    needs_logits: ClassVar[bool] = False
    """Whether it computes logits with the vocabulary head, which is frozen if no objective does."""
    needs_links: ClassVar[bool] = False
    """Whether batches need word links (:func:`paralign.batches.views.linked_words`)."""
    needs_dictionary: ClassVar[bool] = False
    """Whether its constructor gets the run's dictionary as a third argument."""
    needs_translations: ClassVar[bool] = False
    """Whether batches need the run's dictionary, for the view ``translated``."""
    Config: ClassVar[type[ObjectiveConfig]] = ObjectiveConfig
    """Class of its settings."""
    max_prepare_batches: int | None = None
    """Maximum number of batches that :meth:`prepare` encodes. ``--dry-run`` sets it; None: no maximum."""

    def __init__(self, config: ObjectiveConfig, encoder: Encoder) -> None:
        super().__init__()
        self.config = config
        self._measured: dict[str, tuple[float | Tensor, int | Tensor]] = {}

    @classmethod
    def check(cls, encoder: Encoder) -> None:
        """Check an encoder before a run begins.

        Args:
            encoder: the encoder to be trained.

        Raises:
            UserError: if this objective cannot train it, as without a vocabulary head (``needs_logits``).
        """
        if cls.needs_logits:
            encoder.require_head(cls.name)

    @classmethod
    def encoders(cls, config: ObjectiveConfig) -> Sequence[str]:
        """Return the names or folders of encoders that it loads besides the trained one. Default: none.

        They are inputs of the run, which is resumed only with the same files.

        Args:
            config: the settings.
        """
        return ()

    def requests(self, encoder: Encoder) -> Mapping[str, Sequence[int]]:
        """Return the numbers of the layers that are read of each view in ``reads``.

        Default: ``config.layer`` if there is this setting (:class:`LayerConfig`), else the last.

        Args:
            encoder: the encoder that is trained.

        Raises:
            UserError: for a layer that the encoder does not have.
        """
        number = encoder.layer_number(getattr(self.config, "layer", -1))
        return {view: [number] for view in self.reads}

    def weights(self) -> Mapping[str, float]:
        """Return the name of every loss of this objective, with its factor in the sum. Default: one loss, ``name``."""
        return {self.name: self.config.weight}

    @abstractmethod
    def counts(self, batch: Batch) -> Mapping[str, int]:
        """Return the number of terms of each loss in a slice.

        It is computed from the batch alone: the loop adds the counts of all slices and processes *before* the backward
        pass and divides the sums by the total, so that a loss does not depend on how a batch is sliced.

        Args:
            batch: the slice.

        Returns:
            A count for each name in :meth:`weights`.
        """

    @abstractmethod
    def forward(self, step: Step) -> Mapping[str, Tensor]:
        """Return the sum of each loss over the terms of a slice, never the mean.

        Args:
            step: the slice; ``step.hidden(view)`` returns hidden states.

        Returns:
            For each name in :meth:`weights` a scalar tensor with gradient, even if its count is 0.
        """

    def prepare(self, encoder: Encoder, batches: Batches, rank: int, ranks: int, gather: Gather) -> None:
        """Act once before the first step of a new run, but not when a run is resumed. Default: do nothing.

        Args:
            encoder: the encoder to be trained.
            batches: the batches of the run; negative steps are never trained on.
            rank: number of this process, from 0.
            ranks: number of processes.
            gather: concatenates a tensor's rows over processes.
        """

    def prepare_batches(self, batches: Batches) -> int:
        """Return the number of global batches that :meth:`prepare` encodes without a maximum. Default: 0.

        ``--dry-run`` estimates the duration of the preparation from it.

        Args:
            batches: the batches of the run.
        """
        return 0

    def after_step(self, encoder: Encoder, gather: Gather) -> None:
        """Act after each optimizer step. Default: do nothing.

        Args:
            encoder: the encoder that is trained.
            gather: concatenates a tensor's rows over processes.
        """

    def measure(self, name: str, total: float | Tensor, count: int | Tensor) -> None:
        """Add the items of a slice to a metric of this step, for the log: the mean over the items of all slices.

        Args:
            name: name in the log.
            total: sum over the items. It is read only when it is logged.
            count: number of items.
        """
        before, items = self._measured.get(name, (0, 0))
        self._measured[name] = before + total, items + count

    def start_step(self) -> None:
        """Forget what was measured in the last step."""
        self._measured.clear()

    def metrics(self) -> Mapping[str, float]:
        """Return numbers of this step for the log. Default: what was measured in the slices of this process."""
        return {name: float(total) / float(count) for name, (total, count) in self._measured.items() if count}

    def chance(self) -> Mapping[str, float]:
        """Return the loss of a uniform guess, for losses that have one. Default: none.

        A loss that stays at this value raises an alarm.
        """
        return {}


def masked_loss(step: Step, view: str) -> Tensor:
    """Return the summed cross-entropy of the masked pieces of a view. Logits are computed at masked positions only.

    Args:
        step: the slice.
        view: name of a masked view.

    Returns:
        A scalar tensor with gradient.
    """
    states, masked_view = step.hidden(view), step.batch.view(view)
    logits = step.encoder.logits(states.at(masked_view.masked)).float()
    labels = on_device(masked_view.labels, logits.device)
    return nn.functional.cross_entropy(logits, labels, reduction="sum")


def find_objective(name: str) -> type[Objective]:
    """Return the class of an objective.

    Args:
        name: a name in :data:`OBJECTIVES`, or ``my_module:Class``.

    Raises:
        UserError: if there is none of that name, or the class is not an objective.

    >>> find_objective("tlm").__name__
    'TranslationLM'
    """
    objective = find_class("objective", name, OBJECTIVES, Objective)  # type: ignore[type-abstract]
    if not objective.name.isidentifier():
        hint = "use letters, digits and underscores: it is a section of settings"
        raise UserError(f"the objective {name!r} has the name {objective.name!r}", hint=hint)
    return objective
