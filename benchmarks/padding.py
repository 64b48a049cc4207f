"""Share of padding among the encoded positions: by view and chunks per view, with and without sorting by length.

    python benchmarks/padding.py [--store STORE --tokenizer FOLDER] [--batches 200]

Nothing is encoded; only lengths are used. ``window 1`` is plain shuffling.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from corpora import add_arguments, open_or_make
from machine import finish, table

from paralign.batches.batching import cut_by_length, padded_size, split_by_length
from paralign.batches.views import Template, ViewsConfig
from paralign.corpus.store import TokenStore
from paralign.encoder.tokenizer import probe_template
from paralign.training import CorpusBatches, TrainingConfig

VIEWS = ("joint", "first", "second", "text")
CHUNKS = ("1", "2", "4", "8", "auto")  # auto: what the loop does on a CPU, training.chunk_cost = 256


def measure(
    store: TokenStore, template: Template, *, batch: int, batches: int, window: int
) -> dict[str, dict[str, float]]:
    """Return the share of positions that are padding, by view (and over all views of PPA) and number of chunks."""
    training = TrainingConfig(batch=batch, window=window)
    source = CorpusBatches(store, template, ViewsConfig(), training, longest=1 << 30)
    real = dict.fromkeys(VIEWS, 0)
    padded = {(view, chunks): 0 for view in VIEWS for chunks in CHUNKS}
    for step in range(batches):
        made = source.batch(step)
        for view in VIEWS:
            lengths = made.view(view).lengths
            real[view] += int(lengths.sum())
            for chunks in CHUNKS:
                parts = split_by_length(lengths, 256) if chunks == "auto" else cut_by_length(lengths, int(chunks))
                padded[view, chunks] += padded_size(lengths, parts)
    shares = {view: {str(c): 1 - real[view] / padded[view, c] for c in CHUNKS} for view in VIEWS}
    ppa = VIEWS[:3]
    total = sum(real[view] for view in ppa)
    shares["ppa"] = {str(c): 1 - total / sum(padded[view, c] for view in ppa) for c in CHUNKS}
    return shares


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure; print the tables and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--batch", type=int, default=128, help="pairs per batch")
    parser.add_argument("--batches", type=int, default=200, help="number of batches; use complete windows")
    parser.add_argument("--windows", type=int, nargs="+", default=[1, 50], help="number of batches sorted together")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        store, tokenizer = open_or_make(given, Path(folder))
        template = probe_template(tokenizer, types=True)
        shares: dict[str, Any] = {}
        for window in given.windows:
            shares[str(window)] = measure(store, template, batch=given.batch, batches=given.batches, window=window)
        facts = {"records": len(store), "filter": store.meta["filter"]}
    print(f"{len(store):,} pairs, filter {facts['filter']}")
    for window, by_view in shares.items():
        rows = [[view, *(f"{s:.1%}" for s in by_chunks.values())] for view, by_chunks in by_view.items()]
        print(f"\nwindow of {window}, padding by chunks per view\n" + table(["view", *map(str, CHUNKS)], rows))
    finish("padding", {"batch": given.batch, "batches": given.batches, **facts, "waste_by_window": shares})


if __name__ == "__main__":
    main()
