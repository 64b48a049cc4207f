"""The objective of ALIGN-MLM on real languages: paralign-mini aligned with dictionaries, evaluated on unseen words.

    python benchmarks/static_real.py DATA OUT [--languages de hi] [--stage STAGE] [--methods M ...] [--seeds K ...]

OUT is the folder of benchmarks/mini.py after `--stage prepare`; DATA is described in benchmarks/README.md. Dictionaries
are Ding (de) and FreeDict (hi): single words, unchanged and in lower case as in MUSE, without the words of MUSE's test
lexicons; 8,000 entries are sampled for each step. ``static`` is added to MLM and to TLM, from the same base on the same
number of pairs. ``tune`` tries three weights of ``static`` on the development halves, one seed; ``compare`` evaluates
the test halves once: MUSE with static vectors, both directions, without words that are their own translation;
retrieval; and tagging trained on English. Every command is printed. Finished runs are not repeated, interrupted ones
are resumed.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import alignlm
import numpy as np
from mini import start
from real_text import each, half, paralign

from paralign.formats.lexicon import read_lexicon
from paralign.results import read_results

SAMPLE = "static.sample=8000"
METHODS = {
    "mlm": ('objectives=["mlm"]', "method=MLM control", "control=true"),
    "mlm-static": ('objectives=["mlm","static"]', SAMPLE, "method=MLM + static"),
    "tlm": ('objectives=["tlm"]', "method=TLM"),
    "tlm-static": ('objectives=["tlm","static"]', SAMPLE, "method=TLM + static"),
}
RECIPE, RATE = "alignlm-tlm-mini", 8e-4
"""The rate that was best for every method of benchmarks/alignlm.py on its development half."""
WEIGHTS = (1.0, 10.0, 100.0)


def words(data: Path, out: Path, tag: str) -> Path:
    """Write the halves of MUSE, and the dictionary without their words; return its path."""
    place = out / "static"
    place.mkdir(exist_ok=True)
    known: tuple[set[str], set[str]] = (set(), set())
    for source, target in (("en", tag), (tag, "en")):
        pairs = read_lexicon(data / f"dictionaries/muse/{source}-{target}.5000-6500.txt", lenient=True)
        for pair in pairs:
            for side, word in enumerate(pair if source == "en" else reversed(pair)):
                known[side].add(word.casefold())
        for which in ("dev", "test"):
            lines = "".join(f"{a}\t{b}\n" for a, b in pairs if half(a) == which)
            (place / f"muse.{source}-{target}.{which}.txt").write_text(lines, encoding="utf-8")
    if tag == "de":
        entries = [(en, de) for de, en in read_lexicon(data / "dictionaries/ding/de-en.gz", lenient=True)]
    else:
        entries = read_lexicon(data / "dictionaries/freedict/freedict-eng-hin.index", lenient=True)
    entries += [(a.lower(), b.lower()) for a, b in entries]
    kept = [
        pair
        for pair in dict.fromkeys(entries)
        if not any(" " in word or word.casefold() in known[side] for side, word in enumerate(pair))
    ]
    print(f"en-{tag}: {len(kept):,} single-word entries without words of MUSE")
    path = place / f"train.en-{tag}.tsv"
    path.write_text("".join(f"{a}\t{b}\n" for a, b in kept), encoding="utf-8")
    return path


def align(data: Path, out: Path, tag: str, method: str, seed: int, steps: int, *sets: str) -> Path:
    """Align an encoder and return its folder."""
    given = ("--dictionary", f"en-{tag}={words(data, out, tag)}") if "static" in method else ()
    name = "-".join([tag, method, str(steps), *(s.rpartition("=")[2] for s in sets), str(seed)])
    paralign(
        *("align", "--model", start(out), "--corpus", alignlm.reserved(out, tag), *given),
        *("--recipe", RECIPE, "--seed", seed),
        *each("--set", [*METHODS[method], *sets, f"training.learning_rate={RATE:g}", f"training.steps={steps}"]),
        *("--out", out / "static" / name, "--resume"),
    )
    return out / "static" / name / "encoder"


def measure(data: Path, out: Path, tag: str, encoder: str | Path, name: str, which: str) -> None:
    """Evaluate unseen words, sentences and tagging."""
    place = out / f"static/{which}"
    lexicons = [f"{a}-{b}={out}/static/muse.{a}-{b}.{which}.txt" for a, b in (("en", tag), (tag, "en"))]
    words(data, out, tag)
    paralign(
        *("evaluate", "--model", encoder, "--task", "lexicon", "--split", which, *each("--data", lexicons)),
        *("--set", "task.identical=false", "--out", place / f"muse-{name}"),
    )
    alignlm.measure(data, out, tag, encoder, name, which, every=False, room="static")


def tune(data: Path, out: Path, tag: str) -> None:
    """Return the best weight of ``static`` next to TLM, by words and tagging on the development half."""
    table = {}
    for weight in WEIGHTS:
        name = f"{tag}-tlm-static-{weight:g}-tune"
        made = align(data, out, tag, "tlm-static", 0, alignlm.TUNE_STEPS, f"static.weight={weight:g}")
        measure(data, out, tag, made, name, "dev")
        found = read_results(out / f"static/dev/muse-{name}/results.jsonl")
        precision = [r.value for r in found if r.metric.startswith("precision_at_1_cosine")]
        tagged = [r.value for r in read_results(out / f"static/dev/pos-{name}/results.jsonl") if r.language == tag]
        table[f"{weight:g}"] = {"muse": float(np.mean(precision)), "pos": float(np.mean(tagged))}
    best = max(table, key=lambda weight: sum(table[weight].values()))
    print(table, "->", best, flush=True)
    (out / "static/weight.json").write_text(json.dumps({"best": best, "tried": table}, indent=1) + "\n")


def main() -> None:
    """Read the arguments and run the stages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--languages", nargs="+", choices=("de", "hi"), default=["de", "hi"])
    parser.add_argument("--stage", choices=("tune", "compare", "report", "all"), default="all")
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    given = parser.parse_args()
    (given.out / "words").mkdir(parents=True, exist_ok=True)
    if given.stage in ("tune", "all"):
        tune(given.data, given.out, "de")
    if given.stage in ("compare", "all"):
        weight = json.loads((given.out / "static/weight.json").read_text(encoding="utf-8"))["best"]
        for tag in given.languages:
            measure(given.data, given.out, tag, start(given.out), f"{tag}-base", "test")
            for seed in given.seeds:
                for method in given.methods:
                    sets = (f"static.weight={weight}",) if "static" in method else ()
                    made = align(given.data, given.out, tag, method, seed, alignlm.STEPS, *sets)
                    measure(given.data, given.out, tag, made, f"{tag}-{method}-{seed}", "test")
    if given.stage in ("report", "all"):
        runs = [*(given.out / "static/test").glob("*"), *given.out.glob(f"static/*-{alignlm.STEPS}-*")]
        paralign("report", *sorted(runs), "--out", given.out / "static.html", "--title", "static, real dictionaries")


if __name__ == "__main__":
    main()
