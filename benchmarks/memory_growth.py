"""Memory of a training run on a CPU over its steps, with the oneDNN cache of paralign and with oneDNN's own.

    python benchmarks/memory_growth.py [--store STORE --tokenizer FOLDER] [--arch bert:12x384] [--recipe mlm]

Nearly every batch has shapes of its own. oneDNN keeps what it compiled for the last 1,024 shapes, and buffers with it;
paralign limits it to 64. Each setting runs in a process of its own. Printed are the memory (RSS) and the CPU time of a
step, after each block of steps.
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

import corpora
from machine import finish, table
from matrix_share import trainer

CAPACITIES = (64, 1024)
VARIABLE = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"


def train(given: argparse.Namespace) -> None:
    """Train, and print memory and CPU time per step of each block as JSON."""
    with tempfile.TemporaryDirectory() as place:
        made = trainer(given, Path(place))
        made.prepare_objectives()
        rows = []
        for _ in range(given.blocks):
            began = time.process_time()
            for _ in range(given.steps):
                made.train_step()
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            seconds = (time.process_time() - began) / given.steps
            rows.append((pages * os.sysconf("SC_PAGE_SIZE") / 1e6, seconds))
        print(json.dumps(rows))


def main() -> None:
    """Read the arguments, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    corpora.add_arguments(parser)
    parser.add_argument("--arch", default="bert:12x384", help="family:LAYERSxWIDTH")
    parser.add_argument("--recipe", default="mlm")
    parser.add_argument("--batch", type=int, default=32, help="pairs per step")
    parser.add_argument("--queue", type=int, default=4_096)
    parser.add_argument("--steps", type=int, default=20, help="steps of a block")
    parser.add_argument("--blocks", type=int, default=5)
    parser.add_argument("--train", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.train:
        train(given)
        return
    found = {}
    for capacity in CAPACITIES:
        ran = subprocess.run(
            [sys.executable, *sys.argv, "--train"], env=os.environ | {VARIABLE: str(capacity)},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        found[capacity] = json.loads(ran.stdout.strip().splitlines()[-1])
    rows = [
        [f"{given.steps * (k + 1)}", *(f"{found[c][k][place]:,.{2 * place}f}" for place in (0, 1) for c in CAPACITIES)]
        for k in range(given.blocks)
    ]
    columns = [f"{name}, {capacity:,} shapes" for name in ("MB", "CPU s/step") for capacity in CAPACITIES]
    print(table(["steps", *columns], rows))
    finish("memory_growth", {"recipe": given.recipe, "arch": given.arch, "batch": given.batch, "rows": found})


if __name__ == "__main__":
    main()
