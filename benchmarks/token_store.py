"""Time and memory of a token store of N and of 4N pairs: building it, opening it, and reading it as in training.

    python benchmarks/token_store.py [CORPUS.tsv[.gz] --languages en-de] [--tokenizer FOLDER] [--pairs 200000]

Every measurement is a separate process. Memory is the peak of the process minus its size after all imports and with the
tokenizer loaded; if it does not grow with the text, memory is flat.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import resource
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from machine import finish, table

MB = 1e6


def _status(field: str) -> float | None:
    """Return a memory size of this process in MB from /proc; None: not Linux."""
    path = Path("/proc/self/status")
    lines = path.read_text(encoding="ascii").splitlines() if path.exists() else []
    found = [line.split()[1] for line in lines if line.startswith(field + ":")]
    return int(found[0]) * 1024 / MB if found else None


def peak() -> dict[str, float]:
    """Return the peak resident size in MB.

    ``getrusage`` counts from the fork and includes the size of a large parent. VmHWM is reset when the program starts,
    so it is preferred if it exists.
    """
    unit = 1 if sys.platform == "darwin" else 1024
    usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MB
    own = _status("VmHWM")
    return {"peak_mb": usage if own is None else own, "ru_maxrss_mb": usage}


# -- what the child processes do


def build(given: argparse.Namespace) -> dict[str, Any]:
    """Build a store of ``given.text``; return the seconds, and sizes before and after."""
    from paralign.corpus.build import build_store
    from paralign.corpus.clean import FilterConfig
    from paralign.encoder.loading import load_tokenizer
    from paralign.encoder.tokenizer import text_tokenizer, tokenize
    from paralign.sources.specs import parse_pairs

    tokenizer = load_tokenizer(str(given.tokenizer))
    tokenize(tokenizer, ["one text", "and another"] * 8)  # its threads are there from here on
    before, imports = _status("VmRSS"), peak()["peak_mb"]
    began = time.perf_counter()
    store = build_store(
        [parse_pairs(f"{given.languages}={given.text}")],
        text_tokenizer(tokenizer),
        given.out,
        filter=FilterConfig(min_pieces=given.min_pieces),
    )
    seconds = time.perf_counter() - began
    meta = store.meta
    return {
        "seconds": seconds,
        "imports_mb": imports if before is None else before,
        **peak(),
        "kept": len(store),
        "lines": len(store) + sum(sum(spec["dropped"].values()) for spec in meta["specs"]),
        "pieces": meta["pieces"],
        "store_mb": sum(array["bytes"] for array in meta["arrays"].values()) / MB,
    }


def reopen(given: argparse.Namespace) -> dict[str, Any]:
    """Open a store in a new process: milliseconds until it is open, and until a random batch is read."""
    import numpy as np

    from paralign.corpus.store import TokenStore

    began = time.perf_counter()
    store = TokenStore.open(given.out)
    opened = time.perf_counter()
    chosen = np.random.default_rng(0).integers(0, len(store), 128)
    store.gather(chosen, np.zeros_like(chosen))
    return {"open_ms": 1000 * (opened - began), "first_batch_ms": 1000 * (time.perf_counter() - opened)}


def train(given: argparse.Namespace) -> dict[str, Any]:
    """Read a store as training does, in a new process: seconds until the first batch is ready (the epoch is sorted),
    pairs per second of batches sampled from the whole store, including views, and their memory."""
    import numpy as np

    from paralign.batches.views import ViewsConfig
    from paralign.corpus.store import TokenStore
    from paralign.encoder.loading import load_tokenizer
    from paralign.encoder.tokenizer import probe_template
    from paralign.training import CorpusBatches, TrainingConfig

    template = probe_template(load_tokenizer(str(given.tokenizer)), types=True)
    tracemalloc.start()  # the pages of the store's files are not memory of ours
    began = time.perf_counter()
    store = TokenStore.open(given.out)
    training = TrainingConfig(batch=min(128, len(store)))
    batches = CorpusBatches(store, template, ViewsConfig(), training, longest=1 << 20)
    batches.batch(0).view("joint")
    planned = time.perf_counter()
    kept, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    steps = np.random.default_rng(0).integers(0, batches.steps_per_epoch, 300).tolist()
    read = time.perf_counter()
    for step in steps:
        batch = batches.batch(step)
        batch.view("joint"), batch.view("first")
    seconds = time.perf_counter() - read
    return {
        "plan_s": planned - began,
        "pairs_s": batches.size * len(steps) / seconds,
        "plan_mb": most / MB,
        "kept_mb": kept / MB,
    }


CHILDREN = {"build": build, "open": reopen, "train": train}


# -- what the parent does


def child(verb: str, given: argparse.Namespace, text: Path, out: Path) -> dict[str, Any]:
    """Run a command in a new process and read the JSON object on its last line."""
    words: list[object] = [
        sys.executable,
        __file__,
        "--child",
        verb,
        text,
        "--out",
        out,
        "--tokenizer",
        given.tokenizer,
    ]
    words += ["--languages", given.languages, "--min-pieces", given.min_pieces]
    done = subprocess.run([str(word) for word in words], check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def lines_of(given: argparse.Namespace) -> Iterator[str]:
    """Yield the lines of the given corpus, or of the small world's pairs."""
    if given.text is None:
        from corpora import long_pairs

        yield from (f"{source}\t{target}\n" for source, target in long_pairs("de"))
    else:
        opened = gzip.open if given.text.suffix == ".gz" else open
        with opened(given.text, "rt", encoding="utf-8", newline="\n") as file:
            yield from file


