"""The training loop of paralign with a recipe and a shape: speed, and number of operations."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from context import Context
from machine import median_of

from paralign.commands.arguments import as_overrides
from paralign.corpus.link_store import LinkStore
from paralign.corpus.store import TokenStore
from paralign.device import best_device
from paralign.encoder import Encoder, families
from paralign.encoder.loading import load_tokenizer
from paralign.runs.links import open_links
from paralign.runs.objectives import make_objectives
from paralign.runs.settings import LinksConfig, run_settings
from paralign.training import CorpusBatches, Learner, Trainer

__all__ = ["Loops", "Size", "Work", "count_work", "peak_memory_mb", "size_of", "synchronized_time"]


@dataclass(frozen=True)
class Size:
    """The size of a measurement.

    Attributes:
        batch: pairs per step.
        queue: size of MoCo's queue.
        warm: number of warm-up steps, not measured.
        block: steps timed together; 50 are one complete window of lengths.
        blocks: number of blocks.
    """

    batch: int = 128
    queue: int = 32_000
    warm: int = 10
    block: int = 50
    blocks: int = 3


def size_of(context: Context) -> Size:
    """Return the size of the PPA paper, or with ``tiny`` a few steps of eight pairs."""
    return Size(batch=8, queue=64, warm=1, block=2, blocks=2) if context.tiny else Size()


def synchronized_time() -> float:
    """Wait for the accelerator, then return the time in seconds."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def peak_memory_mb() -> float | None:
    """Return the peak of the memory that PyTorch allocated on the accelerator."""
    return torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else None


class Loops:
    """Trainers of a stage; text, tokenizer and links are opened once, when a measurement needs them.

    Args:
        context: context of the stage.
    """

    def __init__(self, context: Context) -> None:
        self.context, self.size = context, size_of(context)

    @cached_property
    def store(self) -> TokenStore:
        """The pairs."""
        return TokenStore.open(self.context.store())

    @cached_property
    def tokenizer(self) -> Any:
        """The tokenizer of the pairs."""
        return load_tokenizer(str(self.context.tokenizer()))

    @cached_property
    def links(self) -> LinkStore:
        """The word links of all pairs, computed by the default aligner."""
        return open_links(self.context.work, self.store, LinksConfig(), quiet=True)

    def encoder(self, shape: str, vocabulary: int | None = None) -> Encoder:
        """Return an encoder with random weights. Its vocabulary may have more rows than the tokenizer has pieces."""
        size = self.context.shape(shape)
        rows = vocabulary or size.vocabulary
        with best_device():  # random weights of this size take seconds on a CPU
            model = families.build(size.arch, self.tokenizer, max_length=512)
            if rows is not None and not self.context.tiny:
                model.resize_token_embeddings(rows, mean_resizing=False)
        return Encoder(model, self.tokenizer, name=size.arch)

    def trainer(self, recipe: str, shape: str, *, vocabulary: int | None = None, **training: Any) -> Trainer:
        """Return the trainer of a recipe, on the device and prepared for its first step."""
        loop = {"batch": self.size.batch, "steps": 1_000_000, "log_every": 1 << 30, "checkpoint_every": 1 << 30}
        config = run_settings(recipe, as_overrides({"training": loop | training}))
        if "moco" in config.objectives:  # filling the queue with keys would encode many batches before the first step
            moco = {"queue": self.size.queue, "queue_init": "random"}
            config = run_settings(recipe, as_overrides({"training": loop | training, "moco": moco}))
        encoder = self.encoder(shape, vocabulary)
        learner = Learner(encoder, make_objectives(config, encoder))
        needs_links = any(objective.needs_links for objective in learner.objectives_by_name().values())
        batches = CorpusBatches(self.store, encoder.template, config.views, config.training,
                                longest=encoder.max_pieces, links=self.links if needs_links else None)  # fmt: skip
        trainer = Trainer(learner, batches, config.training, run=self.context.work / "run", settings={}, quiet=True)
        trainer.prepare_objectives()
        return trainer

    def rate(self, trainer: Trainer) -> dict[str, Any]:
        """Measure pairs per second by block, pieces per second, and FLOP/s without padding."""
        self.run(trainer, 0, self.size.warm)
        seconds = [self.block(trainer, number) for number in range(self.size.blocks)]
        work = count_work(trainer, range(self.size.block * self.size.blocks))
        total = sum(seconds)
        return {
            "pairs_per_s": median_of([self.size.block * trainer.config.batch / one for one in seconds]),
            "pieces_per_s": work.pieces / total,
            "step_ms": 1000 * total / len(seconds) / self.size.block,
            "tflop_per_s": work.flops / total / 1e12,
            "padding": 1 - work.pieces / work.positions,
            "tflop_per_step": work.flops / len(seconds) / self.size.block / 1e12,
            "tflop_per_step_padded": work.padded / len(seconds) / self.size.block / 1e12,
            "precision": trainer.precision,
            "arch": trainer.learner.encoder.name,
            "chunk_cost": trainer.learner.encoder.chunk_cost,
            "peak_mb": peak_memory_mb(),
        }

    def block(self, trainer: Trainer, number: int) -> float:
        """Run a block and return its seconds."""
        start = synchronized_time()
        self.run(trainer, number * self.size.block, self.size.block)
        return synchronized_time() - start

    @staticmethod
    def run(trainer: Trainer, first: int, steps: int) -> None:
        """Take ``steps`` steps, beginning with the batch of step ``first``."""
        trainer.step = first
        for _ in range(steps):
            trainer.train_step()


