"""What does each objective do at which layer? Every objective at two thirds of the depth and at the last layer.

    python benchmarks/layers_objectives.py DATA OUT --base BASE [--seeds 0 ...] [--only NAME ...] [--jobs N]

BASE is an encoder with a vocabulary head, DATA is described in benchmarks/README.md, OUT is a folder for
`benchmarks/mini.py --stage prepare` (run here if need be) and all runs. From BASE, each objective is trained for 500
steps of 32 pairs (en with ar de hi zh, at most 4,000 pairs each), then measured without fine-tuning: frozen probes of
every layer for part of speech (EWT → PUD), entities (PAN-X) and inference (LingNLI → XNLI), and `analyze space` on
NTREX, all on development halves or development sets. Links are made once. One JSON object per (objective, layer, seed)
is appended to the results; rows that exist are skipped, interrupted runs are resumed. Checkpoints of a measured run are
removed, its encoder and log are kept.
"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
import time
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from alignlm import EWT
from machine import current_commit
from mini import NAME, halves, prepare
from real_text import each, paralign, side_by_side

from paralign.encoder import Encoder
from paralign.results import read_results

RESULTS = Path(__file__).parent / "results/objectives-by-layer.jsonl"
LANGUAGES = ("ar", "de", "hi", "zh")
STEPS, BATCH, RATE = 500, 32, 5e-5
MINI_RATES = {"mlm": 1e-3, "tlm": 5e-4, "moco": 1e-4, "ppa": 1e-4, "in_batch": 1e-4, "in_batch+anchor": 1e-4}
MINI_RATE = 8e-4
"""Learning rates for paralign-mini: chosen in longer experiments (docs/results/paralign-mini.md, alignlm-real-text.md),
MINI_RATE for all other methods."""
PAIRS, LINES = 4_000, 20_000
DEPTHS = (2 / 3, 1)
ITEMS = 800
"""Test items of PAN-X and XNLI, the first ones of their development sets, and sentences of NTREX."""
LINE, BLANK = "\n", "\n\n"
SQUARED_NORM = 51
"""awesome-align's dot products suit mBERT. Scaled to this mean squared norm they give 1 to 2 links per piece."""


@dataclass(frozen=True)
class Method:
    """Objectives, and their settings; LAYER is the layer, SCALE its factor of dot products."""

    objectives: tuple[str, ...]
    settings: tuple[str, ...] = ()
    depths: tuple[float, ...] = DEPTHS
    links: str = ""
    """Symmetrization of the word links, for objectives that need them."""


MOCO = ("moco.layer=LAYER", "moco.queue=4096", "moco.momentum=0.995")
L2 = ("word_l2.layer=LAYER",)
CONTRAST = ("word_contrastive.layer=LAYER",)
ANCHOR = ("word_anchor.layer=LAYER", "word_anchor.weight=0.1")
METHODS: dict[str, Method] = {
    "mlm": Method(("mlm",), depths=(1,)),
    "tlm": Method(("tlm",), depths=(1,)),
    "moco": Method(("moco",), MOCO),
    "ppa": Method(("tlm", "moco"), MOCO),
    "in_batch": Method(("in_batch",), ("in_batch.layer=LAYER",)),
    "in_batch+anchor": Method(
        ("in_batch", "anchor"), ("in_batch.layer=LAYER", "anchor.layer=LAYER", "anchor.weight=0.1")
    ),
    "word_l2": Method(("word_l2",), L2, links="intersect"),
    "word_contrastive": Method(("word_contrastive",), CONTRAST, links="intersect"),
    "self_training": Method(("self_training",), ("self_training.layer=LAYER", "self_training.scale=SCALE")),
    "alignlm": Method(("tlm", "bilingual"), depths=(1,), links="grow-diag-final-and"),
    "gold_links": Method(("gold_links",), ("gold_links.layer=LAYER", "gold_links.scale=SCALE"), links="intersect"),
    "distill": Method(("distill",), ("distill.layer=LAYER", "distill.teacher_layer=LAYER")),
    "denoise_links": Method(("denoise_links",), ("denoise_links.layer=LAYER",)),
    "word_contrastive+word_anchor": Method(
        ("word_contrastive", "word_anchor"), (*CONTRAST, *ANCHOR), links="intersect"
    ),
    "word_l2+word_anchor": Method(("word_l2", "word_anchor"), (*L2, *ANCHOR), links="intersect"),
    "tlm+word_contrastive": Method(("tlm", "word_contrastive"), CONTRAST, links="intersect"),
    "tlm+self_training": Method(("tlm", "self_training"), ("self_training.layer=LAYER", "self_training.scale=SCALE")),
    "mlm+tlm+denoise_links": Method(("mlm", "tlm", "denoise_links"), ("denoise_links.layer=LAYER",)),
}


