"""Time of a report of many runs.

    python benchmarks/report_pages.py [--runs 200]

The runs have artificial numbers: tagging in eight languages with three seeds and 500 items each, retrieval, a training
log of 500 lines; every tenth has curves of similarity.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from machine import finish

from paralign.report import write_report
from paralign.results import Measurement, Seeds, Where, write_results

LANGUAGES = ("en", "ar", "bg", "de", "es", "fr", "hi", "zh")


def make(folder: Path, number: int, items: int, steps: int) -> None:
    """Write one run."""
    rng = np.random.default_rng(number)
    system = f"system {number // 3}" if number > 2 else "control"
    rows = []
    for language in LANGUAGES:
        hits = np.stack([rng.binomial(20, 0.7, items), np.full(items, 20)], 1).astype(float)
        common = {"dataset": "made-up", "language": language, "model": "m", "model_hash": f"{number:x}",
                  "run": folder.name, "n": items, "value": float(hits[:, 0].sum() / hits[:, 1].sum()),
                  "settings": {"system": system, "control": system == "control"}}  # fmt: skip
        seeds = Seeds(align=number % 3, finetune=0)
        rows.append((Measurement(task="pos", metric="accuracy", train="en", seeds=seeds, **common), hits))
        if language != "en":
            where = Where(pool="mean", direction=f"en-{language}")
            rows.append(
                (Measurement(task="retrieval", metric="accuracy_cosine", where=where, seeds=seeds, **common), hits)
            )
    write_results(folder, rows)
    lines = [{"step": step, "loss": 5 / (step + 1), "losses": {"tlm": 4 / (step + 1), "moco": 1 / (step + 1)}}
             for step in range(steps)]  # fmt: skip
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    about = {"verb": "align", "command": "paralign align ...", "method": system, "control": system == "control",
             "status": "done", "seconds": 60.0, "steps": steps}  # fmt: skip
    (folder / "run.json").write_text(json.dumps(about))
    if number % 10 == 0:
        layers = [{"layer": k, "cka": 0.5, "low": 0.4, "high": 0.6, "shuffled": 0.0, "cosine": 0.5,
                   "cosine_shuffled": 0.4, "retrieval": 0.3} for k in range(13)]  # fmt: skip
        curves = [{"system": system, "model_hash": "m", "control": False, "n": 1997, "before": None,
                   "languages": ["en", tag], "layers": layers} for tag in LANGUAGES[1:]]  # fmt: skip
        (folder / "figures").mkdir()
        settings = {"kernel": "linear", "debiased": True, "pool": "mean"}
        told = {"schema": 1, "kind": "similarity", "settings": settings, "curves": curves}
        (folder / "figures" / "similarity.json").write_text(json.dumps(told))


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the runs, then time the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--items", type=int, default=500)
    parser.add_argument("--steps", type=int, default=500)
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        runs = [Path(folder) / f"run-{number:03}" for number in range(args.runs)]
        for number, run in enumerate(runs):
            make(run, number, args.items, args.steps)
        begin = time.perf_counter()
        paths = write_report(runs, Path(folder) / "report.html")
        seconds = time.perf_counter() - begin
        size = paths.html.stat().st_size
    print(f"{args.runs} runs: {seconds:.1f} s, page of {size / 1e6:.1f} MB")
    finish("report_pages", {"runs": args.runs, "seconds": seconds, "bytes": size})


if __name__ == "__main__":
    main()
