"""AlignLM on real text, from paralign-mini, compared with TLM, L2 and a control on the same number of pairs.

    python benchmarks/alignlm.py DATA OUT [--languages de fr] [--stage STAGE] [--methods M ...]

OUT is the folder of benchmarks/mini.py, whose base, split and halves are used; DATA is described in
benchmarks/README.md. Links are made once per language and used by every method; L2 uses those of both directions. On
the development halves of the first language, three learning rates are tried for each method, and then three λ for
AlignLM; the best ones are used for all languages. Test halves are evaluated once. Every command is printed. Finished
runs are not repeated, interrupted ones are resumed.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from mini import PUD, start
from real_text import each, paralign

from paralign.results import read_results

METHODS: dict[str, tuple[str, ...]] = {
    "alignlm": ("alignlm-mini",),
    "tlm": ("alignlm-tlm-mini",),
    "l2": ("word-l2-mini",),
    "control": ("alignlm-tlm-mini", 'objectives=["mlm"]', "method=MLM control", "control=true"),
}
RATES = (5e-5, 2e-4, 8e-4)
WEIGHTS = (0.1, 0.5, 1.0)
SEEDS = 3
TUNE_STEPS, STEPS = 300, 600
EWT = "pos-parse/UD_English-EWT/en_ewt-ud-train.conllu.gz"


def reserved(out: Path, tag: str) -> Path:
    """Build the token store of the reserved pairs with the tokenizer of the base."""
    place = out / f"words/{tag}"
    if not place.is_dir():
        filters = ["data.min_pieces=3", "data.max_pieces=125"]
        paralign(
            *("corpus", "build", "--model", start(out), "--pairs", f"en-{tag}={out}/split/pairs/en-{tag}.tsv.gz"),
            *(*each("--set", filters), "--out", place),
        )
    return place


def links(out: Path, tag: str) -> dict[str, Path]:
    """Align the words of the reserved pairs; return the links by symmetrization."""
    pairs, kept = f"en-{tag}={out}/split/pairs/en-{tag}.tsv.gz", out / f"words/{tag}.aligner"
    found = {join: out / f"words/{tag}.{join}.links" for join in ("grow-diag-final-and", "intersect")}
    for join, path in found.items():
        if not path.exists():
            trained = ("--load", kept) if kept.is_dir() else ("--save", kept)
            paralign("words", "--pairs", pairs, *trained, "--symmetrize", join, "--out", path)
    return found


def align(out: Path, tag: str, method: str, seed: int, steps: int, *sets: str) -> Path:
    """Align an encoder and return its folder."""
    found = links(out, tag)
    recipe, *more = METHODS[method]
    name = "-".join([tag, method, str(steps), *(s.rpartition("=")[2] for s in sets), str(seed)])
    joined = {"alignlm": "grow-diag-final-and", "l2": "intersect"}.get(method)
    given = ("--links", f"en-{tag}={found[joined]}") if joined else ()
    paralign(
        *("align", "--model", start(out), "--corpus", reserved(out, tag), *given, "--recipe", recipe, "--seed", seed),
        *each("--set", [*more, *sets, f"training.steps={steps}"]),
        *("--out", out / "words" / name, "--resume"),
    )
    return out / "words" / name / "encoder"


def measure(
    data: Path, out: Path, tag: str, encoder: str | Path, name: str, which: str, *, every: bool, epochs: int = 2,
    room: str = "words",
) -> None:  # fmt: skip
    """Evaluate retrieval and tagging; with ``every`` also parsing and named entities."""
    place = out / room / which
    ntrex = f"en-{tag}={out}/halves/ntrex.en-{tag}.{which}.tsv"
    paralign(
        *("evaluate", "--model", encoder, "--task", "retrieval", "--split", which, "--data", ntrex),
        *("--out", place / f"ntrex-{name}"),
    )
    tasks = {"pos": (f"en={data / EWT}", f"pud.{tag}.{which}.conllu", epochs)}
    if every:
        tasks["parsing"] = (f"en={data / EWT}", f"pud.{tag}.{which}.conllu", epochs)
        tasks["ner"] = (f"en={data}/ner/panx/train-en.tsv", f"panx.{tag}.{which}.tsv", epochs)
    for task, (train, test, passes) in tasks.items():
        english = test.replace(f".{tag}.", ".en.") if task != "ner" else f"panx.en.{which}.tsv"
        evals = [f"en={out}/halves/{english}", f"{tag}={out}/halves/{test}"]
        paralign(
            *("finetune", "--model", encoder, "--task", task, "--train", train, *each("--eval", evals)),
            *each("--set", [f"training.epochs={passes}", "training.learning_rate=3e-4"]),
            *("--split", which, "--no-keep-models", "--lenient", "--out", place / f"{task}-{name}", "--resume"),
        )


def entities(data: Path, out: Path, tags: list[str]) -> None:
    """Split the development sets of PAN-X into halves, by sentence."""
    for tag in ["en", *tags]:
        text = (data / f"ner/panx/dev-{tag}.tsv").read_text(encoding="utf-8").strip("\n").split("\n\n")
        for number, which in enumerate(("dev", "test")):
            half = "\n\n".join(block for k, block in enumerate(text) if k % 2 == number)
            (out / f"halves/panx.{tag}.{which}.tsv").write_text(half + "\n", encoding="utf-8")


def score(out: Path, tag: str, name: str, which: str) -> float:
    """Return the selection criterion: tagging, and retrieval by mean pooling in both directions."""
    place = out / f"words/{which}"
    tagged = [r.value for r in read_results(place / f"pos-{name}/results.jsonl") if r.language == tag]
    found = [r.value for r in read_results(place / f"ntrex-{name}/results.jsonl")
             if r.metric == "accuracy_cosine" and r.where.pool == "mean"]  # fmt: skip
    return float(np.mean(tagged) + np.mean(found))


def tune(data: Path, out: Path, tag: str, methods: list[str]) -> None:
    """Choose the learning rate of every method on the development half, then λ of AlignLM."""
    for method in methods:
        table = {}
        for rate in RATES:
            sets = (f"training.learning_rate={rate:g}",)
            name = f"{tag}-{method}-{rate:g}-tune"
            measure(data, out, tag, align(out, tag, method, 0, TUNE_STEPS, *sets), name, "dev", every=False, epochs=1)
            table[sets] = score(out, tag, name, "dev")
        if method == "alignlm":
            rate_set = max(table, key=table.__getitem__)
            for weight in WEIGHTS[:-1]:
                sets = (*rate_set, f"bilingual.weight={weight}")
                name = f"{tag}-{method}-λ{weight}-tune"
                measure(
                    data, out, tag, align(out, tag, method, 0, TUNE_STEPS, *sets), name, "dev", every=False, epochs=1
                )
                table[sets] = score(out, tag, name, "dev")
        best = list(max(table, key=table.__getitem__))
        told = {" ".join(sets): value for sets, value in table.items()}
        (out / f"words/{method}.best.json").write_text(json.dumps({"best": best, "tried": told}, indent=1) + "\n")


def compare(data: Path, out: Path, tag: str, methods: list[str], seeds: list[int], *, every: bool) -> None:
    """Evaluate the test halves once; with ``every`` also parsing and named entities, with one seed."""
    measure(data, out, tag, start(out), f"{tag}-base", "test", every=every)
    for seed in seeds:
        for method in methods:
            best = json.loads((out / f"words/{method}.best.json").read_text(encoding="utf-8"))["best"]
            made = align(out, tag, method, seed, STEPS, *best)
            measure(data, out, tag, made, f"{tag}-{method}-{seed}", "test", every=every and seed == 0)


def report(out: Path, tag: str) -> None:
    """Write the report of a language."""
    runs = [*(out / "words/test").glob(f"*-{tag}-*"), *out.glob(f"words/{tag}-*-{STEPS}-*")]
    paralign("report", *sorted(runs), "--out", out / f"words/{tag}.html", "--title", f"AlignLM, en-{tag}")


def main() -> None:
    """Read the arguments and run the stages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--languages", nargs="+", choices=sorted(set(PUD) - {"en"}), default=["de", "fr"])
    parser.add_argument("--stage", choices=("tune", "compare", "report", "all"), default="all")
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--seeds", nargs="+", type=int, default=list(range(SEEDS)))
    parser.add_argument("--main-tasks", action="store_true", help="only tagging and retrieval")
    given = parser.parse_args()
    (given.out / "words").mkdir(parents=True, exist_ok=True)
    entities(given.data, given.out, given.languages)
    if given.stage in ("tune", "all"):
        tune(given.data, given.out, given.languages[0], given.methods)
    for tag in given.languages:
        if given.stage in ("compare", "all"):
            compare(given.data, given.out, tag, given.methods, given.seeds, every=not given.main_tasks)
        if given.stage in ("report", "all"):
            report(given.out, tag)


if __name__ == "__main__":
    main()