def write(lines: Iterable[str], path: Path) -> int:
    """Write lines and return their number."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        written = 0
        for line in lines:
            file.write(line)
            written += 1
    return written


def measure(given: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """Build and open stores of 4N and of N pairs."""
    if given.tokenizer is None:
        from corpora import small_tokenizer

        given.tokenizer = folder / "tokenizer"
        small_tokenizer().save_pretrained(given.tokenizer)
    found = []
    # N is every fourth of the 4N lines: files are often sorted by length, and both must hold lines of a kind.
    for count, every in ((4 * given.pairs, 1), (given.pairs, 4)):
        text, out = folder / f"{count}.tsv", folder / f"store-{count}"
        written = write(itertools.islice(lines_of(given), 0, 4 * given.pairs, every), text)
        if written < count:
            raise SystemExit(f"{given.text} has {written:,} lines: give --pairs {written // 4}")
        row = child("build", given, text, out) | child("open", given, text, out) | child("train", given, text, out)
        row["growth_mb"] = row["peak_mb"] - row["imports_mb"]
        row["text_mb"] = text.stat().st_size / MB
        found.append(row)
        text.unlink()
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure; print the table and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path, nargs="?", help="pairs in two columns (default: the small world)")
    parser.add_argument("--languages", default="en-de")
    parser.add_argument("--tokenizer", type=Path, help="folder of a tokenizer (default: a small one is trained)")
    parser.add_argument("--pairs", type=int, default=200_000, help="N, the number of lines")
    parser.add_argument("--min-pieces", type=int, default=3, help="data.min_pieces")
    parser.add_argument("--child", choices=tuple(CHILDREN), help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.child is not None:
        print(json.dumps(CHILDREN[given.child](given)))
        return
    with tempfile.TemporaryDirectory() as folder:
        large, small = measure(given, Path(folder))
    rows = [
        [
            f"{row['lines']:,}",
            f"{row['kept']:,}",
            f"{row['pieces']:,}",
            f"{row['store_mb']:.1f}",
            f"{row['seconds']:.1f}",
            f"{row['lines'] / row['seconds']:,.0f}",
            f"{row['imports_mb']:.0f}",
            f"{row['peak_mb']:.0f}",
            f"{row['growth_mb']:.1f}",
            f"{row['open_ms']:.2f}",
            f"{row['first_batch_ms']:.2f}",
            f"{row['plan_s']:.1f}",
            f"{row['plan_mb']:.0f}",
            f"{row['kept_mb']:.0f}",
            f"{row['pairs_s']:,.0f}",
        ]
        for row in (small, large)
    ]
    head = ["lines", "kept", "pieces", "store MB", "s", "lines/s", "imports MB", "peak MB", "growth MB",
            "open ms", "first batch ms", "plan s", "plan MB", "kept MB", "read pairs/s"]  # fmt: skip
    print(table(head, rows))
    more = large["growth_mb"] - small["growth_mb"]
    each = 1e6 * more / (large["lines"] - small["lines"])
    print(f"\nfrom N to 4N memory grows by {more:.1f} MB, {each:.0f} bytes per line; the text by "
          f"{large['text_mb'] - small['text_mb']:.1f} MB")  # fmt: skip
    text = "small world" if given.text is None else given.text.name
    finish("token_store", {"text": text, "pairs": given.pairs, "min_pieces": given.min_pieces, "n": small,
                           "4n": large, "bytes_a_line": each})  # fmt: skip


if __name__ == "__main__":
    main()