@dataclass
class Work:
    """The work of some steps.

    Attributes:
        pieces: encoded pieces of all views, including those of the momentum encoder.
        positions: the same including padding.
        flops: multiplications and additions of all matrix products, without padding.
        padded: the same including padding.
    """

    pieces: int = 0
    positions: int = 0
    flops: float = 0.0
    padded: float = 0.0


def count_work(trainer: Trainer, steps: range) -> Work:
    """Count the work of some steps, from lengths and shapes.

    A layer of width d multiplies each piece by 12 d² weights and each row of n pieces with itself twice. A backward
    pass counts as two forward passes. Logits are counted for objectives that compute them; so are MoCo's projection
    and queue. The momentum encoder has no backward pass.
    """
    encoder, objectives = trainer.learner.encoder, trainer.learner.objectives_by_name()
    vocabulary, out = len(encoder.embeddings), Work()
    moco: Any = objectives.get("moco")
    for step in steps:
        batch = trainer.batches.batch(step)
        passes = [(view, 3) for view in trainer.views] + ([("second", 1)] if moco is not None else [])
        for view, times in passes:
            lengths = batch.view(view).lengths.tolist()
            out.pieces += sum(lengths)
            out.flops += times * sum(_layers(encoder, n) for n in lengths)
        for views, times in ((trainer.views, 3), (["second"] * (moco is not None), 1)):
            for rows, length in encoder.chunk_shapes([batch.view(view) for view in views]):
                out.positions += rows * length
                out.padded += times * rows * _layers(encoder, length)
        for flops in _beyond_layers(objectives, batch, encoder.width, vocabulary):
            out.flops += flops
            out.padded += flops
    return out


def _layers(encoder: Encoder, pieces: int) -> float:
    """Return the FLOP of a forward pass of one row."""
    d: int = encoder.width
    return float(encoder.layers * (24 * d * d * pieces + 4 * d * pieces * pieces))


def _beyond_layers(objectives: Any, batch: Any, d: int, vocabulary: int) -> Iterator[float]:
    for name, objective in objectives.items():
        if objective.needs_logits:
            yield 3.0 * 2 * sum(objective.counts(batch).values()) * (d * d + d * vocabulary)
        if name == "moco":
            size, queue = objective.config.projection, objective.config.queue
            yield 2.0 * batch.size * ((3 + 1) * (d * d + d * size) + 2 * queue * size)
