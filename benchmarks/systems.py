"""Train the systems that the claims compare (benchmarks/claims.toml), from one encoder, on equal pairs.

    python benchmarks/systems.py DATA OUT --base BASE [--seeds 0 1 2] [--only NAME ...] [--jobs N] [--tries]
    paralign suite benchmarks/suites/e5.toml --data OUT/suite --model base=BASE \
        --model control='OUT/align/control-{seed}/encoder' --model ppa='OUT/align/ppa-{seed}/encoder' ... --out OUT/e5

BASE is an encoder with a vocabulary head, or paralign-mini. DATA is described in benchmarks/README.md. OUT contains the
text of `benchmarks/mini.py DATA OUT --stage prepare`; otherwise it is prepared first. Every system sees the same 16,000
pairs once: 500 steps of 32 pairs, English with seven languages, at most 4,000 random pairs of each. Word links come
from `hmm`, learned from all pairs of a language. Runs that are finished are kept, interrupted ones are resumed; the
first seeds of all systems come before the second ones.

``--tries`` trains each method for 150 steps with three learning rates, into OUT/align/BASE/tries, to choose a rate on
development data (benchmarks/suites/tries.toml).
"""

from __future__ import annotations

import argparse
import gzip
import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from claims_rows import chosen_rate, read_rows
from mini import LANGUAGES, NAME, prepare
from real_text import each, paralign, side_by_side

PAIRS, STEPS, BATCH = 4_000, 500, 32
TRIES, TRY_STEPS = (1e-4, 3e-4, 1e-3), 150
TRIED = (
    "control",
    "tlm",
    "moco",
    "ppa",
    "alignlm",
    "alignlm-tlm",
    "word-l2",
    "word-contrastive",
    "word-contrastive-anchor",
)
"""Systems whose rate is chosen."""
SETTINGS = (f"training.batch={BATCH}", "training.checkpoint_every=500", "data.min_pieces=3", "data.max_pieces=125")
RATE = 5e-5
CHOSEN = Path(__file__).parent / "results/rates-mini.jsonl"
"""Development scores of the rates that were tried for paralign-mini."""
SAME_RATE = dict.fromkeys(("ppa-unshuffled", "moco-mlm", "ppa-4k", "ppa-16k", "ppa-16k-long"), "ppa") | {
    "tlm-word-contrastive": "word-contrastive"
}
"""Systems that have the rate of another one."""
MOCO = ("moco.queue=4096", "moco.momentum=0.995")


@dataclass(frozen=True)
class System:
    """A recipe and its settings."""

    recipe: str
    settings: tuple[str, ...] = ()
    links: str = ""
    """Symmetrization of the word links, if it needs them."""
    pairs: int = PAIRS
    """Number of pairs of each language."""
    steps: int = STEPS


SYSTEMS = {
    "control": System("mlm"),
    "ppa": System("ppa", MOCO),
    "alignlm": System("alignlm", links="grow-diag-final-and"),
    "alignlm-tlm": System("alignlm-tlm"),
    "tlm": System("tlm"),
    "moco": System("moco", MOCO),
    "word-l2": System("word-l2", links="intersect"),
    "word-contrastive": System("word-contrastive", links="intersect"),
    "word-contrastive-anchor": System("word-contrastive-anchor", links="intersect"),
    "tlm-word-contrastive": System(
        "word-contrastive", ('objectives=["tlm", "word_contrastive"]', "method=TLM + word contrast"), links="intersect"
    ),
    "ppa-unshuffled": System("ppa", (*MOCO, "views.shuffle=false", "method=PPA −shuffling")),
    "moco-mlm": System("moco-mlm", MOCO),
    # 4,000 pairs four times; four times the pairs in as many steps, and as often
    "ppa-4k": System("ppa", MOCO, pairs=572),
    "ppa-16k": System("ppa", MOCO, pairs=2_286),
    "ppa-16k-long": System("ppa", MOCO, pairs=2_286, steps=2_000),
}


def sample(out: Path) -> dict[str, Path]:
    """Write at most PAIRS random pairs of each language, without repeated ones."""
    found = {}
    (out / "sample").mkdir(exist_ok=True)
    for tag in LANGUAGES:
        path = found[tag] = out / f"sample/claims.en-{tag}.tsv"
        if not path.exists():
            with gzip.open(out / f"split/pairs/en-{tag}.tsv.gz", "rt", encoding="utf-8") as file:
                lines = sorted(set(file))
            order = np.random.default_rng(0).permutation(len(lines))[:PAIRS]
            path.write_text("".join(lines[k] for k in order), encoding="utf-8")
    return found


