"""paralign's own loop with a recipe at a shape, from random weights: made, timed, and its work counted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from context import Context
from machine import median_of

from paralign.batches.batching import split_by_length
from paralign.corpus.link_store import LinkStore
from paralign.corpus.store import TokenStore
from paralign.encoder import Encoder, families
from paralign.encoder.loading import load_tokenizer
from paralign.runs.links import open_links
from paralign.runs.settings import LinksConfig, run_settings
from paralign.runs.train import make_objectives
from paralign.training import CorpusBatches, Learner, Trainer

__all__ = ["Loops", "Size", "Work", "now", "peak_mb", "size_of", "work_of"]


@dataclass(frozen=True)
class Size:
    """Of a measurement.

    Attributes:
        batch: pairs a step.
        queue: MoCo's.
        warm: steps that are not measured.
        block: steps timed together; 50 are one window of lengths.
        blocks: repeats.
    """

    batch: int = 128
    queue: int = 32_000
    warm: int = 10
    block: int = 50
    blocks: int = 3


def size_of(context: Context) -> Size:
    """As the paper's, or a few steps of eight pairs."""
    return Size(batch=8, queue=64, warm=1, block=2, blocks=2) if context.tiny else Size()


def now() -> float:
    """Seconds, when the accelerator has done what it was asked."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def peak_mb() -> float | None:
    """Most that torch held on the accelerator."""
    return torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else None


class Loops:
    """Trainers of one stage; text and links are opened once.

    Args:
        context: of the stage.
    """

    def __init__(self, context: Context) -> None:
        self.context, self.size = context, size_of(context)
        self.store = TokenStore.open(context.store())
        self.tokenizer = load_tokenizer(str(context.tokenizer()))
        self._links: LinkStore | None = None

    def encoder(self, shape: str, vocabulary: int | None = None) -> Encoder:
        """With random weights; the vocabulary of the shape may be larger than the tokenizer's: the pieces are its."""
        wanted = self.context.shape(shape)
        model = families.build(wanted.arch, self.tokenizer, max_length=512)
        rows = vocabulary or wanted.vocabulary
        if rows is not None and not self.context.tiny:
            model.resize_token_embeddings(rows, mean_resizing=False)
        return Encoder(model, self.tokenizer, name=wanted.arch)

    def trainer(self, recipe: str, shape: str, *, vocabulary: int | None = None, **training: Any) -> Trainer:
        """The recipe's, on the device and prepared; none of its steps run."""
        loop = {"batch": self.size.batch, "steps": 1_000_000, "log_every": 1 << 30, "checkpoint_every": 1 << 30}
        config = run_settings(recipe, {"training": loop | training}, [])
        if "moco" in config.objectives:  # a warm queue would cost a whole epoch of keys before the first step
            moco = {"queue": self.size.queue, "queue_init": "random"}
            config = run_settings(recipe, {"training": loop | training, "moco": moco}, [])
        encoder = self.encoder(shape, vocabulary)
        learner = Learner(encoder, make_objectives(config, encoder))
        needs_links = any(objective.needs_links for objective in learner.objectives_by_name().values())
        batches = CorpusBatches(self.store, encoder.template, config.views, config.training,
                                longest=encoder.max_pieces, links=self.links() if needs_links else None)  # fmt: skip
        made = Trainer(learner, batches, config.training, run=self.context.work / "run", settings={}, quiet=True)
        made.prepare_objectives()
        return made

    def links(self) -> LinkStore:
        """Of all pairs, found once by the usual aligner."""
        if self._links is None:
            self._links = open_links(self.context.work, self.store, LinksConfig(), quiet=True)
        return self._links

    def rate(self, trainer: Trainer) -> dict[str, Any]:
        """Pairs a second by block, pieces a second, and FLOP/s that no padding is counted in."""
        self.run(trainer, 0, self.size.warm)
        seconds = [self.block(trainer, number) for number in range(self.size.blocks)]
        work = work_of(trainer, range(self.size.block * self.size.blocks))
        total = sum(seconds)
        return {
            "pairs_per_s": median_of([self.size.block * self.size.batch / one for one in seconds]),
            "pieces_per_s": work.pieces / total,
            "step_ms": 1000 * total / len(seconds) / self.size.block,
            "tflop_per_s": work.flops / total / 1e12,
            "padding": 1 - work.pieces / work.positions,
            "tflop_a_step": work.flops / len(seconds) / self.size.block / 1e12,
            "tflop_a_step_padded": work.padded / len(seconds) / self.size.block / 1e12,
            "precision": trainer.precision,
            "arch": trainer.learner.encoder.name,
            "chunk_cost": trainer.learner.encoder.chunk_cost,
            "peak_mb": peak_mb(),
        }

    def block(self, trainer: Trainer, number: int) -> float:
        """Seconds of a block."""
        began = now()
        self.run(trainer, number * self.size.block, self.size.block)
        return now() - began

    @staticmethod
    def run(trainer: Trainer, first: int, steps: int) -> None:
        """So many steps, from the batch of step ``first``."""
        trainer.step = first
        for _ in range(steps):
            trainer.train_step()


@dataclass
class Work:
    """Of some steps.

    Attributes:
        pieces: encoded, each view's; with the key encoder's.
        positions: the same with padding.
        flops: multiplications and additions of all matrix products, for pieces alone.
        padded: the same with padding.
    """

    pieces: int = 0
    positions: int = 0
    flops: float = 0.0
    padded: float = 0.0


def work_of(trainer: Trainer, steps: range) -> Work:
    """What some steps have to compute, from lengths and shapes.

    A layer of width d multiplies each piece with 12 d² weights and each row of n pieces with itself twice; a
    backward pass costs two forward passes. Vocabulary scores are counted where an objective makes them, and MoCo's
    projection and queue. The momentum encoder has no backward pass.
    """
    encoder, objectives = trainer.learner.encoder, trainer.learner.objectives_by_name()
    vocabulary, out = len(encoder.embeddings), Work()
    moco: Any = objectives.get("moco")
    for step in steps:
        batch = trainer.batches.batch(step)
        passes = [(view, 3) for view in trainer.views] + ([("second", 1)] if moco is not None else [])
        for view, times in passes:
            lengths = batch.view(view).lengths
            rows = [(int(n), int(n)) for n in lengths]
            for chunk in split_by_length(lengths, encoder.chunk_cost):
                wide = int(lengths[chunk].max())
                out.positions += wide * len(chunk)
                out.padded += times * len(chunk) * _layers(encoder, wide)
            out.pieces += sum(n for n, _ in rows)
            out.flops += times * sum(_layers(encoder, n) for n, _ in rows)
        for flops in _beyond_layers(objectives, batch, encoder.width, vocabulary):
            out.flops += flops
            out.padded += flops
    return out


def _layers(encoder: Encoder, pieces: int) -> float:
    """A forward pass of a row."""
    d: int = encoder.width
    return float(encoder.layers * (24 * d * d * pieces + 4 * d * pieces * pieces))


def _beyond_layers(objectives: Any, batch: Any, d: int, vocabulary: int) -> Iterator[float]:
    for name, objective in objectives.items():
        if objective.needs_logits:
            yield 3.0 * 2 * sum(objective.counts(batch).values()) * (d * d + d * vocabulary)
        if name == "moco":
            size, queue = objective.config.projection, objective.config.queue
            yield 2.0 * batch.size * ((3 + 1) * (d * d + d * size) + 2 * queue * size)