@dataclass(frozen=True)
class Work:
    """Where everything is."""

    data: Path
    out: Path
    base: str | Path
    results: Path
    runs: Path
    commit: str

    @cached_property
    def squared_norms(self) -> list[float]:
        """Return the mean squared norm of the states of each layer of the base, from sentences of NTREX."""
        encoder = Encoder.from_pretrained(str(self.base))
        lines = (self.out / "halves/ntrex.en-de.dev.tsv").read_text(encoding="utf-8").splitlines()
        batch = encoder.tokenizer([text for line in lines[:50] for text in line.split("\t")], padding=True)
        mask = torch.tensor(batch["attention_mask"]).bool()
        with torch.no_grad():
            found = encoder.model.eval()(torch.tensor(batch["input_ids"]), mask, output_hidden_states=True)
        return [float(states[mask].square().sum(-1).mean()) for states in found.hidden_states]

    def layers(self, method: Method) -> list[int]:
        """Return the layers at which a method is trained."""
        return [round(depth * (len(self.squared_norms) - 1)) for depth in method.depths]

    def scale(self, layer: int) -> float:
        """Return the factor of dot products at a layer, to one digit."""
        return float(f"{SQUARED_NORM / self.squared_norms[layer]:.1g}")

    def rate(self, name: str) -> float:
        """Return the learning rate of a method."""
        return MINI_RATES.get(name, MINI_RATE) if self.base == NAME else RATE


def sample_pairs(work: Work) -> dict[str, Path]:
    """Write at most LINES random pairs of each language, without repeated ones."""
    found = {}
    for tag in LANGUAGES:
        path = found[tag] = work.out / f"sample/en-{tag}.tsv"
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            with gzip.open(work.out / f"split/pairs/en-{tag}.tsv.gz", "rt", encoding="utf-8") as file:
                lines = sorted(set(file))
            order = np.random.default_rng(0).permutation(len(lines))[:LINES]
            path.write_text("".join(lines[k] for k in order), encoding="utf-8")
    return found


def store(work: Work) -> Path:
    """Build the token store of the pairs."""
    place = work.runs / "store"
    if not place.is_dir():
        filters = ["data.min_pieces=3", "data.max_pieces=125", f"data.limit={PAIRS}"]
        pairs = [f"en-{tag}={path}" for tag, path in sample_pairs(work).items()]
        paralign(
            *("corpus", "build", "--model", work.base, *each("--pairs", pairs), *each("--set", filters)),
            *("--lenient", "--out", place),
        )
    return place


def links(work: Work, join: str) -> list[str]:
    """Align the words of all sampled pairs."""
    specs = []
    for tag, path in sample_pairs(work).items():
        kept, out = work.out / f"sample/{tag}.aligner", work.out / f"sample/{tag}.{join}.links"
        if not out.exists():
            trained = ("--load", kept) if kept.is_dir() else ("--save", kept)
            paralign("words", "--pairs", f"en-{tag}={path}", *trained, "--symmetrize", join, "--lenient", "--out", out)
        specs.append(f"en-{tag}={out}")
    return specs