def links(out: Path, symmetrization: str) -> list[str]:
    """Align the words of the sampled pairs with a model of all pairs of the language."""
    specs = []
    for tag, path in sample(out).items():
        model, found = out / f"sample/claims.{tag}.aligner", out / f"sample/claims.{tag}.{symmetrization}.links"
        if not model.is_dir():
            every = f"en-{tag}={out}/split/pairs/en-{tag}.tsv.gz"
            paralign("words", "--pairs", every, "--lenient", "--save", model, "--out", out / f"sample/all.{tag}.links")
        if not found.exists():
            loaded = ("--load", model, "--symmetrize", symmetrization, "--lenient")
            paralign("words", "--pairs", f"en-{tag}={path}", *loaded, "--out", found)
        specs.append(f"en-{tag}={found}")
    return specs


def limited(pairs: int) -> list[str]:
    """Return the setting that reads only the first pairs of each language, if there are more."""
    return [f"data.limit={pairs}"] if pairs < PAIRS else []


def store(out: Path, base: str, limit: int = PAIRS) -> Path:
    """Build the token store of the first pairs of each language for a tokenizer."""
    place = out / (f"claims-store-{Path(base).name}" + f"-{limit}" * (limit < PAIRS))
    if not place.is_dir():
        pairs = [f"en-{tag}={path}" for tag, path in sample(out).items()]
        filters = ["data.min_pieces=3", "data.max_pieces=125", *limited(limit)]
        paralign(
            *("corpus", "build", "--model", base, *each("--pairs", pairs), *each("--set", filters)),
            *("--lenient", "--out", place),
        )
    return place


def rate_of(base: str, name: str) -> float:
    """Return the learning rate of a system: for paralign-mini the one chosen on English development data."""
    if base != NAME:
        return RATE
    return chosen_rate(read_rows(CHOSEN), SAME_RATE.get(name, name))


def train(out: Path, base: str, name: str, seed: int, tried: float | None = None) -> None:
    """Train a system with a seed, or for a few steps with a learning rate that is tried."""
    system, runs = SYSTEMS[name], out / f"align/{Path(base).name}"
    run = runs / (f"{name}-{seed}" if tried is None else f"tries/{name}@{tried:g}")
    state = json.loads((run / "run.json").read_text(encoding="utf-8")) if (run / "run.json").exists() else {}
    if state.get("status") == "done":
        return
    given = each("--links", links(out, system.links)) if system.links else []
    rate = tried or rate_of(base, name)
    steps = TRY_STEPS if tried else system.steps
    sets = [*SETTINGS, *limited(system.pairs), f"training.steps={steps}", f"training.learning_rate={rate:g}"]
    sets += system.settings
    corpus = store(out, base, system.pairs)
    paralign(
        *("align", "--model", base, "--corpus", corpus, "--recipe", system.recipe, "--seed", seed, *given),
        *(*each("--set", sets), "--out", run, "--resume"),
    )


def main() -> None:
    """Train what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--base", required=True, help="folder or name of the encoder")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--jobs", type=int, default=1, help="number of systems trained at the same time")
    parser.add_argument("--tries", action="store_true", help="try learning rates")
    given = parser.parse_args()
    if given.base == NAME and not given.tries and not CHOSEN.exists():
        raise SystemExit(f"{CHOSEN} is missing: run --tries, benchmarks/suites/tries.toml and claims.py rates first")
    out = given.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    prepare(given.data.resolve(), out)
    for limit in {SYSTEMS[name].pairs for name in given.only}:
        store(out, given.base, limit)
    for symmetrization in {SYSTEMS[name].links for name in given.only} - {""}:
        links(out, symmetrization)
    runs = [partial(train, out, given.base, name, seed) for seed in given.seeds for name in given.only]
    if given.tries:
        runs = [
            partial(train, out, given.base, name, 0, rate) for rate in TRIES for name in TRIED if name in given.only
        ]
    side_by_side(given.jobs, runs)


if __name__ == "__main__":
    main()
