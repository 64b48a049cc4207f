"""Does it help to train a new vocabulary head alone first? A sentence encoder becomes a masked LM in two ways.

    python benchmarks/head_fit.py DATA OUT --base BASE [--seeds 0 1 2] [--results FILE]

BASE is an encoder without a vocabulary head. DATA is described in benchmarks/README.md, OUT is a folder for
`benchmarks/mini.py --stage prepare` (run here if need be) and all runs. *fitted*: 300 steps of the head alone, then 300
steps of everything; *random*: 600 steps of everything from a random head. A step has 32 sentences of en, de, hi or zh.
Then both, and BASE itself, are fine-tuned as taggers on 3,000 English sentences, and scored on the development half of
PUD. One JSON object per system and seed is appended to the results; rows that exist are skipped.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from alignlm import EWT
from machine import current_commit
from mini import halves, prepare
from real_text import each, paralign

from paralign.results import read_results

RESULTS = Path(__file__).parent / "results/head-fit.jsonl"
LANGUAGES, TAGGED = ("en", "de", "hi", "zh"), ("en", "de", "es", "fr", "hi")
STEPS = {"fitted": (300, 300), "random": (0, 600)}
"""Steps of the head alone, and of everything."""
LINES = 5_000
RATE, SENTENCES = "1e-4", 3_000


def train(out: Path, base: Path, name: str, seed: int) -> Path:
    """Train a masked LM and return the folder of the run."""
    run, (alone, together) = out / f"head/{name}-{seed}", STEPS[name]
    text, heldout = ([f"{tag}={out}/split/{kind}/{tag}.txt.gz" for tag in LANGUAGES] for kind in ("mono", "heldout"))
    sets = [f"training.head_steps={alone}", f"training.steps={together}", "training.batch=32", f"data.limit={LINES}"]
    sets += [f"training.learning_rate={RATE}", f"training.seed={seed}", "training.temperature=5"]
    sets += [f"training.heldout_every={together}", f"training.checkpoint_every={together}"]
    paralign(
        *("pretrain", "--model", base, *each("--text", text), *each("--heldout", heldout), *each("--set", sets)),
        *("--out", run, "--resume"),
    )
    return run


def tagging(data: Path, out: Path, encoder: Path, name: str, seed: int) -> dict[str, float]:
    """Fine-tune a tagger; return its accuracy by language."""
    run = out / f"head/pos-{name}-{seed}"
    sets = ("training.epochs=1", "training.learning_rate=1e-4", f"training.seed={seed}")
    paralign(
        *("finetune", "--model", encoder, "--task", "pos", "--train", f"en={data / EWT}", *each("--set", sets)),
        *(*each("--eval", [f"{tag}={out}/halves/pud.{tag}.dev.conllu" for tag in TAGGED]), "--split", "dev"),
        *("--limit", SENTENCES, "--lenient", "--no-keep-models", "--out", run, "--resume"),
    )
    return {row.language: round(row.value, 4) for row in read_results(run) if row.metric == "accuracy"}


def row_of(data: Path, out: Path, base: Path, name: str, seed: int) -> dict[str, Any]:
    """Train and measure a system."""
    row: dict[str, Any] = {
        "system": name,
        "seed": seed,
        "base": base.name,
        "commit": current_commit(),
    }
    encoder = base
    if name != "base":
        run = train(out, base, name, seed)
        facts = json.loads((run / "run.json").read_text(encoding="utf-8"))
        entries = [json.loads(line) for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines()]
        row |= {
            "steps": STEPS[name],
            "seconds": round(facts["seconds"]),
            "heldout": {tag: round(loss, 4) for tag, loss in entries[-1]["losses"].items()},
        }
        encoder = run / "encoder"
    return row | {"pos": tagging(data, out, encoder, name, seed)}


def main() -> None:
    """Run what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--base", type=Path, required=True, help="folder of an encoder without a vocabulary head")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args()
    data, out, base = given.data.resolve(), given.out.resolve(), given.base.resolve()
    prepare(data, out)
    if not (out / "halves").is_dir():
        halves(data, out)
    lines = given.results.read_text(encoding="utf-8").splitlines() if given.results.exists() else []
    done = {(row["base"], row["system"], row["seed"]) for row in map(json.loads, lines)}
    for seed in given.seeds:
        for name in ("fitted", "random", "base"):
            if (base.name, name, seed) not in done:
                row = row_of(data, out, base, name, seed)
                with given.results.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
