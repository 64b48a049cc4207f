"""Cost of evaluating a task: evaluation compared with a naive padded loop, padding, reading, memory.

    python benchmarks/tasks.py [--nli en=XNLI.tsv] [--ner en=PANX.tsv] [--model ENCODER] [--only NAME ...]

Without files it runs on the small world. ``obvious`` is the naive loop in transformers alone: batches in the order of
the file, each row padded to 128 pieces, one forward pass per batch, the answers read after each batch. Both are in fp32
and must give the same predictions, otherwise nothing is reported.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from corpora import small_tokenizer
from machine import finish, median_of, table

from paralign.batches.batching import batches_by_length, padded_size, split_by_length
from paralign.encoder import Encoder
from paralign.tasks import find_task
from paralign.tasks.dataset import Dataset
from paralign.tasks.label_head import LabelHead
from paralign.tasks.supervised import SupervisedTask
from paralign.training import TrainingConfig

PAD_TO = 128


def read(task: SupervisedTask, spec: str, limit: int | None) -> Dataset[Any]:
    """Read a data set, without items that cannot be used."""
    data: Dataset[Any] = task.read(spec, lenient=True, dropped=Counter(), limit=limit)
    return data


@torch.no_grad()
def obvious(encoder: Encoder, head: LabelHead, items: Sequence[Any], batch: int) -> list[int]:
    """Return the class of each pair with the naive loop: tokenized with padding to the maximum, batch by batch."""
    out: list[int] = []
    base = encoder.model.base_model
    for start in range(0, len(items), batch):
        some = items[start : start + batch]
        made = encoder.tokenizer(
            [item.first for item in some],
            [item.second for item in some],
            padding="max_length",
            truncation="longest_first",
            max_length=PAD_TO,
            return_token_type_ids=encoder.uses_token_types,
            return_tensors="pt",
        )
        states = base(**made).last_hidden_state[:, 0]
        out += head.linear(states).argmax(1).tolist()
    return out


def evaluation(encoder: Encoder, spec: str, limit: int, repeats: int) -> dict[str, Any]:
    """Measure pairs per second of classification, with paralign and the naive loop, taking turns."""
    task = find_task("nli")
    assert isinstance(task, SupervisedTask)
    data = read(task, spec, limit)
    items = list(data)
    torch.manual_seed(0)
    head = task.head(encoder)
    torch.nn.init.normal_(head.linear.weight, std=1.0)
    encoder.eval()
    head.eval()
    names = head.names
    ours = [names.index(answer) for _, answer in task.answers(encoder, head, data)]
    theirs = obvious(encoder, head, items, 32)
    same = float(np.mean(np.array(ours) == np.array(theirs)))
    if same < 0.999:
        raise SystemExit(f"only {same:.2%} of the answers are equal: not the same work")
    seconds: dict[str, list[float]] = {"paralign": [], "obvious": []}
    for _ in range(repeats):
        began = time.perf_counter()
        task.evaluate(encoder, head, data)
        seconds["paralign"].append(time.perf_counter() - began)
        began = time.perf_counter()
        obvious(encoder, head, items, 32)
        seconds["obvious"].append(time.perf_counter() - began)
    rate = {name: median_of([len(items) / s for s in each]) for name, each in seconds.items()}
    ratio = rate["paralign"]["median"] / rate["obvious"]["median"]
    return {"items": len(items), "equal": same, "items_per_s": rate, "ratio": ratio}


def padding(encoder: Encoder, specs: dict[str, str], limit: int) -> dict[str, dict[str, float]]:
    """Return the share of encoded positions that are padding, in training (batches of 32) and in evaluation."""
    out = {}
    for name, spec in specs.items():
        task = find_task(name)
        assert isinstance(task, SupervisedTask)
        data = read(task, spec, limit)
        task.fit([data])
        batches = task.batches(encoder, [data], TrainingConfig(batch=32))
        real = padded = 0
        for step in range(batches.steps_per_epoch):
            lengths = batches.batch(step).view("example").lengths
            real += int(lengths.sum())
            padded += padded_size(lengths, split_by_length(lengths, encoder.chunk_cost))
        scored = scored_padded = 0
        rows = task.examples(encoder, list(data), data.language)
        sizes = np.array([len(row) + 3 for row in rows])
        for batch in batches_by_length([len(row) + 4 for row in rows]):
            lengths = sizes[batch]
            scored += int(lengths.sum())
            scored_padded += padded_size(lengths, split_by_length(lengths, encoder.chunk_cost))
        out[name] = {"training": 1 - real / padded, "evaluation": 1 - scored / scored_padded}
    return out


def reading(spec: str, limit: int, repeats: int) -> dict[str, Any]:
    """Return the seconds to read and score this number of NER sentences, without a model."""
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        task = find_task("ner", {"scheme": "conll"})
        assert isinstance(task, SupervisedTask)
        data = read(task, spec, limit)
        scores = task.scores(((item, item.tags) for item in data), data)
        assert scores[0].value == 1.0
        seconds.append(time.perf_counter() - began)
    return {"sentences": len(data), "seconds": median_of(seconds)}


_CHILD = """
import resource, sys
from collections import Counter
import torch
from paralign.encoder import Encoder
from paralign.tasks import find_task
torch.set_num_threads(1)
task, encoder = find_task("nli"), Encoder.from_pretrained(sys.argv[2])
data = task.read(f"en={sys.argv[1]}", lenient=False, dropped=Counter(), limit=None)
task.evaluate(encoder, task.head(encoder), data)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def memory(encoder: Encoder, spec: str, counts: Sequence[int]) -> dict[str, float]:
    """Return the peak MB of a process that evaluates this number of pairs."""
    task = find_task("nli")
    assert isinstance(task, SupervisedTask)
    items = list(read(task, spec, 4096))
    out = {}
    with tempfile.TemporaryDirectory() as folder:
        encoder.save_pretrained(Path(folder) / "model")
        for count in counts:
            text = Path(folder) / f"{count}.tsv"
            with text.open("w", encoding="utf-8") as file:
                for k in range(count):
                    item = items[k % len(items)]
                    file.write(f"{item.first}\t{item.second}\t{item.label}\n")
            command = [sys.executable, "-c", _CHILD, str(text), str(Path(folder) / "model")]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            out[str(count)] = float(done.stdout.split()[-1])
    return out


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure; print the tables and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="encoder (default: bert:4x256 with random weights)")
    parser.add_argument("--arch", default="bert:4x256")
    parser.add_argument("--nli", default="en=smallworld:0-2000", help="LANG=PATH")
    parser.add_argument("--ner", default="en=smallworld:0-10000", help="LANG=PATH")
    parser.add_argument("--limit", type=int, default=2000, help="items encoded")
    parser.add_argument("--read", type=int, default=10_000, help="NER sentences read and scored")
    parser.add_argument("--memory", type=int, nargs="+", default=[5_000, 20_000, 80_000], help="pairs scored")
    parser.add_argument("--repeats", type=int, default=3)
    every = ("evaluation", "padding", "reading", "memory")
    parser.add_argument("--only", choices=every, nargs="+", default=every)
    given = parser.parse_args(arguments)
    if given.model:
        encoder = Encoder.from_pretrained(given.model)
    else:
        encoder = Encoder.from_scratch(given.arch, small_tokenizer(), max_length=PAD_TO)
    found: dict[str, Any] = {}
    if "reading" in given.only:
        found["reading"] = reading(given.ner, given.read, given.repeats)
        seconds = found["reading"]["seconds"]["median"]
        print(f"NER, {found['reading']['sentences']:,} sentences read and scored: {seconds:.2f} s")
    if "padding" in given.only:
        found["padding"] = padding(encoder, {"nli": given.nli, "ner": given.ner}, given.limit)
        rows = [[name, *(f"{s:.1%}" for s in shares.values())] for name, shares in found["padding"].items()]
        print("\npadding\n" + table(["task", "training", "evaluation"], rows))
    if "evaluation" in given.only:
        found["evaluation"] = made = evaluation(encoder, given.nli, given.limit, given.repeats)
        rows = [[name, f"{rate['median']:.0f}"] for name, rate in made["items_per_s"].items()]
        print(f"\nclassification of {made['items']:,} pairs\n" + table(["loop", "pairs/s"], rows))
        print(f"ratio {made['ratio']:.2f}")
    if "memory" in given.only:
        small = Encoder.from_scratch("bert:1x32", encoder.tokenizer, max_length=PAD_TO)
        found["memory_mb"] = memory(small, given.nli, given.memory)
        print("\n" + table(["pairs scored", "peak MB"], [[k, f"{v:.0f}"] for k, v in found["memory_mb"].items()]))
    finish("tasks", found, torch_too=True)


if __name__ == "__main__":
    main()
