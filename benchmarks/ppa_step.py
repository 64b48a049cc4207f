"""Pairs per second of a PPA optimizer step: paralign's loop compared with the same step in plain transformers.

    python benchmarks/ppa_step.py [--store STORE --tokenizer FOLDER] [--arch bert:4x256] [--queue 32000]

All steps do the same work, which is checked first: without dropout, in fp32, from the same weights and queue, on the
same masked batches, the losses of some optimizer steps must agree to 1e-4. Then the steps are timed in one process, in
alternating blocks. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from corpora import add_arguments, open_or_make
from hf_step import VIEWS, HuggingFaceStep, Style
from machine import finish, median_of, table

from paralign.batches.batching import padded_size, split_by_length
from paralign.batches.views import Batch
from paralign.commands.arguments import as_overrides
from paralign.corpus.store import TokenStore
from paralign.device import has_bf16
from paralign.encoder import Encoder
from paralign.runs.objectives import make_objectives
from paralign.runs.settings import RunConfig, run_settings
from paralign.training import CorpusBatches, Learner, Trainer, TrainingConfig

TOLERANCE = 1e-4
RIVALS = ("obvious", "careful", "careful-sorted")
Seen = dict[str, list[int]]


class Clock:
    """Seconds, and pieces by view, of the blocks of one step; waits for the accelerator before it reads the clock."""

    def __init__(self) -> None:
        self.blocks: list[float] = []
        self.seen: Seen = {name: [0, 0] for name in VIEWS}
        self.steps = 0
        self._began = 0.0

    def start(self) -> None:
        """Start a block."""
        self._began = _now()

    def stop(self, steps: int) -> None:
        """End a block of this number of steps."""
        self.blocks.append(_now() - self._began)
        self.steps += steps


def _now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


class Rival:
    """A step of :class:`HuggingFaceStep` and the batches it reads."""

    def __init__(self, made: HuggingFaceStep, batches: CorpusBatches) -> None:
        self.made, self._batches, self._next = made, batches, 0
        self.clock = Clock()

    def run(self, steps: int) -> None:
        """Take this number of optimizer steps."""
        for _ in range(steps):
            self.made.step(self._batches.batch(self._next))
            self._next += 1

    def timed(self, steps: int) -> None:
        """Time a block."""
        self.made.seen = self.clock.seen
        self.clock.start()
        self.run(steps)
        self.clock.stop(steps)


class TakingTurns:
    """Batches of the loop; between blocks of its steps, when it requests the next batch, the rivals run.

    The loop itself is unmodified, and blocks of all steps alternate.
    """

    def __init__(
        self, batches: CorpusBatches, *, warm: int, block: int, repeats: int, between: Callable[[], None]
    ) -> None:
        self._batches, self._between = batches, between
        self._warm, self._block, self._repeats = warm, block, repeats
        self.size, self.records = batches.size, batches.records
        self.steps_per_epoch, self.fingerprint = batches.steps_per_epoch, batches.fingerprint
        self.clock = Clock()
        self.timed: list[Batch] = []

    def batch(self, step: int, part: int = 0, parts: int = 1) -> Batch:
        """Return a batch of the wrapped batches, which is not trained on."""
        return self._batches.batch(step, part, parts)

    def slices(self, step: int, part: int, parts: int, count: int) -> list[Batch]:
        """Return the slices of a batch of the wrapped batches."""
        turn, place = divmod(step - self._warm, self._block)
        if step >= self._warm and place == 0:
            if turn > 0:
                self.clock.stop(self._block)
            if turn < self._repeats:
                self._between()
                self.clock.start()
        made = self._batches.slices(step, part, parts, count)
        if self._warm <= step and turn < self._repeats:
            self.timed += made
        return made


# In the check the encoder moves fast and the momentum encoder follows closely: at the paper's rates a step that
# forgot one of them would give the same losses for a while. Decay is left out: plain AdamW decays biases too.
# AdamW's eps is large: a small one turns rounding errors of vanishing gradients into whole updates.
CHECK = {
    "learning_rate": 1e-3,
    "warmup": 0,
    "weight_decay": 0,
    "eps": 1e-3,
    "log_every": 1,
    "precision": "fp32",
}
CHECK_MOMENTUM = 0.5


def settings_of(given: argparse.Namespace, moco: dict[str, Any], **training: Any) -> RunConfig:
    """Return the recipe ``ppa`` with the requested sizes and precision; every step starts from one random queue."""
    loop = {"batch": given.batch, "precision": given.precision, "checkpoint_every": 1 << 30} | training
    moco = {"queue": given.queue, "queue_init": "random"} | moco
    return run_settings("ppa", as_overrides({"training": loop, "moco": moco}))


def new_learner(given: argparse.Namespace, config: RunConfig, store: TokenStore, tokenizer: Any,
                dropout: float) -> Learner:  # fmt: skip
    """Return encoder and objectives with random weights from a fixed seed."""
    longest = int(store.lengths.sum(1).max()) + 8
    encoder = Encoder.from_scratch(
        given.arch,
        tokenizer,
        max_length=max(longest, given.pad_to),
        dropout=dropout,
        chunk_cost=config.training.chunk_cost,
    )
    return Learner(encoder, make_objectives(config, encoder))


def batches_of(store: TokenStore, learner: Learner, config: RunConfig, *, window: int | None = None
               ) -> CorpusBatches:  # fmt: skip
    """Return the batches of the loop; with ``window`` 1 they are plainly shuffled."""
    training = config.training if window is None else config.training.model_copy(update={"window": window})
    encoder = learner.encoder
    return CorpusBatches(store, encoder.template, config.views, training, longest=encoder.max_pieces)


def new_rival(learner: Learner, training: TrainingConfig, style: Style, steps: int) -> HuggingFaceStep:
    """Return a step with copies of the learner's weights and queue."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    moco: Any = learner.objectives["moco"]
    return HuggingFaceStep(learner.encoder, moco, training, style, steps=steps, device=device)


