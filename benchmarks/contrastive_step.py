"""Pairs per second of contrastive alignment: paralign's loop compared with sentence-transformers.

    python benchmarks/contrastive_step.py [--recipe moco|in-batch] [--slices 1] [--store STORE --tokenizer FOLDER]
        [--arch bert:4x256 | --model ENCODER]

sentence-transformers trains the same encoder on the same pairs with MultipleNegativesRankingLoss, whose negatives are
the translations of the other pairs of a batch. That is the loss of `in-batch`, which has both directions. The loss of
MoCo is different: it has a queue of keys from a momentum encoder and needs gradients of one side only. With `--slices`,
both divide a batch and keep the negatives of the whole batch (GradCache; CachedMultipleNegativesRankingLoss). Both use
the precision of this machine, AdamW, gradient clipping and dropout. Runs take turns; the first steps of each are not
counted.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import corpora
import loop_rate
from machine import finish

from paralign.commands.export import export
from paralign.corpus.store import TokenStore
from paralign.encoder import Encoder


def theirs(given: argparse.Namespace, store: TokenStore, base: Path, folder: Path) -> float:
    """Return the pairs per second of sentence-transformers."""
    from datasets import Dataset
    from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer
    from sentence_transformers import SentenceTransformerTrainingArguments as Arguments
    from sentence_transformers.losses import CachedMultipleNegativesRankingLoss, MultipleNegativesRankingLoss

    pool = "cls" if given.recipe == "moco" else "mean"
    model = SentenceTransformer(str(export(str(base), folder / f"st-{time.time_ns()}", pool=pool, quiet=True)))
    steps = given.warm + given.steps
    rows = [{"anchor": a, "positive": b} for a, b in loop_rate.sample(store, steps * given.batch)]
    times: list[float] = []
    clock = loop_rate.step_clock(times)

    arguments = Arguments(**loop_rate.trainer_options(given, folder))
    both = {"directions": ("query_to_doc", "doc_to_query"), "partition_mode": "per_direction"}
    more = both if given.recipe == "in-batch" else {}
    if given.slices > 1:
        loss = CachedMultipleNegativesRankingLoss(model, mini_batch_size=-(-given.batch // given.slices), **more)
    else:
        loss = MultipleNegativesRankingLoss(model, **more)
    data = Dataset.from_list(rows)
    SentenceTransformerTrainer(model, arguments, train_dataset=data, loss=loss, callbacks=[clock]).train()
    return loop_rate.rate_of(times, given)


def main() -> None:
    """Parse the arguments, run both, taking turns, and print the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    corpora.add_arguments(parser)
    loop_rate.add_arguments(parser)
    parser.add_argument("--model", type=Path, help="folder of an encoder; default: random weights of --arch")
    parser.add_argument("--recipe", choices=("moco", "in-batch"), default="moco")
    parser.add_argument("--slices", type=int, default=1, help="divide each batch, with the negatives of the whole")
    parser.add_argument("--queue", type=int, default=32_000)
    given = parser.parse_args()
    moco = {"moco": {"queue": given.queue, "queue_init": "random"}} if given.recipe == "moco" else {}
    slices = (f"training.accumulate={given.slices}",)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        store, tokenizer = corpora.open_or_make(given, folder)
        base = given.model or folder / "encoder"
        if given.model is None:
            Encoder.from_scratch(given.arch, tokenizer, max_length=256).save_pretrained(base)
        ways = {
            "paralign": lambda: loop_rate.loop_rate(base, store.path, given.recipe, given, moco, slices),
            "sentence-transformers": lambda: theirs(given, store, base, folder),
        }
        found = loop_rate.in_turn(ways, given.repeats)
    shape = {"encoder": str(given.model or given.arch), "batch": given.batch, "recipe": given.recipe}
    finish("contrastive_step", {**shape, "slices": given.slices, **found}, torch_too=True)


if __name__ == "__main__":
    main()
