"""What do better word links give AlignLM? The same training with the links of several aligners, from paralign-mini.

    python benchmarks/alignlm_links.py DATA OUT --language hi --links hmm=FILE --links eflomal=FILE [--seeds 0 1 2]

OUT is the folder of benchmarks/mini.py; each FILE contains links in Pharaoh format of OUT/split/pairs/en-LANG.tsv.gz.
TLM with the same settings needs no links and is the baseline. The development halves are evaluated: retrieval with
mean pooling, and tagging trained on 6,000 English sentences (OUT/suite of benchmarks/suite_data.py).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from alignlm import reserved
from mini import start
from real_text import each, paralign

from paralign.results import read_results

STEPS = 600


def measure(out: Path, tag: str, encoder: str | Path, name: str) -> dict[str, float]:
    """Return the scores of an encoder on the development halves."""
    place = out / "links"
    ntrex, tagged = place / f"ntrex-{name}", place / f"pos-{name}"
    evals = [f"{language}={out}/suite/pud.{language}.dev.conllu" for language in ("en", tag)]
    if not ntrex.is_dir():
        paralign(
            *("evaluate", "--model", encoder, "--task", "retrieval", "--split", "dev"),
            *("--data", f"en-{tag}={out}/halves/ntrex.en-{tag}.dev.tsv", "--out", ntrex),
        )
    paralign(
        *("finetune", "--model", encoder, "--task", "pos", "--train", f"en={out}/suite/ewt.en.train.conllu"),
        *(*each("--eval", evals), "--set", "training.epochs=1", "--set", "training.learning_rate=3e-4"),
        *("--split", "dev", "--no-keep-models", "--out", tagged, "--resume"),
    )
    found = [row.value for row in read_results(ntrex) if row.metric == "accuracy_cosine" and row.where.pool == "mean"]
    pos = {row.language: row.value for row in read_results(tagged) if row.metric == "accuracy"}
    return {"retrieval": float(np.mean(found)), "pos": pos[tag], "pos_en": pos["en"]}


def main() -> None:
    """Train, measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--language", default="hi")
    parser.add_argument("--links", action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    given = parser.parse_args()
    out, tag = given.out.resolve(), given.language
    systems = {"tlm": None} | {name: path for name, _, path in (text.partition("=") for text in given.links)}
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in systems}
    for seed in given.seeds:
        for name, path in systems.items():
            recipe = ("--recipe", "alignlm-tlm-mini") if path is None else ("--recipe", "alignlm-mini")
            linked = () if path is None else ("--links", f"en-{tag}={path}")
            run = out / f"links/{tag}-{name}-{seed}"
            paralign(
                *("align", "--model", start(out), "--corpus", reserved(out, tag), *recipe, *linked, "--seed", seed),
                *("--set", f"training.steps={STEPS}", "--set", f"method={name}", "--out", run, "--resume"),
            )
            rows[name].append(measure(out, tag, run / "encoder", f"{tag}-{name}-{seed}"))
    for name, found in rows.items():
        means = {
            metric: (100 * np.mean([r[metric] for r in found]), 100 * np.std([r[metric] for r in found], ddof=1))
            for metric in found[0]
        }
        print(f"{name:14s}" + "  ".join(f"{metric} {mean:.1f} ± {sd:.1f}" for metric, (mean, sd) in means.items()))


if __name__ == "__main__":
    main()