def check(given: argparse.Namespace, store: TokenStore, tokenizer: Any, folder: Path) -> dict[str, float]:
    """Return the largest difference of each loss between paralign's loop and either rival, over ``check_steps`` steps.

    From the second step on the losses depend on the gradients, the optimizer, the enqueued keys and the
    moving average of the steps before: equal losses mean that all of these are equal work.

    Raises:
        AssertionError: if they differ by more than 1e-4.
    """
    steps = given.check_steps
    config = settings_of(given, {"momentum": CHECK_MOMENTUM}, steps=steps, **CHECK)
    learner = new_learner(given, config, store, tokenizer, dropout=0.0)
    batches = batches_of(store, learner, config)
    styles = [Style(given.pad_to, bf16=False, fused=False), Style(None, bf16=False, fused=True)]
    rivals = [new_rival(learner, config.training, style, steps) for style in styles]
    Trainer(learner, batches, config.training, run=folder, settings={}, quiet=True).train()
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    ours = [line["losses"] for line in lines if "losses" in line]
    assert len(ours) == steps, f"{len(ours)} steps in the log, not {steps}"
    worst = {"tlm": 0.0, "moco": 0.0}
    for rival in rivals:
        for step in range(steps):
            theirs = rival.step(batches.batch(step))
            worst = {name: max(worst[name], abs(theirs[name] - ours[step][name])) for name in worst}
    if not max(worst.values()) <= TOLERANCE:
        raise AssertionError(f"the steps compared do not compute the same losses: {worst}")
    return worst


def compare(given: argparse.Namespace, store: TokenStore, tokenizer: Any, folder: Path) -> dict[str, Any]:
    """Time alternating blocks and return the result of each step by name."""
    steps = given.warm + given.repeats * given.block + 1  # the last one only ends the last block
    config = settings_of(given, {}, steps=steps)
    learner = new_learner(given, config, store, tokenizer, dropout=0.1)
    bf16 = given.precision == "bf16" or (given.precision == "auto" and has_bf16())
    fixed, dynamic = Style(given.pad_to, bf16=False, fused=False), Style(None, bf16=bf16, fused=True)
    styles = {"obvious": (fixed, 1), "careful": (dynamic, 1), "careful-sorted": (dynamic, None)}
    rivals = {
        name: Rival(
            new_rival(learner, config.training, styles[name][0], steps),
            batches_of(store, learner, config, window=styles[name][1]),
        )
        for name in given.rivals
    }
    for rival in rivals.values():
        rival.run(given.rival_warm)

    def between() -> None:
        for rival in rivals.values():
            rival.timed(given.rival_block)

    turns = TakingTurns(
        batches_of(store, learner, config),
        warm=given.warm,
        block=given.block,
        repeats=given.repeats,
        between=between,
    )
    trainer = Trainer(learner, turns, config.training, run=folder, settings={}, quiet=True)
    trainer.train()
    for batch in turns.timed:
        for name in VIEWS:
            lengths = batch.view(name).lengths
            turns.clock.seen[name][0] += int(lengths.sum())
            turns.clock.seen[name][1] += padded_size(lengths, split_by_length(lengths, learner.encoder.chunk_cost))
    rows = {"paralign": _row(turns.clock, given, given.block, trainer.precision)}
    for name, rival in rivals.items():
        precision = "bf16" if rival.made.style.bf16 else "fp32"
        rows[name] = _row(rival.clock, given, given.rival_block, precision)
    return rows


