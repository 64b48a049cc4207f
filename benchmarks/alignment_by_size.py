"""Alignment error rate and CPU time of word aligners by the amount of text.

    python benchmarks/alignment_by_size.py DATA [--half dev] [--languages en-de] [--sizes 250] [--method hmm:1]

A text of N sentence pairs is the half of the gold set and, up to N, pairs sampled from the parallel text under DATA
(seed 0; all files of a language together), so small texts are nearly all gold sentences. Every run is a process of its
own, with the default settings; ``METHOD:K`` repeats it K times, for methods with a random seed of their own. Rows are
appended to ``benchmarks/results/alignment-by-size.jsonl``, and those that are there are not measured again.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aligners import GOLD, gold_set, measured, words
from machine import facts, table

from paralign.commands.word_pairs import read_word_pairs
from paralign.formats.links import GoldLinks, read_links
from paralign.metrics.alignment import AlignmentScore, alignment_score
from paralign.sources.specs import parse_pairs

ROWS = Path(__file__).parent / "results" / "alignment-by-size.jsonl"
MAX_WORDS = 100
"""Of a side of a training pair."""
Pair = tuple[list[str], list[str]]


def training_pairs(data: Path, name: str) -> list[Pair]:
    """Return all training pairs of a language pair, English first, shuffled."""
    tag = name[3:]
    files = [str(path) for path in data.glob(f"parallel/tatoeba/{name}.tsv.gz")]
    for path in sorted(data.glob(f"parallel/*/*.{tag}-en.en.gz")):
        files.append(f"{path},{str(path).removesuffix('.en.gz')}.{tag}.gz")
    pairs: list[Pair] = []
    for file in files:
        for pair in read_word_pairs(parse_pairs(f"{name}={file}"), lenient=True):
            sides = [["_".join(word.split()) for word in side] for side in pair.words]
            if all(0 < len(side) <= MAX_WORDS for side in sides):
                pairs.append((sides[0], sides[1]))
    random.Random(0).shuffle(pairs)
    return pairs


def write_sides(text: Sequence[Pair], paths: Sequence[Path]) -> None:
    """Write both sides of a text, words separated by spaces."""
    for side, path in enumerate(paths):
        path.write_text("".join(" ".join(pair[side]) + "\n" for pair in text), "utf-8")


def score_of(path: Path, gold: Sequence[GoldLinks]) -> AlignmentScore:
    """Return the score of a file of links, whose first lines are those of pairs with gold links."""
    links = [found.sure for _, found in zip(gold, read_links(path), strict=False)]
    return alignment_score((row, true.sure, true.possible) for row, true in zip(links, gold, strict=True))


def run(method: str, more: Sequence[str], text: Sequence[Pair], gold: Sequence[Any]) -> dict[str, Any]:
    """Align a text whose first pairs have gold links; return cost and scores."""
    with tempfile.TemporaryDirectory() as name:
        paths = [Path(name) / side for side in ("source", "target")]
        write_sides(text, paths)
        out = Path(name) / "links"
        options = ["--pairs", f"en-de={paths[0]},{paths[1]}", "--tokenized", "--method", method, "--out", out, *more]
        cost = measured(words(*options))
        score = score_of(out, gold)
    scores = {name: round(100 * getattr(score, name), 2) for name in ("aer", "precision", "recall")}
    return {**scores, "cpu": round(cost["cpu"], 2), "seconds": round(cost["seconds"], 2),
            "peak_mb": round(cost["peak_mb"])}  # fmt: skip


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--half", choices=("dev", "test"), default="dev")
    parser.add_argument("--languages", nargs="+", choices=GOLD, default=list(GOLD))
    parser.add_argument("--sizes", nargs="+", type=int, default=[250, 1_000, 5_000, 20_000, 100_000])
    parser.add_argument("--method", action="append", metavar="METHOD:RUNS")
    parser.add_argument("--with", dest="more", default="", help="further options of paralign words, as one argument")
    given = parser.parse_args()
    here = Path(__file__).parent
    command = ["git", "describe", "--always", "--dirty"]
    commit = subprocess.run(command, capture_output=True, text=True, check=True, cwd=here)
    done = [json.loads(line) for line in ROWS.read_text("utf-8").splitlines()] if ROWS.exists() else []
    keys = ("language", "half", "size", "method", "run", "with")
    finished = {tuple(row.get(key, "") for key in keys) for row in done}
    for name in given.languages:
        text, right, half = gold_set(given.data, name, given.half)
        gold_pairs, gold = [text[k] for k in half], [right[k] for k in half]
        further = training_pairs(given.data, name)
        for asked in given.sizes:
            size = min(asked, len(gold_pairs) + len(further))
            if size < asked / 2:
                continue
            whole = [*gold_pairs, *further[: max(0, size - len(gold_pairs))]]
            for method, _, runs in (text.partition(":") for text in given.method or ["hmm:1", "eflomal:3"]):
                for number in range(int(runs or 1)):
                    key = (name, given.half, asked, method, number, given.more)
                    if key in finished:
                        continue
                    row = dict(zip(keys, key, strict=True)) | {"pairs": size, "commit": commit.stdout.strip()}
                    done.append(
                        row | run(method, given.more.split(), whole, gold) | {"processor": facts()["processor"]}
                    )
                    with ROWS.open("a", encoding="utf-8") as out:
                        out.write(json.dumps(done[-1]) + "\n")
                    print(json.dumps(done[-1]), file=sys.stderr)
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in done:
        if row["half"] == given.half:
            groups.setdefault((row["language"], row["size"], row["method"], row.get("with", "")), []).append(row)
    mean = {key: {field: sum(row[field] for row in rows) / len(rows) for field in ("aer", "precision", "recall", "cpu")}
            for key, rows in groups.items()}  # fmt: skip
    cells = [[*map(str, key), str(len(groups[key])), *(f"{value:.1f}" for value in mean[key].values())]
             for key in sorted(mean)]  # fmt: skip
    print(table(["language", "pairs", "method", "with", "runs", "AER", "precision", "recall", "CPU s"], cells))


if __name__ == "__main__":
    main()
