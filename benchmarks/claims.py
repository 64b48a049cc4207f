"""Collect the rows of the claims, and write docs/claims.md and docs/claims-commands.md from them.

    python benchmarks/claims.py collect RUNS --base e5 [--out benchmarks/results/claims-e5.jsonl] [--rename OLD=NEW ...]
    python benchmarks/claims.py rates RUNS --base mini
    python benchmarks/claims.py page

RUNS is the folder of ``paralign suite`` with benchmarks/suites/e5.toml, of ``paralign analyze ablation`` or
``similarity``, or any other with runs; the names of its systems are those of benchmarks/claims.toml. Scores of finished
runs that are not in the file yet are added. ``rates`` writes the development scores of learning rates
(benchmarks/suites/tries.toml). The format of the file is described in benchmarks/claims_rows.py, how claims are tested
in benchmarks/claims_verdicts.py.
"""

from __future__ import annotations

import argparse
import tomllib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from claims_page import COMMANDS, commands_page, page
from claims_rows import added, collect, rates, read_rows, write_rows
from claims_verdicts import decide
from machine import current_commit

HERE = Path(__file__).parent
CLAIMS = HERE / "claims.toml"
ROWS = HERE / "results"
DOCS = HERE.parent / "docs"


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
    verbs = parser.add_subparsers(dest="command", required=True)
    collecting = verbs.add_parser("collect", help="add the scores of finished runs to the file of rows")
    collecting.add_argument("runs", type=Path)
    collecting.add_argument("--base", required=True, help="e5, mini or scratch")
    collecting.add_argument("--out", type=Path, help="default: results/claims-BASE.jsonl")
    collecting.add_argument(
        "--rename", action="append", default=[], metavar="OLD=NEW", help="OLD is SYSTEM, or FOLDER/SYSTEM"
    )
    collecting.add_argument("--pairs", type=int, help="training pairs of aligned encoders; default: as recorded")
    collecting.add_argument("--commit", help="version that measured; default: that of the repository")
    trying = verbs.add_parser("rates", help="write the scores of learning rates that were tried")
    trying.add_argument("runs", type=Path)
    trying.add_argument("--base", required=True)
    trying.add_argument("--commit", help="version that measured; default: that of the repository")
    writing = verbs.add_parser("page", help="write the pages")
    writing.add_argument("--rows", type=Path, default=ROWS)
    writing.add_argument("--out", type=Path, default=DOCS, help="folder of the pages")
    given = parser.parse_args(arguments)
    registered = tomllib.loads(CLAIMS.read_text(encoding="utf-8"))
    if given.command == "page":
        for name, text in written(registered, given.rows).items():
            (given.out / name).write_text(text, encoding="utf-8")
        return
    commit = given.commit or current_commit()
    if given.command == "rates":
        write_rows(ROWS / f"rates-{given.base}.jsonl", rates(given.runs, given.base, commit))
        return
    bases = sorted({base for claim in registered["claim"] for base in claim["bases"]})
    if given.base not in bases:
        raise SystemExit(f"unknown base {given.base!r}; known: {', '.join(bases)}")
    if unnamed := [text for text in given.rename if "=" not in text]:
        raise SystemExit(f"cannot read --rename {unnamed[0]!r}; write OLD=NEW")
    rename = dict(text.split("=", 1) for text in given.rename)
    rows = collect(given.runs, given.base, claimed_metrics(registered["claim"]), commit, rename, given.pairs)
    out = given.out or ROWS / f"claims-{given.base}.jsonl"
    print(f"{added(out, rows)} of {len(rows)} rows added to {out}")


def written(registered: dict[str, Any], rows: Path) -> dict[str, str]:
    """Return the pages by file name.

    Args:
        registered: content of claims.toml.
        rows: file of rows, or folder of the files of all bases.
    """
    files = sorted(rows.glob("claims-*.jsonl")) if rows.is_dir() else [rows]
    found = [row for file in files for row in read_rows(file)]
    tried = [row for file in sorted(rows.glob("rates-*.jsonl")) for row in read_rows(file)]
    return {"claims.md": page(registered, decide(registered, found), found, tried), COMMANDS: commands_page(found)}


if __name__ == "__main__":
    main()
