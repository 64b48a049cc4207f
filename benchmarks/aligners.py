"""Compare word aligners: CPU seconds, memory and alignment error rate, on a synthetic set or on real text.

    python benchmarks/aligners.py counting [--pairs 100000] [--method ibm --method hmm --method eflomal]
    python benchmarks/aligners.py gold DATA [--languages en-de] [--half dev] [--join 1] [--method ...]
    python benchmarks/aligners.py layers ENCODER DATA [--layer N] [--unit both] [--matching transport:0.1] [--join 1]
    python benchmarks/aligners.py streaming [--pairs 200000] [--learn-from 50000] [--repeat 1] [--memory 2G]
    python benchmarks/aligners.py similarity ENCODER [--pairs 300] [--layer N]

`counting` generates the set: source words from a Zipf distribution (exponent 1.05, 40,000 words), sentence lengths from
Poisson(22) clipped to 3-80, a random one-to-one dictionary, target order by position + N(0, 2), and before each word
with probability 0.1 one of 500 noise words; the gold links are those of the dictionary. `gold` trains on the parallel
text under DATA (named as in benchmarks/README.md) and evaluates on one half of the hand-made sets. Every run is a
separate process; `above MB` is its peak above that of a process with the same imports. `layers` evaluates links by
similarity on one half of the same sets, at several layers, units and matchings; the text is encoded once. With `--join
N`, N consecutive pairs of the half are joined to one. `streaming` learns from the first pairs of the synthetic set and
applies the aligner to all of them (`words --learn-from`, then `words --load`), and measures one pair of 25 words in
Python; the time of a process with one pair is subtracted from the speeds. With `--repeat N`, a set of a N-th of the
pairs is written N times; `--memory` is `words.memory`. `similarity` compares with simalign (if it
can be imported) on the same encoder and layer.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Sequence
from filecmp import cmp
from itertools import product
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from machine import finish, table

from paralign.formats.links import GoldLinks, read_gold, read_links
from paralign.metrics.alignment import alignment_score
from paralign.text.words import split_words

WORDS, ZIPF, NOISE = 40_000, 1.05, 500
GOLD = {
    "en-de": ("de-en", True, 0),
    "en-fr": ("en-fr", False, 1),
    "en-zh": ("zh-en", True, 1),
    "en-hi": ("en-hi", False, None),
}
"""Folder, whether the file names the other language first, and the first sentence's number; ``None``: the numbers in
the file have gaps."""

WordsPair = tuple[list[str], list[str]]


def synthetic(folder: Path, pairs: int, seed: int = 0) -> tuple[Path, Path, Path]:
    """Write source, target and gold files."""
    rng = np.random.default_rng(seed)
    chance = 1 / np.arange(1, WORDS + 1) ** ZIPF
    below = np.cumsum(chance / chance.sum())
    translation = rng.permutation(WORDS)
    paths = folder / "source", folder / "target", folder / "gold"
    with paths[0].open("w") as source, paths[1].open("w") as target, paths[2].open("w") as gold:
        for _ in range(pairs):
            length = int(np.clip(rng.poisson(22), 3, 80))
            words = np.minimum(np.searchsorted(below, rng.random(length)), WORDS - 1)
            order = np.argsort(np.arange(length) + rng.normal(0, 2, length), kind="stable")
            said: list[str] = []
            links = []
            for i in order.tolist():
                if rng.random() < 0.1:
                    said.append(f"n{rng.integers(NOISE)}")
                links.append(f"{i}-{len(said)}")
                said.append(f"t{translation[words[i]]}")
            source.write(" ".join(f"s{word}" for word in words) + "\n")
            target.write(" ".join(said) + "\n")
            gold.write(" ".join(links) + "\n")
    return paths


# A process inherits the peak of the one it was forked from: a small one must stand between and look at its child.
LAUNCHER = """
import json, resource, subprocess, sys, time
began = time.monotonic()
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({"code": code, "cpu": used.ru_utime + used.ru_stime, "seconds": time.monotonic() - began,
                  "peak_mb": used.ru_maxrss / 1024}))
