"""Do batches sorted by length change what is learned? PPA in windows of 50 batches and of 1, at equal pairs.

    python benchmarks/windows.py OUT [--data DATA] [--seeds 3] [--steps 150]

Variants: `sorted` (`training.window=50`) and `random` (`training.window=1`). From paralign-mini on Tatoeba and
LibreOffice en-de (DATA, see benchmarks/README.md), and from a small encoder on the small world. For each run: masked-LM
loss per piece on held-out pairs in TLM's view (without dropout), also for the third of the batches with the
shortest and longest pairs, and retrieval accuracy on 1,000 held-out pairs, mean-pooled, both directions. Results are
appended to OUT/windows.jsonl; finished runs are not repeated.
"""

from __future__ import annotations

import argparse
import gzip
import json
from pathlib import Path

import numpy as np
import torch

import paralign
from paralign.batches.views import ViewsConfig
from paralign.corpus.build import build_store
from paralign.corpus.clean import FilterConfig
from paralign.encoder import Encoder
from paralign.encoder.sentences import sentence_vectors
from paralign.objectives import Step
from paralign.objectives.base import masked_loss
from paralign.sources.readers import read_pairs
from paralign.sources.specs import parse_pairs
from paralign.training import CorpusBatches, TrainingConfig

VARIANTS = {
    "sorted": ["training.window=50"],
    "random": ["training.window=1"],
}
HELD_OUT, BATCH = 1_000, 64


def real_pairs(data: Path, out: Path, count: int) -> tuple[str, str, str]:
    """Write training and held-out pairs, half from each source; return the base encoder and both specs."""
    office = data / "parallel/libreoffice/LibreOffice.de-en"
    with gzip.open(data / "parallel/tatoeba/en-de.tsv.gz", "rt", encoding="utf-8") as file:
        tatoeba = [tuple(line.rstrip("\n").split("\t")[:2]) for line in file]
    sides = [gzip.decompress(Path(f"{office}.{tag}.gz").read_bytes()).decode().split("\n") for tag in ("en", "de")]
    rng, rows = np.random.default_rng(0), []
    for pairs in (tatoeba, [pair for pair in zip(*sides, strict=True) if all(len(side) > 12 for side in pair)]):
        unique = sorted(set(pairs))
        rows.append([unique[k] for k in rng.permutation(len(unique))[: (count + HELD_OUT) // 2]])
    mixed = [row for both in zip(*rows, strict=False) for row in both]
    files = out / "held-out.tsv", out / "train.tsv"
    for path, some in zip(files, (mixed[:HELD_OUT], mixed[HELD_OUT:]), strict=True):
        path.write_text("".join("\t".join(pair) + "\n" for pair in some), encoding="utf-8")
    return "paralign-mini", f"en-de={files[1]}", f"en-de={files[0]}"


def small_world(out: Path, count: int) -> tuple[str, str, str]:
    """Pretrain a small encoder unless it exists; return it and both specs."""
    base = out / "base"
    if not (base / "encoder").is_dir():
        text = [f"{tag}=smallworld:0-10000" for tag in ("en", "de")]
        paralign.pretrain(
            arch="bert:2x128",
            vocab=1_500,
            text=text,
            out=base,
            quiet=True,
            overrides=["training.steps=1000", "training.batch=32"],
        )
    start = 1_000_000
    return (
        str(base / "encoder"),
        f"en-de=smallworld:{start}-{start + count}",
        f"en-de=smallworld:500000-{500_000 + HELD_OUT}",
    )


@torch.no_grad()
def measure(folder: str, spec: str, out: Path) -> dict[str, float]:
    """Return losses per masked piece and retrieval accuracy on held-out pairs."""
    encoder = Encoder.from_pretrained(folder).eval()
    store = build_store(
        [parse_pairs(spec)],
        encoder.text_tokenizer,
        out,
        filter=FilterConfig(min_pieces=1, max_pieces=60),
        lenient=True,
    )
    training = TrainingConfig(batch=20, window=1_000, seed=99)
    batches = CorpusBatches(store, encoder.template, ViewsConfig(shuffle=False), training, longest=encoder.max_pieces)
    rows = []
    for step in range(batches.steps_per_epoch):
        batch = batches.batch(step)
        view = batch.view("joint")
        rows.append((float(view.lengths.mean()), float(masked_loss(Step(encoder, batch), "joint")), len(view.masked)))
    rows.sort()
    third = len(rows) // 3
    losses = {
        name: sum(r[1] for r in some) / sum(r[2] for r in some)
        for name, some in (("loss", rows), ("loss_short", rows[:third]), ("loss_long", rows[-third:]))
    }
    pairs = list({pair.source: pair for pair in read_pairs(parse_pairs(spec), lenient=True)}.values())
    first, second = (
        torch.nn.functional.normalize(
            torch.from_numpy(sentence_vectors(encoder, texts, language, pools=["mean"])[0]["mean"]), dim=1
        )
        for texts, language in (([p.source for p in pairs], "en"), ([p.target for p in pairs], "de"))
    )
    scores, gold = first @ second.T, torch.arange(len(pairs))
    hits = [(scores.argmax(axis) == gold).float().mean() for axis in (0, 1)]
    return losses | {"retrieval": 50 * float(hits[0] + hits[1])}


def main() -> None:
    """Run what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, help="public data sets; without them only the small world is measured")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=150)
    given = parser.parse_args()
    results = given.out / "windows.jsonl"
    done = (
        {(row["corpus"], row["variant"], row["seed"]) for row in map(json.loads, results.open())}
        if results.exists()
        else set()
    )
    for seed in range(given.seeds):
        for corpus in ("small world", *(["real"] if given.data else [])):
            work = given.out / corpus.replace(" ", "-")
            work.mkdir(parents=True, exist_ok=True)
            count = given.steps * BATCH
            base, train, held_out = (
                small_world(work, count) if corpus != "real" else real_pairs(given.data, work, count)
            )
            for variant, settings in VARIANTS.items():
                if (corpus, variant, seed) in done:
                    continue
                run = work / f"{variant}-{seed}"
                paralign.align(
                    base,
                    pairs=[train],
                    out=run,
                    recipe="ppa-mini",
                    quiet=True,
                    lenient=True,
                    resume=run.exists(),
                    overrides=[
                        *settings,
                        f"training.seed={seed}",
                        f"training.steps={given.steps}",
                        f"training.batch={BATCH}",
                        "data.min_pieces=3",
                        "moco.queue=2048",
                    ],
                )
                row = {"corpus": corpus, "variant": variant, "seed": seed, "steps": given.steps, "batch": BATCH}
                row |= measure(str(run / "encoder"), held_out, run / "held-out")
                with results.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")
                print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
