"""Labelled sentences as batches with the view ``example``."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from paralign.encoder import Encoder
from paralign.encoder.vectors import sentence_view
from paralign.text.batching import BatchPlan
from paralign.text.views import View
from paralign.training import TrainingConfig

__all__ = ["Example", "ExampleBatches", "example_view"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Example:
    """One row for the encoder.

    Attributes:
        pieces: [k] piece ids without specials.
        targets: [m] indices into ``pieces`` of what is labelled.
        labels: [m] the label of each.
        sentence: index of the sentence the row comes from (long sentences give several rows).
    """

    pieces: Ints
    targets: Ints
    labels: Ints
    sentence: int


def example_view(encoder: Encoder, examples: Sequence[Example]) -> View:
    """A view whose ``masked`` are the labelled positions and whose ``labels`` are theirs."""
    view = sentence_view(encoder, [e.pieces for e in examples])
    before = len(encoder.template.single[0])
    places = [e.targets + start + before for e, start in zip(examples, view.starts, strict=True)]
    return replace(
        view,
        masked=np.concatenate(places),
        labels=np.concatenate([e.labels for e in examples]).astype(np.int64),
    )


class _ExampleBatch:
    def __init__(self, encoder: Encoder, examples: list[Example], ids: Ints, positions: Ints) -> None:
        self.size, self.ids, self.positions = len(examples), ids, positions
        self._view = example_view(encoder, examples)

    def view(self, name: str) -> View:
        if name != "example":
            raise KeyError(f"a task's examples have no view {name!r}")
        return self._view


class ExampleBatches:
    """Batches of examples, in an order that is a function of the seed.

    Args:
        encoder: for its template.
        examples: all of them.
        training: batch size, seed and window.
    """

    def __init__(self, encoder: Encoder, examples: Sequence[Example], training: TrainingConfig) -> None:
        lengths = np.array([len(e.pieces) for e in examples])
        size = min(training.batch, len(examples))
        self._plan = BatchPlan(
            lengths, np.zeros(len(examples), np.int64), batch=size, seed=training.seed, window=training.window
        )
        self._encoder, self._examples = encoder, examples
        self.size, self.records = size, len(examples)
        self.steps_per_epoch = self._plan.steps_per_epoch
        hasher = hashlib.blake2b(digest_size=16)
        for example in examples:
            for part in (example.pieces, example.targets, example.labels):
                hasher.update(np.concatenate([[len(part)], part]).astype("<i8").tobytes())
        self.fingerprint = hasher.hexdigest()

    def batch(self, step: int, part: int = 0, parts: int = 1) -> _ExampleBatch:
        """Slice ``part`` of ``parts`` of global batch ``step``."""
        ids = self._plan.records(step)[part::parts]
        positions = np.arange(self.size)[part::parts]
        return _ExampleBatch(self._encoder, [self._examples[i] for i in ids], ids, positions)