def train(work: Work, name: str, layer: int, seed: int) -> Path:
    """Train an objective and return the folder of the run."""
    method, run = METHODS[name], work.runs / f"{name}-{layer}-{seed}"
    if (run / "run.json").exists() and json.loads((run / "run.json").read_text()).get("status") == "done":
        return run
    sets = [text.replace("LAYER", str(layer)).replace("SCALE", str(work.scale(layer))) for text in method.settings]
    sets += [f"objectives={json.dumps(method.objectives)}", f"method={name} at layer {layer}"]
    sets += [f"training.steps={STEPS}", f"training.batch={BATCH}", f"training.learning_rate={work.rate(name):g}"]
    sets += ["training.checkpoint_every=250", "data.min_pieces=3", "data.max_pieces=125"]
    sets += [f"data.limit={PAIRS}", f"control={json.dumps(name == 'mlm')}"]
    sets += ["training.gradient_cosine_every=50"] if len(method.objectives) > 1 else []
    given = each("--links", links(work, method.links)) if method.links else []
    paralign(
        *("align", "--model", work.base, "--corpus", store(work), *given, "--recipe", "ppa", "--seed", seed),
        *(*each("--set", sets), "--out", run, "--resume"),
    )
    return run


def texts(work: Work) -> list[str]:
    """Write the development half of NTREX as one text per language."""
    sides = {}
    for tag in LANGUAGES:
        rows = (work.out / f"halves/ntrex.en-{tag}.dev.tsv").read_text(encoding="utf-8").splitlines()
        sides["en"], sides[tag] = (list(column) for column in zip(*(row.split("\t") for row in rows), strict=True))
    for tag, lines in sides.items():
        path = work.out / f"halves/ntrex.{tag}.dev.txt"
        if not path.exists():  # others may be reading it
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [f"{tag}={work.out}/halves/ntrex.{tag}.dev.txt" for tag in sides]


def inference(work: Work) -> str:
    """Write LingNLI as one file."""
    path = work.out / "lingnli.jsonl"
    if not path.exists():
        parts = sorted((work.data / "nli-train/lingnli").glob("train_round*.jsonl"))
        lines = [line for part in parts for line in part.read_text(encoding="utf-8").splitlines()]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return f"en={path}"


def first_items(work: Work, source: Path, between: str, count: int) -> Path:
    """Write the first items of a file, which are separated by ``between``."""
    path = work.out / "first" / f"{source.parent.name}-{source.name}"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        items = source.read_text(encoding="utf-8").strip("\n").split(between)
        path.write_text(between.join(items[:count]) + "\n", encoding="utf-8")
    return path


def probes(work: Work) -> dict[str, tuple[str, list[str], tuple[str, ...]]]:
    """Return training set, evaluation sets and more options of the probes of each task."""
    pud = [f"{tag}={work.out}/halves/pud.{tag}.dev.conllu" for tag in ("en", "de", "fr", "es", "hi")]
    ner, xnli = work.data / "ner/panx", work.data / "xnli"
    tags = ("en", "de", "hi", "zh")
    entities = [f"{tag}={first_items(work, ner / f'dev-{tag}.tsv', BLANK, ITEMS)}" for tag in tags]
    pairs = [f"{tag}={first_items(work, xnli / f'dev-{tag}.tsv', LINE, ITEMS)}" for tag in tags]
    return {
        "pos": (f"en={work.data / EWT}", pud, ()),
        "ner": (f"en={ner / 'train-en.tsv'}", entities, ()),
        "nli": (inference(work), pairs, ("--set", "probes.items=4000")),
    }


def measure(work: Work, encoder: str | Path, name: str) -> dict[str, Any]:
    """Probe an encoder and measure its space; return values by language and layer."""
    place = work.runs / "measured" / name
    out: dict[str, Any] = {"probes": {}, "space": {}}
    for task, (source, targets, more) in probes(work).items():
        paralign(
            *("analyze", "probes", "--model", encoder, "--task", task, "--train", source, *each("--eval", targets)),
            *(*more, "--split", "dev", "--lenient", "--out", place / task),
        )
        main = {"pos": "pos_accuracy", "ner": "ner_f1", "nli": "nli_accuracy"}[task]
        out["probes"][task] = by_language(place / task, main)
    paralign(
        *("analyze", "space", "--model", encoder, *each("--text", texts(work)), "--set", f"space.sentences={ITEMS}"),
        *("--out", place / "space"),
    )
    for metric in dict.fromkeys(row.metric for row in read_results(place / "space")):
        out["space"][metric] = by_language(place / "space", metric)
    return out


