"""Pairs per second of paralign's loop with any recipe, to compare with other trainers."""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from machine import median_of, table

import paralign
from paralign.corpus.store import TokenStore
from paralign.device import has_bf16, only_cpu

__all__ = ["add_arguments", "in_turn", "loop_rate", "rate_of", "sample", "step_clock", "trainer_options"]


def add_arguments(parser: argparse.ArgumentParser, *, batch: int = 128) -> None:
    """Add the arguments that both sides have."""
    parser.add_argument("--arch", default="bert:4x256", help="family:LAYERSxWIDTH")
    parser.add_argument("--batch", type=int, default=batch, help="pairs per step")
    parser.add_argument("--warm", type=int, default=3, help="unmeasured steps of each run")
    parser.add_argument(
        "--steps", type=int, default=50, help="measured steps of each run; 50 are a complete window of lengths"
    )
    parser.add_argument("--repeats", type=int, default=3)


def loop_rate(
    model: Path,
    store: Path,
    recipe: str,
    given: argparse.Namespace,
    settings: Mapping[str, Any] | None = None,
    overrides: Sequence[str] = (),
) -> float:
    """Measure the pairs per second of the steps of `paralign align`, including log, gradient clipping and schedule.

    Args:
        model: folder of the encoder.
        store: token store of the pairs.
        recipe: name of a recipe.
        given: ``batch``, ``warm`` and ``steps``, as :func:`add_arguments` adds them.
        settings, overrides: as in :func:`paralign.align`.
    """
    sets = [f"training.steps={given.warm + given.steps}", f"training.batch={given.batch}", "training.log_every=1"]
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "run"
        paralign.align(
            str(model), out=out, corpus=store, recipe=recipe, settings=settings or {}, quiet=True,
            overrides=[*sets, "training.checkpoint_every=1000000", *overrides],
        )  # fmt: skip
        lines = [json.loads(line) for line in (out / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    at = {line["step"]: line["time"] for line in lines if "losses" in line}
    return rate_of([at[given.warm + step] for step in range(given.steps + 1)], given)


def trainer_options(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Return the arguments that trainers built on that of Hugging Face have in common."""
    return {
        "output_dir": str(folder / "out"),
        "per_device_train_batch_size": given.batch,
        "max_steps": given.warm + given.steps,
        "bf16": has_bf16(),
        "use_cpu": only_cpu(),
        "save_strategy": "no",
        "logging_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
    }


def step_clock(times: list[float]) -> Any:
    """Return a callback of the Trainer of Hugging Face that appends the times at which steps end."""
    from transformers import TrainerCallback

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *args: Any, **more: Any) -> None:
            times.append(time.perf_counter())

    return Clock()


def rate_of(times: Sequence[float], given: argparse.Namespace) -> float:
    """Return the pairs per second of the measured steps, from the times at which all steps ended."""
    return float(given.steps * given.batch / (times[-1] - times[-given.steps - 1]))


def sample(store: TokenStore, many: int) -> list[tuple[str, str]]:
    """Sample pairs from the whole store as text, because files are often sorted by length."""
    chosen = np.random.default_rng(0).permutation(len(store))[:many]
    return [(store.text(k, 0), store.text(k, 1)) for k in chosen.tolist()]


def in_turn(ways: Mapping[str, Callable[[], float]], repeats: int) -> dict[str, Any]:
    """Run all variants, taking turns; print the table and the ratios of the first to the others.

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
