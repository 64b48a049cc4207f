"""Collect the rows of the claims, and write docs/claims.md from them.

    python benchmarks/claims.py collect RUNS --base e5 [--out benchmarks/results/claims.jsonl] [--rename OLD=NEW ...]
    python benchmarks/claims.py page

RUNS is the folder of ``paralign suite`` with benchmarks/suites/e5.toml, of ``paralign analyze ablation`` or
``similarity``, or any other with runs; the names of its systems are those of benchmarks/claims.toml. Scores of finished
runs that are not in the file yet are added. The format of the file is described in benchmarks/claims_rows.py.
"""

from __future__ import annotations

import argparse
import subprocess
import tomllib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from claims_rows import added, collect

HERE = Path(__file__).parent
CLAIMS = HERE / "claims.toml"
ROWS = HERE / "results/claims.jsonl"


def claimed_metrics(claims: Sequence[dict[str, Any]]) -> dict[str, set[str]]:
    """Return the metrics of each kind of task that a claim is about."""
    found: dict[str, set[str]] = defaultdict(set)
    for claim in claims:
        tasks = claim.get("task", [])
        tasks = list(tasks.values()) if isinstance(tasks, dict) else [tasks] if isinstance(tasks, str) else tasks
        for task in tasks:
            metric = claim["metric"]
            found[task].add(metric[task] if isinstance(metric, dict) else metric)
    found["change"] = found["similarity"]  # of an encoder before and after fine-tuning
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the arguments and run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    collecting = commands.add_parser("collect", help="add the scores of finished runs to the file of rows")
    collecting.add_argument("runs", type=Path)
    collecting.add_argument("--base", required=True, help="e5, mini or scratch")
    collecting.add_argument("--out", type=Path, default=ROWS)
    collecting.add_argument(
        "--rename", action="append", default=[], metavar="OLD=NEW", help="OLD is SYSTEM, or FOLDER/SYSTEM"
    )
    collecting.add_argument("--pairs", type=int, help="training pairs of aligned encoders; default: as recorded")
    collecting.add_argument("--commit", help="version that measured; default: that of the repository")
    given = parser.parse_args(arguments)
    registered = tomllib.loads(CLAIMS.read_text(encoding="utf-8"))
    bases = sorted({base for claim in registered["claim"] for base in claim["bases"]})
    if given.base not in bases:
        raise SystemExit(f"unknown base {given.base!r}; known: {', '.join(bases)}")
    rename = dict(text.split("=", 1) for text in given.rename)
    commit = given.commit or git("rev-parse", "--short=12", "HEAD")
    rows = collect(given.runs, given.base, claimed_metrics(registered["claim"]), commit, rename, given.pairs)
    print(f"{added(given.out, rows)} of {len(rows)} rows added to {given.out}")


def git(*words: str) -> str:
    """Return the output of a git command in this repository."""
    done = subprocess.run(["git", *words], cwd=HERE, check=True, capture_output=True, text=True)
    return done.stdout.strip()


if __name__ == "__main__":
    main()
