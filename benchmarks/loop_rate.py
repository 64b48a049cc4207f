"""Pairs per second of paralign's own loop with any recipe: what other trainers are measured beside."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from machine import median_of, table

from paralign.encoder import Encoder
from paralign.text import TokenStore
from paralign.text.views import Batch
from paralign.training import CorpusBatches, Learner, Trainer
from paralign.verbs.settings import run_settings
from paralign.verbs.train import make_objectives

__all__ = ["add_arguments", "in_turn", "loop_rate"]


class _Timed:
    """Batches that note when each is asked for: one step lies between two."""

    def __init__(self, batches: CorpusBatches) -> None:
        self._batches, self.times = batches, list[float]()
        self.size, self.records = batches.size, batches.records
        self.steps_per_epoch, self.fingerprint = batches.steps_per_epoch, batches.fingerprint

    def batch(self, step: int, part: int = 0, parts: int = 1) -> Batch:
        """As the batches it wraps."""
        if not part:
            self.times.append(time.perf_counter())
        return self._batches.batch(step, part, parts)


def add_arguments(parser: argparse.ArgumentParser, *, batch: int = 128) -> None:
    """What both sides are given."""
    parser.add_argument("--arch", default="bert:4x256", help="family:LAYERSxWIDTH")
    parser.add_argument("--batch", type=int, default=batch, help="pairs a step")
    parser.add_argument("--warm", type=int, default=3, help="unmeasured steps of each run")
    parser.add_argument("--steps", type=int, default=50, help="measured steps of each run: 50 are a window of lengths")
    parser.add_argument("--repeats", type=int, default=3)


def loop_rate(
    recipe: str,
    given: argparse.Namespace,
    store: TokenStore,
    tokenizer: Any,
    folder: Path,
    settings: Mapping[str, Any] | None = None,
) -> float:
    """Pairs a second of the real trainer, its log, clipping and schedule included.

    Args:
        recipe: name of one.
        given: of :func:`add_arguments`.
        store: the pairs.
        tokenizer: of the store.
        folder: for the run.
        settings: more of them.
    """
    training = {"batch": given.batch, "steps": given.warm + given.steps + 1, "checkpoint_every": 1 << 30}
    config = run_settings(recipe, {"training": training, **(settings or {})}, [])
    encoder = Encoder.from_scratch(given.arch, tokenizer, max_length=256, chunk_cost=config.training.chunk_cost)
    learner = Learner(encoder, make_objectives(config, encoder))
    batches = _Timed(CorpusBatches(store, encoder.template, config.views, config.training, longest=encoder.max_pieces))
    Trainer(learner, batches, config.training, run=folder / f"run-{time.time_ns()}", settings={}, quiet=True).train()
    times = batches.times[-given.steps - 1 :]
    return given.steps * given.batch / (times[-1] - times[0])


def in_turn(ways: Mapping[str, Callable[[], float]], repeats: int) -> dict[str, Any]:
    """Run each way in turn, print the table and the ratios of the first to the others.

    Returns:
        ``pairs_per_s`` and ``times`` by name: median, min, max.
    """
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, run in ways.items():
            found[name].append(run())
    first, *others = found
    rates = {name: median_of(values) for name, values in found.items()}
    times = {name: median_of([a / b for a, b in zip(found[first], found[name], strict=True)]) for name in others}
    rows = [[name, *(f"{rate[k]:.1f}" for k in ("median", "min", "max"))] for name, rate in rates.items()]
    print(table(["", "pairs/s", "min", "max"], rows))
    for name, ratio in times.items():
        print(f"\n{first} / {name}: {ratio['median']:.2f} ({ratio['min']:.2f} to {ratio['max']:.2f})")
    return {"pairs_per_s": rates, "times": times}
