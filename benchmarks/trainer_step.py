"""Pairs per second of TLM training: paralign's loop (recipe `tlm`) compared with the Trainer of Hugging Face.

    python benchmarks/trainer_step.py [--store STORE --tokenizer FOLDER] [--arch bert:4x256]

The Trainer has the same encoder with random weights, rows of both sentences with a separator between,
`DataCollatorForLanguageModeling` (15 % masked, padding to the longest row), batches of similar length
(`train_sampling_strategy="group_by_length"`), bf16 where this machine has it, fused AdamW, gradient clipping and
dropout. Positions do not begin again at the second sentence, and logits are computed at all positions, as the model's
own loss does. Runs take turns; the first steps of each are not counted.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import corpora
import loop_rate
from machine import finish

from paralign.corpus.store import TokenStore
from paralign.encoder import Encoder


def theirs(given: argparse.Namespace, store: TokenStore, tokenizer: Any, base: Path, folder: Path) -> float:
    """Return the pairs per second of the Trainer."""
    from datasets import Dataset
    from transformers import (
        AutoModelForMaskedLM,
        DataCollatorForLanguageModeling,
        Trainer,
        TrainingArguments,
    )

    steps = given.warm + given.steps
    pairs = loop_rate.sample(store, steps * given.batch)
    rows = [{"input_ids": tokenizer(a, b, truncation=True, max_length=254)["input_ids"]} for a, b in pairs]
    times: list[float] = []
    clock = loop_rate.step_clock(times)

    arguments = TrainingArguments(
        **loop_rate.trainer_options(given, folder),
        optim="adamw_torch_fused",
        train_sampling_strategy="group_by_length",
    )
    model = AutoModelForMaskedLM.from_pretrained(base)
    collator = DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15)
    data = Dataset.from_list(rows)
    Trainer(model, arguments, data_collator=collator, train_dataset=data, callbacks=[clock]).train()
    return loop_rate.rate_of(times, given)


def main() -> None:
    """Parse the arguments, run both, taking turns, and print the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    corpora.add_arguments(parser)
    loop_rate.add_arguments(parser, batch=32)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        store, tokenizer = corpora.open_or_make(given, folder)
        base = folder / "encoder"
        Encoder.from_scratch(given.arch, tokenizer, max_length=256).save_pretrained(base)
        ways = {
            "paralign": lambda: loop_rate.loop_rate(base, store.path, "tlm", given),
            "Trainer": lambda: theirs(given, store, tokenizer, base, folder),
        }
        found = loop_rate.in_turn(ways, given.repeats)
    finish("trainer_step", {"arch": given.arch, "batch": given.batch, **found}, torch_too=True)


if __name__ == "__main__":
    main()
