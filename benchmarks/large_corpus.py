"""Memory and time of a training process on a corpus of 10⁸ records: it is opened, planned and read.

    python benchmarks/large_corpus.py [--records 100000000] [--shard 1000000] [--batches 100] [--temperature 1]

The corpus is one shard of random pieces, 57 per pair on average, listed as often as needed: all records are read
through their positions in the corpus, but the disk holds one shard (0.9 GB per million pairs). `anonymous_mb` is the
memory of the process itself, `imports_mb` that before the corpus is opened; `file_mb` are pages of the files of the
store, which the system may drop at any time.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from machine import finish, table

MB = 1e6


def status() -> dict[str, float]:
    """Return the memory of this process in MB: ``anonymous`` is its own, ``file`` pages of mapped files."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    sizes = {line.split(":")[0]: int(line.split()[1]) * 1024 / MB for line in lines if line.endswith("kB")}
    return {"anonymous": sizes["RssAnon"], "file": sizes["RssFile"]}


def write_shard(folder: Path, records: int) -> None:
    """Write a store of pairs of random pieces of 16 bits."""
    from paralign.corpus.build import TextTokenizer, build_store
    from paralign.corpus.clean import FilterConfig
    from paralign.corpus.shard_plan import ShardPlan
    from paralign.sources.specs import parse_pairs

    rng = np.random.default_rng(0)

    def tokenize(texts: list[str], _: str) -> list[tuple[Any, Any]]:
        lengths = np.clip(rng.lognormal(3.2, 0.55, len(texts)), 3, 63).astype(int).tolist()
        return [(rng.integers(0, 60_000, k), np.zeros((k, 2), np.int64)) for k in lengths]

    text = folder / "text.tsv"
    text.write_text("".join(f"{k} a\t{k} b\n" for k in range(records)), encoding="utf-8")
    specs: list[Any] = [parse_pairs(f"en-de={text}")]
    config = FilterConfig(min_pieces=3, drop_duplicates=False)
    facts = {"tokenizer": "random", "filter": config.model_dump(mode="json")}
    plan = ShardPlan.create(specs, 1, facts, lenient=False, counts=True)
    out = folder / "corpus/shards/0001"
    build_store(specs, TextTokenizer(tokenize, "random", 60_000), out, filter=config, shard=plan.shard(1))


def write_corpus(folder: Path, records: int) -> None:
    """List the shard as often as needed for a number of records."""
    from paralign.corpus.store import TokenStore
    from paralign.digests import write_digests

    shard = TokenStore.open(folder / "shards/0001")
    times = -(-records // len(shard))
    entry = {"folder": "shards/0001", "records": len(shard), "fingerprint": shard.fingerprint, "duplicates": 0}
    meta = {key: shard.meta[key] for key in ("schema", "sides", "languages", "tokenizer", "filter", "fingerprint")}
    meta |= {"records": times * len(shard), "pieces": times * shard.meta["pieces"], "specs": shard.meta["specs"]}
    joined = folder / "joined"
    joined.mkdir(exist_ok=True)
    (joined / "gaps.bin").write_bytes(b"")
    (joined / "meta.json").write_text(json.dumps(meta | {"shards": [entry] * times}))
    write_digests(joined, ["gaps.bin"])


def read(given: argparse.Namespace) -> dict[str, Any]:
    """Open, plan and read the corpus, in a new process.

    The records of all batches of an epoch are asked for, and every so often a batch with its views, ``given.batches``
    in each section.
    """
    from paralign.batches.views import Template, ViewsConfig
    from paralign.corpus.store import TokenStore
    from paralign.training import CorpusBatches, TrainingConfig

    template = Template(((1,), (2,)), ((1,), (2,), (2,)), (0, 0, 0, 1, 1), 4, 0, (0, 1, 2, 3, 4), 60_000)
    before, began = status(), time.perf_counter()
    store = TokenStore.open(given.out)
    opened = time.perf_counter()
    config = TrainingConfig(temperature=given.temperature, shuffle=given.shuffle)
    batches = CorpusBatches(store, template, ViewsConfig(), config, longest=512)
    batches.batch(0).view("joint")
    first = time.perf_counter()
    every = max(1, given.shuffle // batches.size // given.batches)
    peak, records, viewed, seconds = status(), 0, 0, 0.0
    for step in range(0, batches.steps_per_epoch, every if given.sample else 1):
        records += len(batches._plan.records(step))
        if step % every == 0:
            start = time.perf_counter()
            batch = batches.batch(step)
            batch.view("joint"), batch.view("first")
            seconds += time.perf_counter() - start
            viewed += batch.size
            peak = {name: max(value, peak[name]) for name, value in status().items()}
    end = time.perf_counter()
    return {
        "records": len(store),
        "shards": len(store.meta["shards"]),
        "open_ms": 1000 * (opened - began),
        "first_batch_s": first - opened,
        "epoch_s": end - first,
        "epoch_records": records,
        "views_pairs_s": viewed / seconds,
        "imports_mb": before["anonymous"],
        "anonymous_mb": peak["anonymous"],
        "file_mb": peak["file"],
    }


def main(arguments: list[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=100_000_000)
    parser.add_argument("--shard", type=int, default=1_000_000, help="records of the shard on disk")
    parser.add_argument("--batches", type=int, default=100, help="batches with views in each section")
    parser.add_argument("--shuffle", type=int, default=4_194_304, help="training.shuffle")
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--sample", action="store_true", help="read only these batches, not the records of all")
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.out:
        print(json.dumps(read(given)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_shard(folder, min(given.shard, given.records))
        write_corpus(folder / "corpus", given.records)
        options = [f"--{key}={getattr(given, key)}" for key in ("records", "batches", "shuffle", "temperature")]
        options += ["--sample"] * given.sample
        command = [sys.executable, __file__, f"--out={folder / 'corpus'}", *options]
        result = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.splitlines()[-1])
    rows = [[key, f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"] for key, value in result.items()]
    print(table(["", "value"], rows))
    finish("large_corpus", result)


if __name__ == "__main__":
    main()
