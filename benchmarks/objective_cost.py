"""Cost of an objective's step compared with another one: CPU seconds per step and peak memory of the real loop.

    python benchmarks/objective_cost.py layer|self-training|cached|objectives [--model ENCODER --store STORE]
        [--batch 32] [--results FILE]

* `layer`: `in_batch` at half the depth, compared with the last layer.
* `self-training`: `self_training` at two thirds of the depth and at the last layer, compared with `tlm`.
* `cached`: `in_batch` with a batch in eight slices, whose negatives are the whole batch (GradCache), compared with the
  same batch undivided. `--batch 512` is the recipe's.
* `objectives`: all objectives and mixtures of `layers_objectives.py`, at two thirds of the depth and at the last layer,
  compared with `mlm`. With `--results`, the row for docs/results/objectives-by-layer.md is appended to FILE.

Every measurement is `paralign align` in a process of its own, from the same weights on the same batches; they take
turns. CPU seconds of the process are counted, not the clock, so that other work on the machine matters less. Memory is
the peak of the process, and its growth since the first step began. Ratios are to the last of a comparison.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from corpora import add_arguments, open_or_make
from layers_objectives import METHODS
from machine import current_commit, finish, median_of, table

from paralign.commands.align import AlignRequest, prepare_align
from paralign.encoder import Encoder
from paralign.runs.options import RunOptions
from paralign.training import Callback
from paralign.training.callbacks import CallbackTrainer
from paralign.training.memory import peak_memory

MIB = 2**20


def by_depth() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the name and the settings of each method at each of its depths."""
    for name, method in METHODS.items():
        for depth in method.depths:
            own = [text.replace("LAYER", "-1" if depth == 1 else f"{depth:.2f}") for text in method.settings]
            own = [text.replace("SCALE", "1.0") for text in own]
            links = [f"links.symmetrize={method.links}"] if method.links else []
            yield f"{name} at {depth:.2f}", (f"objectives={json.dumps(method.objectives)}", *own, *links)


COMPARISONS: dict[str, dict[str, tuple[str, ...]]] = {
    "layer": {
        "in_batch at half the depth": ('objectives=["in_batch"]', "in_batch.layer=0.5"),
        "in_batch at the last layer": ('objectives=["in_batch"]', "in_batch.layer=-1"),
    },
    "self-training": {
        "self_training at two thirds": ('objectives=["self_training"]', "self_training.layer=0.67"),
        "self_training at the last layer": ('objectives=["self_training"]', "self_training.layer=-1"),
        "tlm": ('objectives=["tlm"]',),
    },
    "cached": {
        "in_batch in 8 slices": ('objectives=["in_batch"]', "training.accumulate=8"),
        "in_batch undivided": ('objectives=["in_batch"]', "training.accumulate=1"),
    },
    "objectives": dict(reversed(list(by_depth()))),  # the last one is mlm
}


class Clock(Callback):
    """Records the CPU seconds of the process after each step, and its memory before the first."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.before = 0

    def on_train_start(self, trainer: CallbackTrainer) -> None:
        """Record the memory so far."""
        self.before = peak_memory()

    def on_step_end(self, trainer: CallbackTrainer) -> None:
        """Record the time."""
        self.seconds.append(time.process_time())


def measure(given: argparse.Namespace) -> None:
    """Run one measurement in this process, and print it as JSON."""
    clock = Clock()
    steps = (f"training.steps={given.warm + given.steps}", f"training.batch={given.batch}")
    overrides = (*steps, "training.checkpoint_every=1000000", *given.set)
    with tempfile.TemporaryDirectory() as place:
        request = AlignRequest(str(given.model), corpus=given.store, recipe="tlm", overrides=overrides)
        prepared = prepare_align(RunOptions(Path(place) / "run", quiet=True), request)
        assert prepared is not None
        prepared.trainer.callbacks.append(clock)
        prepared.trainer.train()
    seconds = (clock.seconds[-1] - clock.seconds[-given.steps - 1]) / given.steps
    print(json.dumps({"seconds": seconds, "peak": peak_memory(), "growth": peak_memory() - clock.before}))


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("comparison", choices=[*COMPARISONS, "one"])
    add_arguments(parser)
    parser.add_argument("--model", type=Path, help="folder of an encoder; without it random weights of --arch")
    parser.add_argument("--arch", default="bert:4x256", help="family:LAYERSxWIDTH")
    parser.add_argument("--batch", type=int, default=32, help="pairs per step")
    parser.add_argument("--warm", type=int, default=2, help="unmeasured steps of each run")
    parser.add_argument("--steps", type=int, default=10, help="measured steps of each run")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--results", type=Path, help="file that the row is appended to")
    parser.add_argument("--set", action="append", default=[], help="of `one`, which measures in this process")
    given = parser.parse_args(arguments)
    if given.comparison == "one":
        measure(given)
        return
    ways = COMPARISONS[given.comparison]
    with tempfile.TemporaryDirectory() as place:
        if given.model is not None:
            given.tokenizer = given.model
        store, tokenizer = open_or_make(given, Path(place))
        model = given.model or Path(place) / "encoder"
        if given.model is None:
            longest = max(128, int(store.lengths.sum(1).max()) + 8)
            Encoder.from_scratch(given.arch, tokenizer, max_length=longest).save_pretrained(model)
        words = [sys.executable, __file__, "one", "--model", str(model), "--store", str(store.path)]
        words += [f"--{name}={getattr(given, name)}" for name in ("batch", "warm", "steps")]
        found: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
        for _ in range(given.repeats):
            for name, overrides in ways.items():
                sets = [f"--set={text}" for text in overrides]
                done = subprocess.run([*words, *sets], capture_output=True, text=True, check=True)
                found[name].append(json.loads(done.stdout.splitlines()[-1]))
    last = list(found.values())[-1]
    rows = {}
    for name, runs in found.items():
        ratios = {what: median_of([a[what] / b[what] for a, b in zip(runs, last, strict=True)]) for what in runs[0]}
        rows[name] = {what: median_of([run[what] for run in runs]) for what in runs[0]} | {"ratios": ratios}
    cells = [
        [name, f"{row['seconds']['median']:.3f}", f"{row['peak']['median'] / MIB:,.0f}",
         f"{row['growth']['median'] / MIB:,.0f}", *(f"{row['ratios'][what]['median']:.2f}" for what in row["ratios"])]
        for name, row in rows.items()
    ]  # fmt: skip
    print(table(["", "CPU s/step", "peak MiB", "growth MiB", "time ratio", "peak ratio", "growth ratio"], cells))
    shape = {
        "model": str(given.model or given.arch),
        "batch": given.batch,
        "steps": given.steps,
        "repeats": given.repeats,
    }
    if given.results:
        costs = {
            name: [round(row["seconds"]["median"], 4), round(row["ratios"]["seconds"]["median"], 3)]
            for name, row in rows.items()
        }
        line = {"comparison": given.comparison, "base": Path(model).name, **shape, "commit": current_commit()[:7]}
        with given.results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line | {"costs": costs}) + "\n")
    finish("objective_cost", {"comparison": given.comparison, **shape, "rows": rows}, torch_too=True)


if __name__ == "__main__":
    main()
