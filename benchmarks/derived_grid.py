"""The experiment of ALIGN-MLM on real English: objectives and derived languages, part-of-speech tagging.

    python benchmarks/derived_grid.py DATA OUT [--stage STAGE] [--methods M ...] [--part PART] [--seeds N]
        [--first-seed N]

OUT is the folder of benchmarks/mini.py, whose plain English text is used (97,147 sentences); DATA is described in
benchmarks/README.md. Stages: ``parse`` fine-tunes paralign-mini as a tagger and a parser on EWT and parses the text,
which ``syn`` then reorders with the word order of Hindi's treebank; ``grid`` pretrains and fine-tunes; ``report``
summarizes. Parts of the grid: ``inv`` (trans+inv, three seeds) and ``rest`` (trans, trans+syn, one seed); several
processes can run some methods each. Every command is printed. Finished runs are not repeated, interrupted ones are
resumed.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

from real_text import each, paralign

METHODS = ("mlm-scratch", "xlm", "dict-mlm", "align-mlm")
EWT = "pos-parse/UD_English-EWT"
SHAPE = ("grid.arch=bert:2x192", "grid.vocab=6000", "grid.tokenizer=bpe")
PRETRAIN = ("training.batch=128", "training.epochs=2", "training.learning_rate=1e-3")
FINETUNE = ("training.epochs=2", "training.learning_rate=5e-4")
HEADS = ("training.epochs=2", "training.learning_rate=3e-4")


def parse(data: Path, out: Path) -> None:
    """Parse the text into a treebank, and learn the word order of Hindi."""
    place = out / "derived"
    ewt = data / EWT
    files = {"train": f"en={ewt}/en_ewt-ud-train.conllu.gz", "eval": f"en={ewt}/en_ewt-ud-dev.conllu"}
    text = f"en={out}/split/mono/en.txt.gz"
    for task in ("pos", "parsing"):
        paralign(
            *("finetune", "--model", "paralign-mini", "--task", task, "--train", files["train"]),
            *("--eval", files["eval"], "--split", "dev", *each("--set", HEADS), "--lenient"),
            *("--out", place / task, "--resume"),
        )
        made = place / f"{task}.conllu"
        if not made.exists():
            paralign("predict", "--model", place / task / "seed-0/model", "--data", text, "--lenient", "--out", made)
        text = f"en={made}"
    if not (place / "hi.json").exists():
        treebank = data / "pos-parse/UD_Hindi-PUD/hi_pud-ud-test.conllu"
        paralign("corpus", "order", "--text", f"hi={treebank}", "--out", place / "hi.json")


def grid(data: Path, out: Path, part: str, methods: list[str], seeds: int, first: int) -> None:
    """Run one part of the grid for some methods."""
    place = out / "derived"
    languages = ["trans+inv"] if part == "inv" else ["trans", f"trans+syn@{place}/hi.json"]
    listed = {"methods": methods, "languages": languages, "pretrain": PRETRAIN, "finetune": FINETUNE}
    sets = [f"grid.{name}={json.dumps(list(values))}" for name, values in listed.items()]
    paralign(
        *("grid", "--text", f"en={place}/parsing.conllu", "--task", "pos"),
        *("--train", data / EWT / "en_ewt-ud-train.conllu.gz", "--eval", data / EWT / "en_ewt-ud-test.conllu"),
        *each("--set", [*SHAPE, *sets, f"grid.seeds={seeds if part == 'inv' else 1}", f"grid.first_seed={first}"]),
        *("--out", place / f"grid-{methods[0]}", "--resume"),
    )


def report(out: Path) -> None:
    """Report all points and their correlation."""
    place = out / "derived"
    runs = sorted({file.parent for file in place.glob("grid-*/*/*/results.jsonl")})
    shutil.rmtree(place / "transfer", ignore_errors=True)  # of fewer runs
    paralign("analyze", "transfer", *runs, "--out", place / "transfer")
    paralign("report", place / "transfer", *runs, "--out", place / "report.html", "--title", "Derived languages, EWT")


def main() -> None:
    """Read the arguments and run the stages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--stage", choices=("parse", "grid", "report", "all"), default="all")
    parser.add_argument("--part", nargs="+", choices=("inv", "rest"), default=["inv", "rest"])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seeds", type=int, default=3, help="seeds of trans+inv; can be increased later")
    parser.add_argument("--first-seed", type=int, default=0)
    given = parser.parse_args()
    if given.stage in ("parse", "all"):
        parse(given.data, given.out)
    if given.stage in ("grid", "all"):
        for part in given.part:
            grid(given.data, given.out, part, given.methods, given.seeds, given.first_seed)
    if given.stage in ("report", "all"):
        report(given.out)


if __name__ == "__main__":
    main()