"""


def measured(command: Sequence[str]) -> dict[str, float]:
    """Run a process; return its CPU seconds, seconds and peak memory in MB, children included."""
    run = subprocess.run([sys.executable, "-S", "-c", LAUNCHER, *command], capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(run.stdout)
    if found.pop("code"):
        raise SystemExit(f"{' '.join(command)}\n{run.stderr}")
    return found


def words(*options: object) -> list[str]:
    """Return the command."""
    return [sys.executable, "-m", "paralign", "words", *map(str, options)]


def compare(
    text: tuple[Path, Path],
    gold: Sequence[GoldLinks],
    chosen: Sequence[int],
    given: argparse.Namespace,
    out: Path,
    more: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Run every method on one text and evaluate it on the selected pairs.

    What `ibm` and `hmm` learn is saved in `out`, and loaded by the next call.
    """
    imported = "import paralign.commands.align_words"
    bare = measured([sys.executable, "-c", imported])
    rows = []
    for method in given.method:
        options = ["--pairs", f"en-de={text[0]},{text[1]}", "--tokenized", "--method", method, "--lenient"]
        if method in ("ibm", "hmm"):
            options += [word for text in given.set or [] for word in ("--set", text)]
            saved = out / f"{method}.aligner"
            keep = ["--save", str(saved)] if len(getattr(given, "join", ())) > 1 else []
            options += ["--load", str(saved)] if saved.is_dir() else [*more, *keep]
        else:
            options += more
        cost = measured(words(*options, "--force", "--out", out / f"{method}.links"))
        links = [found.sure for found in read_links(out / f"{method}.links")]
        score = alignment_score((links[k], gold[k].sure, gold[k].possible) for k in chosen)
        rows.append({"method": method, **cost, "above_mb": cost["peak_mb"] - bare["peak_mb"],
                     "aer": score.aer, "precision": score.precision, "recall": score.recall})  # fmt: skip
    return rows


def show(rows: Sequence[dict[str, Any]]) -> None:
    """Print a table of methods."""
    head = ["method", "CPU s", "s", "above MB", "AER", "precision", "recall"]
    cells = [[r["method"], f"{r['cpu']:.1f}", f"{r['seconds']:.1f}", f"{r['above_mb']:.0f}",
              *(f"{100 * r[k]:.2f}" for k in ("aer", "precision", "recall"))] for r in rows]  # fmt: skip
    print(table(head, cells))


