"""How close the loop is to the limit that matrix products set on this machine, by recipe.

    python benchmarks/matrix_share.py [--store STORE --tokenizer FOLDER] [--arch bert:4x256] [--recipe ppa] [--profile]

Every matrix product and attention call of some steps of the real trainer is recorded (operation, shapes, strides,
types). Then each is run alone on tensors of the same kind, and the times are added up: the time of a step that does
nothing else, at the best rate of the machine for these shapes. The share is this time divided by the time of the step
itself, measured without recording. The rate of a large square product, which no step of these shapes can reach, is
printed too. ``--profile`` lists where the rest of the time goes.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import corpora
import torch
from machine import finish, median_of, table
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from paralign.commands.arguments import as_overrides
from paralign.device import best_device
from paralign.encoder import Encoder
from paralign.runs.objectives import make_objectives
from paralign.runs.settings import run_settings
from paralign.training import CorpusBatches, Learner, Trainer


class Products(TorchDispatchMode):
    """Counts operations with a known number of multiplications, by everything that affects their time."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: Counter[Any] = Counter()
        self.flops: dict[Any, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        counted = flop_registry.get(func._overloadpacket)
        if counted is not None:
            key = (func, tuple(map(_kind, args)), tuple((name, _kind(value)) for name, value in kwargs.items()))
            self.seen[key] += 1
            self.flops[key] = counted(*args, **kwargs, out_val=out)
        return out


def _kind(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return ("tensor", tuple(value.shape), value.stride(), value.dtype)
    return tuple(value) if isinstance(value, list) else value


def _made(kind: Any, device: torch.device) -> Any:
    if not (isinstance(kind, tuple) and kind[:1] == ("tensor",)):
        return list(kind) if isinstance(kind, tuple) else kind
    _, shape, stride, dtype = kind
    out = torch.empty_strided(shape, stride, dtype=dtype, device=device)
    return out.normal_() if dtype.is_floating_point else out.zero_()


def _now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


@torch.no_grad()
def alone(key: Any, device: torch.device, repeats: int = 5) -> float:
    """Return the median seconds of an operation alone."""
    func, args, kwargs = key
    given = [_made(kind, device) for kind in args], {name: _made(kind, device) for name, kind in kwargs}
    times = []
    for _ in range(repeats + 1):
        began = _now()
        func(*given[0], **given[1])
        times.append(_now() - began)
    return float(median_of(times[1:])["median"])


def square(device: torch.device, dtype: torch.dtype, size: int = 2048) -> float:
    """Return the FLOP/s of a large square product."""
    kind = ("tensor", (size, size), (size, 1), dtype)
    return 2 * size**3 / alone((torch.ops.aten.mm.default, (kind, kind), ()), device)


def trainer(given: argparse.Namespace, folder: Path) -> Trainer:
    """Return a trainer of the recipe that has not run."""
    store, tokenizer = corpora.open_or_make(given, folder)
    training = {"batch": given.batch, "steps": 1000, "checkpoint_every": 1 << 30}
    moco = {"queue": given.queue, "queue_init": "random"}
    config = run_settings(given.recipe, as_overrides({"training": training}))
    if "moco" in config.objectives:
        config = run_settings(given.recipe, as_overrides({"training": training, "moco": moco}))
    encoder = Encoder.from_scratch(given.arch, tokenizer, max_length=256, chunk_cost=config.training.chunk_cost)
    learner = Learner(encoder, make_objectives(config, encoder))
    batches = CorpusBatches(store, encoder.template, config.views, config.training, longest=encoder.max_pieces)
    return Trainer(learner, batches, config.training, run=folder / "run", settings={}, quiet=True)


def main() -> None:
    """Read the arguments, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    corpora.add_arguments(parser)
    parser.add_argument("--arch", default="bert:4x256", help="family:LAYERSxWIDTH")
    parser.add_argument("--recipe", default="ppa")
    parser.add_argument("--batch", type=int, default=128, help="pairs per step")
    parser.add_argument("--queue", type=int, default=32_000)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--profile", action="store_true", help="print the time of each operation")
    given = parser.parse_args()
    device = best_device()
    with tempfile.TemporaryDirectory() as place:
        made = trainer(given, Path(place))
        made.prepare_objectives()
        for _ in range(3):
            made.train_step()
        made.step = 0
        seconds = []
        for _ in range(given.steps):
            began = _now()
            made.train_step()
            seconds.append(_now() - began)
        made.step = 0
        with Products() as noted:
            for _ in range(given.steps):
                made.train_step()
        if given.profile:
            made.step = 0
            with torch.profiler.profile() as profile:
                for _ in range(given.steps):
                    made.train_step()
            print(profile.key_averages().table(sort_by="self_cpu_time_total", row_limit=25, max_name_column_width=60))
    best = {key: alone(key, device) for key in noted.seen}
    kinds: dict[str, list[float]] = {}
    for key, count in noted.seen.items():
        name = "attention" if "attention" in str(key[0]) else "products"
        row = kinds.setdefault(name, [0, 0.0, 0.0])
        row[0] += count
        row[1] += count * noted.flops[key] / given.steps
        row[2] += count * best[key] / given.steps
    step = sum(seconds) / given.steps
    rows = [[name, f"{count / given.steps:,.0f}", f"{flops / 1e9:.1f}", f"{1000 * own:.0f}", f"{own / step:.1%}",
             f"{flops / own / 1e9:,.0f}"] for name, (count, flops, own) in kinds.items()]  # fmt: skip
    flops, own = (sum(row[k] for row in kinds.values()) for k in (1, 2))
    rows.append(["step", "", f"{flops / 1e9:.1f}", f"{1000 * step:.0f}", "", f"{flops / step / 1e9:,.0f}"])
    print(table(["a step", "calls", "GFLOP", "ms alone", "share", "GFLOP/s"], rows))
    dtype = torch.bfloat16 if made.precision == "bf16" else torch.float32
    top = square(device, dtype)
    print(f"\n{own / step:.1%} of the time of the step is that of its products alone; a square product of 2,048 has "
          f"{top / 1e9:,.0f} GFLOP/s, the step {flops / step / top:.1%} of that")  # fmt: skip
    finish("matrix_share", {"recipe": given.recipe, "arch": given.arch, "batch": given.batch, "step_s": step,
                            "alone_s": own, "share": own / step, "flops": flops, "square_flops": top},
           torch_too=True)  # fmt: skip


if __name__ == "__main__":
    main()
