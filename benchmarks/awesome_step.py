"""Pairs per second of TLM training: paralign's loop (recipe `tlm`) compared with awesome-align.

    pip install --no-deps --target AWESOME awesome-align; pip install --target AWESOME boto3 requests
    python benchmarks/awesome_step.py AWESOME [--store STORE --tokenizer FOLDER] [--arch bert:4x256]

The same BERT encoder with random weights, the same pairs, the same number of pairs per step. awesome-align runs
unchanged, as in `awesome-train --train_tlm`: it masks one language, then the other, in two passes, pads to the longest
row, computes logits at all positions, in fp32, and extracts word links from every batch although TLM does not use them.
paralign masks both sides at once. The comparison is how fast the same pairs are trained on; halve the ratio to compare
passes. Runs take turns; the first steps of each are not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import corpora
import loop_rate
import torch
from machine import finish

from paralign.corpus.store import TokenStore
from paralign.encoder import Encoder


def train(arguments: list[str]) -> None:
    """Run awesome-align's command in a separate process, which prints the time at the end of each step."""
    from awesome_align import run_train

    times: list[float] = []

    class Clock:
        """Replaces the progress bar of awesome-align."""

        def update(self) -> None:
            times.append(time.perf_counter())

    run_train.trange = lambda *_, **__: Clock()
    sys.argv = ["awesome-train", *arguments]
    run_train.main()
    print(json.dumps(times))


def theirs(given: argparse.Namespace, store: TokenStore, tokenizer: Any, encoder: Encoder, base: Path) -> float:
    """Return the pairs per second of awesome-align."""
    torch.save(encoder.model.state_dict(), base / "pytorch_model.bin")  # all that its loader reads
    pieces = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    (base / "vocab.txt").write_text("".join(f"{piece}\n" for piece, _ in pieces), encoding="utf-8")
    steps = given.warm + given.steps
    text = base / "pairs.txt"
    with text.open("w", encoding="utf-8") as file:
        file.writelines(f"{a} ||| {b}\n" for a, b in loop_rate.sample(store, (steps + 1) * given.batch))
    words = [
        "--output_dir",
        base / f"out-{time.time_ns()}",
        "--model_name_or_path",
        base,
        "--train_data_file",
        text,
        "--do_train",
    ]
    words += ["--train_tlm", "--per_gpu_train_batch_size", given.batch, "--gradient_accumulation_steps", 1]
    words += ["--max_steps", steps, "--save_steps", 1 << 30, "--align_layer", encoder.layers]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(given.awesome), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, __file__, "--child", *map(str, words)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"awesome-align failed:\n{done.stderr[-2000:]}")
    times = json.loads(done.stdout.splitlines()[-1])[:steps]
    return loop_rate.rate_of(times, given)


def main() -> None:
    """Parse the arguments, run both, taking turns, and print the result."""
    if sys.argv[1:2] == ["--child"]:
        train(sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("awesome", type=Path, help="folder in which awesome-align is installed")
    corpora.add_arguments(parser)
    loop_rate.add_arguments(parser, batch=32)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        store, tokenizer = corpora.open_or_make(given, folder)
        base, encoder = folder / "encoder", Encoder.from_scratch(given.arch, tokenizer, max_length=256)
        encoder.save_pretrained(base)
        ways = {
            "paralign": lambda: loop_rate.loop_rate(base, store.path, "tlm", given),
            "awesome-align": lambda: theirs(given, store, tokenizer, encoder, base),
        }
        found = loop_rate.in_turn(ways, given.repeats)
    finish("awesome_step", {"arch": given.arch, "batch": given.batch, **found}, torch_too=True)


if __name__ == "__main__":
    main()