def counting(given: argparse.Namespace) -> None:
    """Compare methods on the synthetic set."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source, target, gold = synthetic(folder, given.pairs)
        rows = compare((source, target), list(read_links(gold)), range(given.pairs), given, folder)
    show(rows)
    finish("aligners counting", {"pairs": given.pairs, "rows": rows})


def gold(given: argparse.Namespace) -> None:
    """Evaluate on hand-made links of real sentences, after training on other text."""
    out: dict[tuple[str, int], Any] = {}
    for name in given.languages:
        tag = name[3:]
        with tempfile.TemporaryDirectory() as temporary:
            work = Path(temporary)
            text, right, half = gold_set(given.data, name, given.half)
            parallel = [
                *given.data.glob(f"parallel/tatoeba/{name}.tsv.gz"),
                *(f"{base}.en.gz,{base}.{tag}.gz" for base in sorted(
                    {str(p).removesuffix(".en.gz") for p in given.data.glob(f"parallel/*/*.{tag}-en.en.gz")})),
            ]  # fmt: skip
            more = [option for path in parallel for option in ("--train", f"en-de={path}")]
            for size in given.join:
                if size > 1:  # with what was learned from the single pairs
                    texts, links = joined([text[k] for k in half], [right[k] for k in half], size)
                    chosen = list(range(len(texts)))
                else:
                    texts, links, chosen = text, right, half
                for side, file in enumerate(("source", "target")):
                    (work / file).write_text("".join(" ".join(pair[side]) + "\n" for pair in texts), "utf-8")
                rows = compare((work / "source", work / "target"), links, chosen, given, work, more)
                print(f"\n{name}, {given.half} half: {len(chosen)} pairs, each of {size}")
                show(rows)
                out[name, size] = rows
    results = [{"languages": name, "join": size, "rows": rows} for (name, size), rows in out.items()]
    finish("aligners gold", {"half": given.half, "results": results})


def gold_set(data: Path, name: str, half: str) -> tuple[list[WordsPair], list[GoldLinks], list[int]]:
    """Return the sentence pairs of a gold set, English first, their links, and which pairs are in the half."""
    folder, flipped, first = GOLD[name]
    place = data / "wordalign" / folder
    if name == "en-zh":
        sides = [line.split("|||") for line in (place / "zhen.src-tgt").read_text("utf-8").splitlines()]
        text = [(b.split(), a.split()) for a, b in sides]
        links = place / "zhen.gold"
    else:
        read = ((place / f"test.{side}").read_text("utf-8").splitlines() for side in ("en", name[3:]))
        text = [(a.split(), b.split()) for a, b in zip(*read, strict=True)]
        links = place / "alignv2.txt"
    numbers: list[object] = list(range(first or 0, (first or 0) + len(text)))
    if first is None:
        numbers = list(dict.fromkeys(line.split()[0] for line in links.read_text("utf-8").splitlines()))
    sizes = [(len(a), len(b)) for a, b in text]
    right = read_gold(links, sizes, one_based=name == "en-zh", flipped=flipped, lenient=True)
    chosen = [k for k in range(len(text)) if (zlib.crc32(str(numbers[k]).encode()) % 2 == 1) == (half == "test")]
    return text, right, chosen


def joined(text: Sequence[WordsPair], gold: Sequence[GoldLinks], size: int) -> tuple[list[WordsPair], list[GoldLinks]]:
    """Join each ``size`` consecutive pairs to one; the last may be of fewer."""
    pairs, links = [], []
    for begin in range(0, len(text), size):
        pair: WordsPair = ([], [])
        together = GoldLinks()
        for k in range(begin, min(begin + size, len(text))):
            for link in gold[k].possible:
                moved = (link[0] + len(pair[0]), link[1] + len(pair[1]))
                together.add(moved, sure=link in gold[k].sure)
            for side, added in zip(pair, text[k], strict=True):
                side.extend(added)
        pairs.append(pair)
        links.append(together)
    return pairs, links


def layers(given: argparse.Namespace) -> None:
    """Evaluate links by similarity at several layers, units and matchings."""
    from paralign.encoder import Encoder
    from paralign.encoder.layer_cache import cached_layers
    from paralign.words.similarity import SimilarityConfig, link_vectors
    from paralign.words.word_vectors import WordVectors

    encoder = Encoder.from_pretrained(given.encoder).eval()
    if given.max_pieces:
        encoder.tokenizer.model_max_length = given.max_pieces
    chosen = given.layer or list(range(encoder.layers + 1))
    lead = given.prefix.split()
    settings = {"transport": "smoothing", "softmax": "threshold", "itermax": "rounds"}
    found: dict[tuple[str, str, int, int], dict[str, float]] = {}
    for name, size in product(given.languages, given.join):
        text, right, half = gold_set(given.data, name, given.half)
        text, right = joined([text[k] for k in half], [right[k] for k in half], size)
        with cached_layers(limit=2**40):
            for raw, layer, unit in product((False, True), chosen, given.unit):
                matchings = [m for m in given.matching if m.startswith("softmax") == raw]
                if not matchings:
                    continue
                source, target = (
                    WordVectors(
                        *(encoder, [" ".join([*lead, *pair[side]]) for pair in text], tag),
                        layer=layer, unit=unit, normalize=not raw, tokenized=True,
                    ) for side, tag in enumerate(name.split("-"))
                )  # fmt: skip
                for matching in matchings:
                    kind, _, value = matching.partition(":")
                    option = {settings[kind]: value} if value else {}
                    config = SimilarityConfig.model_validate({"matching": kind, **option})
                    links: list[set[tuple[int, int]]] = [set() for _ in text]
                    for k, i, j in link_vectors(source, target, config, "intersect").tolist():
                        if min(i, j) >= len(lead):
                            links[k].add((i - len(lead), j - len(lead)))
                    score = alignment_score((a, g.sure, g.possible) for a, g in zip(links, right, strict=True))
                    found.setdefault((matching, unit, layer, size), {})[name] = 100 * score.aer
    rows = [{"matching": matching, "unit": unit, "layer": layer, "join": size, "aer": aer, "mean": mean(aer.values())}
            for (matching, unit, layer, size), aer in sorted(found.items())]  # fmt: skip
    cells = [[f"{r['matching']} {r['unit']} {r['layer']} {r['join']}",
              *(f"{v:.1f}" for v in (*r["aer"].values(), r["mean"]))] for r in rows]  # fmt: skip
    print(table(["matching unit layer join", *given.languages, "mean"], cells))
    about = {"encoder": given.encoder.name, "half": given.half, "prefix": given.prefix}
    finish("aligners layers", {**about, "max_pieces": encoder.max_pieces, "rows": rows}, torch_too=True)


def streaming(given: argparse.Namespace) -> None:
    """Measure pairs per second and memory of a trained aligner on the synthetic set, and the latency of one pair."""
    from paralign.words.word_aligner import WordAligner

    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source, target, _ = synthetic(folder, given.pairs // given.repeat)
        for path in (source, target):
            content = path.read_bytes()
            with path.open("ab") as out:
                for _ in range(given.repeat - 1):
                    out.write(content)
        given.pairs = given.pairs // given.repeat * given.repeat
        text = ["--pairs", f"en-de={source},{target}", "--tokenized", "-q"]
        learn = ["--learn-from", given.learn_from, "--save", folder / "kept", "--out", folder / "learned"]
        if given.memory:
            learn += ["--set", f"words.memory={given.memory}"]
        load = ["--load", folder / "kept", "--out"]
        small = folder / "small.tsv"
        small.write_text("a\tb\n")
        start = measured(words("--pairs", f"en-de={small}", "-q", "--method", "ibm", "--out", folder / "small"))
        runs = {"learn and apply": words(*text, *learn), "load": words(*text, *load, folder / "loaded")}
        for kind, command in runs.items():
            cost = measured(command)
            seconds = cost["seconds"] - start["seconds"]
            rows.append({"run": kind, **cost, "pairs_per_s": given.pairs / seconds,
                         "pairs_per_cpu_s": given.pairs / (cost["cpu"] - start["cpu"])})  # fmt: skip
        if not cmp(folder / "learned", folder / "loaded", shallow=False):
            raise SystemExit("the links differ")
        aligner = WordAligner.load(folder / "kept")
        with source.open() as one, target.open() as other:
            pairs = ((a.split(), b.split()) for a, b in zip(one, other, strict=True))
            chosen = next(pair for pair in pairs if len(pair[0]) == 25)
        times = []
        for _ in range(200):
            began = time.perf_counter()
            aligner.align(*chosen)
            times.append(1000 * (time.perf_counter() - began))
    head = ["run", "CPU s", "s", "peak MB", "pairs/s", "pairs/CPU s"]
    print(table(head, [[r["run"], f"{r['cpu']:.1f}", f"{r['seconds']:.1f}", f"{r['peak_mb']:.0f}",
                        f"{r['pairs_per_s']:,.0f}", f"{r['pairs_per_cpu_s']:,.0f}"] for r in rows]))  # fmt: skip
    latency = {"median_ms": float(np.median(times)), "largest_ms": max(times)}
    print(f"one pair of 25 words: {latency['median_ms']:.2f} ms (median), {latency['largest_ms']:.2f} ms (largest)")
    about = {"pairs": given.pairs, "learn_from": given.learn_from, "repeat": given.repeat, "memory": given.memory}
    finish("aligners streaming", {**about, "rows": rows, **latency})


def similarity(given: argparse.Namespace) -> None:
    """Compare with the links and the speed of simalign."""
    from paralign.encoder import Encoder
    from paralign.smallworld import World
    from paralign.words.similarity import SimilarityConfig, align_by_similarity
    from paralign.words.word_vectors import default_layer

    world = World(0)
    pairs = [
        (" ".join(world.sentence(k, "en").words), " ".join(world.sentence(k, "de").words)) for k in range(given.pairs)
    ]
    if given.text:
        source, target = (
            [" ".join(words) for words in split_words(Path(path).read_text("utf-8").split("\n"))] for path in given.text
        )
        pairs = [pair for pair in zip(source, target, strict=True) if all(pair)][: given.pairs]
    encoder = Encoder.from_pretrained(given.encoder).eval()
    layer = default_layer(encoder.layers) if given.layer is None else given.layer
    rows: list[dict[str, Any]] = []
    kinds = (("argmax", "inter", "fp32"), ("itermax", "itermax", "fp32"), ("itermax", "itermax", "bf16"))
    for matching, name, precision in kinds:
        config = SimilarityConfig(matching=matching, layer=layer, unit="piece", precision=precision)
        list(align_by_similarity(encoder, pairs[:64], config, tokenized=True))
        began = time.perf_counter()
        ours = [set(links) for links in align_by_similarity(encoder, pairs, config, tokenized=True)]
        seconds = time.perf_counter() - began
        row: dict[str, Any] = {"matching": matching, "precision": precision, "pairs_per_s": len(pairs) / seconds}
        try:
            from simalign import SentenceAligner
        except ImportError:
            print("simalign cannot be imported, so nothing is compared")
        else:
            rival = SentenceAligner(
                model=str(given.encoder), matching_methods={"inter": "a", "itermax": "i"}[name], layer=layer
            )
            rival.get_word_aligns(*pairs[0])
            began = time.perf_counter()
            theirs = [set(rival.get_word_aligns(*pair)[name]) for pair in pairs]
            row["simalign_pairs_per_s"] = len(pairs) / (time.perf_counter() - began)
            row["times"] = row["pairs_per_s"] / row["simalign_pairs_per_s"]
            row["equal_pairs"] = sum(a == b for a, b in zip(ours, theirs, strict=True)) / len(pairs)
            both = sum(len(a & b) for a, b in zip(ours, theirs, strict=True))
            row["equal_links"] = both / sum(len(a | b) for a, b in zip(ours, theirs, strict=True))
        rows.append(row)
        print(json.dumps(row))
    finish("aligners similarity", {"pairs": len(pairs), "layer": layer, "rows": rows}, torch_too=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(required=True)
    some = kinds.add_parser("counting")
    some.add_argument("--pairs", type=int, default=100_000)
    some.set_defaults(run=counting)
    other = kinds.add_parser("gold")
    other.add_argument("data", type=Path)
    other.set_defaults(run=gold)
    third = kinds.add_parser("layers")
    third.add_argument("encoder", type=Path)
    third.add_argument("data", type=Path)
    third.add_argument("--layer", type=int, nargs="+", help="default: all")
    third.add_argument("--unit", nargs="+", choices=("piece", "word", "both"), default=["piece", "word", "both"])
    third.add_argument(
        "--matching", nargs="+", default=["argmax", "itermax", "softmax", "transport"],
        help="names, or with smoothing, threshold or rounds: transport:0.2 softmax:0.01 itermax:3",
    )  # fmt: skip
    third.add_argument("--prefix", default="", help="text before every sentence, as 'query:'")
    third.add_argument("--max-pieces", type=int, help="encode longer sentences in windows (default: the encoder's)")
    third.set_defaults(run=layers)
    for one in (other, third):
        one.add_argument("--languages", nargs="+", choices=GOLD, default=list(GOLD))
        one.add_argument("--half", choices=("dev", "test"), default="dev")
        one.add_argument("--join", type=int, nargs="+", default=[1], help="consecutive pairs joined to one")
    for one in (some, other):
        one.add_argument("--method", action="append")
        one.add_argument("--set", action="append", help="words.KEY=VALUE of ibm and hmm")
    large = kinds.add_parser("streaming")
    large.add_argument("--pairs", type=int, default=200_000)
    large.add_argument("--learn-from", type=int, default=50_000)
    large.add_argument("--repeat", type=int, default=1, help="times that the generated pairs are written")
    large.add_argument("--memory", help="words.memory of the training")
    large.set_defaults(run=streaming)
    last = kinds.add_parser("similarity")
    last.add_argument("encoder", type=Path)
    last.add_argument("--pairs", type=int, default=300)
    last.add_argument("--layer", type=int)
    last.add_argument("--text", nargs=2, help="two line-aligned files (default: the small world)")
    last.set_defaults(run=similarity)
    given = parser.parse_args(arguments)
    if "method" in given and not given.method:
        given.method = ["ibm", "hmm"]
    given.run(given)


if __name__ == "__main__":
    main()