def _row(clock: Clock, given: argparse.Namespace, block: int, precision: str) -> dict[str, Any]:
    seconds = sum(clock.blocks)
    pieces = sum(real for real, _ in clock.seen.values())
    positions = sum(padded for _, padded in clock.seen.values())
    return {
        "precision": precision,
        "steps": clock.steps,
        "pairs_per_s": median_of([block * given.batch / one for one in clock.blocks]),
        "pairs_per_s_overall": clock.steps * given.batch / seconds,
        "tokens_per_s": pieces / seconds,
        "padding": {name: 1 - real / padded for name, (real, padded) in clock.seen.items()}
        | {"all": 1 - pieces / positions},
    }


def ratios(rows: dict[str, Any]) -> dict[str, Any]:
    """Return the ratio of the rate of paralign to that of each rival: by block, and over all blocks together."""
    ours = rows["paralign"]
    out = {}
    for name, row in rows.items():
        if name != "paralign":
            pairs = zip(ours["pairs_per_s"]["each"], row["pairs_per_s"]["each"], strict=True)
            overall = ours["pairs_per_s_overall"] / row["pairs_per_s_overall"]
            out[name] = median_of([a / b for a, b in pairs]) | {"overall": overall}
    return out


def arguments_of(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--arch", default="bert:4x256", help="family:LAYERSxWIDTH")
    parser.add_argument("--batch", type=int, default=128, help="pairs per step")
    parser.add_argument("--queue", type=int, default=32_000)
    parser.add_argument("--pad-to", type=int, default=128, help="pieces per row of the naive step")
    parser.add_argument("--precision", choices=("auto", "bf16", "fp32"), default="auto",
                        help="of paralign and the optimized Hugging Face step; the naive step has fp32")  # fmt: skip
    parser.add_argument("--rivals", nargs="*", choices=RIVALS, default=list(RIVALS))
    parser.add_argument("--repeats", type=int, default=5, help="number of blocks of each step")
    parser.add_argument("--block", type=int, default=10,
                        help="steps of paralign per block; 5 x 10 are a complete window of lengths")  # fmt: skip
    parser.add_argument("--rival-block", type=int, default=2, help="steps of each rival per block")
    parser.add_argument("--warm", type=int, default=5, help="unmeasured steps of paralign")
    parser.add_argument("--rival-warm", type=int, default=1, help="unmeasured steps of each rival")
    parser.add_argument("--check-steps", type=int, default=3, help="optimizer steps whose losses must agree")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Check, measure; print the tables and the JSON line."""
    given = arguments_of(arguments)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        store, tokenizer = open_or_make(given, place)
        data = {"records": len(store), "vocabulary": len(tokenizer), "filter": store.meta["filter"]}
        kept = store.share_kept()
        worst = check(given, store, tokenizer, place / "check")
        rows = compare(given, store, tokenizer, place / "run")
    ratio = ratios(rows)
    print(f"{given.arch}, {data['vocabulary']:,} pieces, {given.batch} pairs per step, queue {given.queue:,}")
    print(f"{kept}; data.min_pieces = {data['filter']['min_pieces']}")
    print(f"same losses in {given.check_steps} steps: " + ", ".join(f"{n} {v:.1e}" for n, v in worst.items()))
    cells = [
        [
            name,
            row["precision"],
            *(f"{row['pairs_per_s'][key]:.1f}" for key in ("median", "min", "max")),
            f"{row['pairs_per_s_overall']:.1f}",
            f"{row['tokens_per_s']:,.0f}",
            *(f"{row['padding'][key]:.1%}" for key in (*VIEWS, "all")),
        ]
        for name, row in rows.items()
    ]
    head = [
        "step",
        "",
        "pairs/s",
        "min",
        "max",
        "overall",
        "tokens/s",
        *(f"pad {v}" for v in VIEWS),
        "pad all",
    ]
    print("\n" + table(head, cells))
    cells = [
        [f"paralign / {name}", *(f"{r[key]:.2f}" for key in ("median", "min", "max", "overall"))]
        for name, r in ratio.items()
    ]
    print("\n" + table(["ratio of pairs/s", "median", "min", "max", "overall"], cells))
    settings = {key: value for key, value in vars(given).items() if key not in ("store", "tokenizer")}
    result = {"settings": settings, **data, "loss_difference": worst, "rows": rows, "ratios": ratio}
    finish("ppa_step", result, torch_too=True)


if __name__ == "__main__":
    main()