def by_language(run: Path, metric: str) -> dict[str, list[float]]:
    """Return the values of a metric: for each language a list over layers."""
    values: dict[str, list[float]] = defaultdict(list)
    for row in read_results(run):  # in the order of layers
        if row.metric == metric:
            values[row.language].append(round(row.value, 4))
    return values


def training_facts(run: Path) -> dict[str, Any]:
    """Return time per step, the last losses and the mean gradient cosines of a run."""
    facts = json.loads((run / "run.json").read_text(encoding="utf-8"))
    entries = [json.loads(line) for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    steps = [entry for entry in entries if "lr" in entry]
    cosines: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for entry in entries:
        for pair, groups in entry.get("cosines", {}).items():
            for group, value in groups.items():
                cosines[pair][group] += [] if value is None else [value]
    last = steps[-10:]
    return {
        "seconds": round(facts["seconds"], 1),
        "seconds_per_step": round(facts["seconds"] / STEPS, 3),
        "encoder": facts["model_hash"],
        "losses": {name: round(float(np.mean([e["losses"][name] for e in last])), 4) for name in last[0]["losses"]},
        "gradient_cosines": {
            pair: {group: round(float(np.mean(values)), 4) for group, values in groups.items() if values}
            for pair, groups in cosines.items()
        },
    }


def row_of(work: Work, name: str, layer: int | None, seed: int | None) -> dict[str, Any]:
    """Train and measure an objective at a layer; ``base`` is measured untrained."""
    row: dict[str, Any] = {"objective": name, "layer": layer, "seed": seed, "commit": work.commit}
    row["base"] = Path(work.base).name
    encoder, run = work.base, None
    if layer is not None and seed is not None:
        run = train(work, name, layer, seed)
        encoder = run / "encoder"
        row |= {"steps": STEPS, "batch": BATCH, "learning_rate": work.rate(name)} | training_facts(run)
    began = time.monotonic()
    row |= measure(work, encoder, f"{name}-{layer}-{seed}")
    row["measuring_seconds"] = round(time.monotonic() - began, 1)
    if run is not None:
        shutil.rmtree(run / "checkpoints", ignore_errors=True)
    return row


def add_row(work: Work, name: str, layer: int | None, seed: int | None) -> None:
    """Train, measure and append a row to the results."""
    row = row_of(work, name, layer, seed)
    with work.results.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
    print(f"{name} at {layer}, seed {seed}: done", flush=True)


def main() -> None:
    """Run what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--base", required=True, help=f"folder of the encoder, or {NAME}")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--only", nargs="+", choices=["base", *METHODS], default=["base", *METHODS])
    parser.add_argument("--jobs", type=int, default=1, help="number of rows measured at the same time")
    parser.add_argument("--commit", help="version that measures; default: that of the repository")
    given = parser.parse_args()
    out = given.out.resolve()
    commit = given.commit or current_commit()
    base = given.base if given.base == NAME else Path(given.base).resolve()
    runs = out / "objectives" / Path(base).name
    work = Work(given.data.resolve(), out, base, given.results.resolve(), runs, commit)
    work.runs.mkdir(parents=True, exist_ok=True)
    prepare(work.data, work.out)
    if not (work.out / "halves").is_dir():
        halves(work.data, work.out)
    work.results.parent.mkdir(parents=True, exist_ok=True)
    rows = [json.loads(line) for line in work.results.read_text().splitlines()] if work.results.exists() else []
    done = {(row["base"], row["objective"], row["layer"], row["seed"]) for row in rows}
    wanted: list[tuple[str, int | None, int | None]] = [("base", None, None)]
    wanted += [(m, layer, seed) for seed in given.seeds for m in METHODS for layer in work.layers(METHODS[m])]
    missing = [row for row in wanted if row[0] in given.only and (Path(base).name, *row) not in done]
    if missing:  # what the rows share is made once
        store(work)
        texts(work)
        probes(work)
        for join in {METHODS[name].links for name, layer, _ in missing if layer is not None} - {""}:
            links(work, join)
    side_by_side(given.jobs, [partial(add_row, work, *row) for row in missing])


if __name__ == "__main__":
    main()
