"""Pairs per second of contrastive alignment: paralign's loop (recipe `moco`) beside sentence-transformers' own trainer.

    python benchmarks/contrastive_step.py [--store STORE --tokenizer FOLDER] [--arch bert:4x256]

sentence-transformers trains the same encoder on the same pairs by MultipleNegativesRankingLoss: the translations of the
other pairs of a batch are the negatives. That is not MoCo's loss, which has a queue of keys from a momentum encoder and
needs gradients of one side only; what is compared is what a person gets who aligns sentences with either. Both have the
precision of this machine, AdamW, clipping and dropout. Runs take turns; the first steps of each are not counted.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from corpora import add_arguments, open_or_make
from machine import finish, median_of, table

from paralign.device import has_bf16, only_cpu
from paralign.encoder import Encoder
from paralign.text import TokenStore
from paralign.text.views import Batch
from paralign.training import CorpusBatches, Learner, Trainer
from paralign.verbs.export import export
from paralign.verbs.settings import run_settings
from paralign.verbs.train import make_objectives


class Timed:
    """Batches that note when each is asked for: one step lies between two."""

    def __init__(self, batches: CorpusBatches) -> None:
        self._batches, self.times = batches, list[float]()
        self.size, self.records = batches.size, batches.records
        self.steps_per_epoch, self.fingerprint = batches.steps_per_epoch, batches.fingerprint

    def batch(self, step: int, part: int = 0, parts: int = 1) -> Batch:
        """As the batches it wraps."""
        self.times.append(time.perf_counter())
        return self._batches.batch(step, part, parts)


def ours(given: argparse.Namespace, store: TokenStore, tokenizer: Any, folder: Path) -> float:
    """Pairs a second."""
    steps = given.warm + given.steps + 1
    training = {"batch": given.batch, "steps": steps, "checkpoint_every": 1 << 30}
    moco = {"queue": given.queue, "queue_init": "random"}
    config = run_settings("moco", {"training": training, "moco": moco}, [])
    encoder = Encoder.from_scratch(given.arch, tokenizer, max_length=256, padding=config.training.padding)
    learner = Learner(encoder, make_objectives(config, encoder))
    batches = Timed(CorpusBatches(store, encoder.template, config.views, config.training, longest=encoder.max_pieces))
    Trainer(learner, batches, config.training, run=folder / f"run-{time.time_ns()}", settings={}, quiet=True).train()
    times = batches.times[-given.steps - 1 :]
    return given.steps * given.batch / (times[-1] - times[0])


def theirs(given: argparse.Namespace, store: TokenStore, tokenizer: Any, folder: Path) -> float:
    """Pairs a second."""
    from datasets import Dataset
    from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer
    from sentence_transformers import SentenceTransformerTrainingArguments as Arguments
    from sentence_transformers.losses import MultipleNegativesRankingLoss
    from transformers import TrainerCallback

    plain, made = folder / f"plain-{time.time_ns()}", folder / f"st-{time.time_ns()}"
    plain.mkdir()
    Encoder.from_scratch(given.arch, tokenizer, max_length=256).save_pretrained(plain)
    model = SentenceTransformer(str(export(str(plain), made, pool="cls", quiet=True)))
    steps = given.warm + given.steps
    rows = [{"anchor": store.text(k, 0), "positive": store.text(k, 1)}
            for k in range(min(len(store), steps * given.batch))]  # fmt: skip
    times: list[float] = []

    class Clock(TrainerCallback):  # type: ignore[misc]
        """Notes when steps end."""

        def on_step_end(self, *args: Any, **more: Any) -> None:
            times.append(time.perf_counter())

    arguments = Arguments(
        output_dir=str(folder / "out"),
        per_device_train_batch_size=given.batch,
        max_steps=steps,
        bf16=has_bf16(),
        use_cpu=only_cpu(),
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )
    loss = MultipleNegativesRankingLoss(model)
    data = Dataset.from_list(rows)
    SentenceTransformerTrainer(model, arguments, train_dataset=data, loss=loss, callbacks=[Clock()]).train()
    return given.steps * given.batch / (times[-1] - times[-given.steps - 1])


def main() -> None:
    """Read the arguments, run in turn, say what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--arch", default="bert:4x256", help="family:LAYERSxWIDTH")
    parser.add_argument("--batch", type=int, default=128, help="pairs a step")
    parser.add_argument("--queue", type=int, default=32_000)
    parser.add_argument("--warm", type=int, default=3, help="unmeasured steps of each run")
    parser.add_argument("--steps", type=int, default=12, help="measured steps of each run")
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    found: dict[str, list[float]] = {"paralign": [], "sentence-transformers": []}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        store, tokenizer = open_or_make(given, folder)
        for _ in range(given.repeats):
            found["paralign"].append(ours(given, store, tokenizer, folder))
            found["sentence-transformers"].append(theirs(given, store, tokenizer, folder))
    rates = {name: median_of(values) for name, values in found.items()}
    times = median_of([a / b for a, b in zip(*found.values(), strict=True)])
    print(table(["", "pairs/s", "min", "max"], [[name, *(f"{rate[k]:.1f}" for k in ("median", "min", "max"))]
                                                for name, rate in rates.items()]))  # fmt: skip
    print(f"\n{times['median']:.2f} times ({times['min']:.2f} to {times['max']:.2f})")
    finish("contrastive_step", {"arch": given.arch, "batch": given.batch, "pairs_per_s": rates, "times": times})


if __name__ == "__main__":
    main()
