"""Time to build a corpus with several processes, compared with one.

    python benchmarks/shards.py [CORPUS.tsv[.gz]] [--tokenizer FOLDER] [--pairs 400000] [--workers 2] [--repeats 2]

`paralign corpus build` is run without shards and with `--shards N --workers N`, taking turns. Times are of the whole
command: start-up of Python, tokenizing, joining. Each process has one thread, in both. `cpu s` is the time that all
processes of a run computed; on a machine with other work, N times the quotient of the two is the speedup to expect on
an idle one.
"""

from __future__ import annotations

import argparse
import itertools
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from machine import finish, median_of, table
from token_store import lines_of, write


def run(words: Sequence[str], out: Path) -> dict[str, float]:
    """Run a command line; return its seconds and those that its processes computed."""
    threads = {"RAYON_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "paralign", *words, f"--out={out}", "-q"], check=True, env=os.environ | threads
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    shutil.rmtree(out)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"s": time.perf_counter() - began, "cpu_s": cpu}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path, nargs="?", help="pairs in two columns (default: the small world)")
    parser.add_argument("--languages", default="en-de")
    parser.add_argument("--tokenizer", type=Path, help="folder of a tokenizer (default: a small one is trained)")
    parser.add_argument("--pairs", type=int, default=400_000, help="number of lines")
    parser.add_argument("--workers", type=int, default=2, help="number of shards and processes")
    parser.add_argument("--repeats", type=int, default=2)
    given = parser.parse_args(arguments)
    each: dict[str, list[dict[str, float]]] = {"one process": [], f"{given.workers} shards": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if given.tokenizer is None:
            from corpora import small_tokenizer

            given.tokenizer = folder / "tokenizer"
            small_tokenizer().save_pretrained(given.tokenizer)
        written = write(itertools.islice(lines_of(given), given.pairs), folder / "text.tsv")
        words = ["corpus", "build", f"--model={given.tokenizer}", f"--pairs={given.languages}={folder / 'text.tsv'}"]
        words += ["--set", "data.min_pieces=3", "--set", "data.max_pieces=500"]
        options = ([], [f"--shards={given.workers}", f"--workers={given.workers}"])
        for _ in range(given.repeats):
            for runs, more in zip(each.values(), options, strict=True):
                runs.append(run([*words, *more], folder / "out"))
    result: dict[str, Any] = {
        kind: {key: median_of([row[key] for row in runs]) for key in ("s", "cpu_s")} for kind, runs in each.items()
    }
    rows = [
        [kind, *(f"{row[key]['median']:.1f}" for key in ("s", "cpu_s")), f"{written / row['s']['median']:,.0f}"]
        for kind, row in result.items()
    ]
    print(table(["", "s", "cpu s", "lines/s"], rows))
    alone, sharded = result.values()
    speedup = alone["s"]["median"] / sharded["s"]["median"]
    expected = given.workers * alone["cpu_s"]["median"] / sharded["cpu_s"]["median"]
    print(f"\nspeedup {speedup:.2f}, by computing time {expected:.2f}")
    finish("shards", {"lines": written, "speedup": speedup, "expected": expected, **result})


if __name__ == "__main__":
    main()
