"""Build paralign-mini from the raw files (split, pretrain, package), then align and evaluate it.

    python benchmarks/mini.py DATA OUT [--stage STAGE]

Uses only paralign's commands. DATA contains public data sets, named as in benchmarks/README.md (not part of the
project). Every command is printed. Finished runs are not repeated, interrupted ones are resumed.
"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
from pathlib import Path

import numpy as np
from mini_card import card, sha256
from real_text import each, half, paralign

import paralign.models as paralign_models
from paralign.encoder.loading import load_tokenizer
from paralign.encoder.tokenizer import save_tokenizer
from paralign.formats.conllu import read_conllu, write_conllu
from paralign.results import read_results
from paralign.sources.readers import read_tagged
from paralign.sources.specs import TextSpec
from paralign.text.normalization import comparison_key

NAME = "paralign-mini"
LANGUAGES = ("ar", "bg", "de", "es", "fr", "hi", "zh")
# Half the pairs give plain text; of these one in three gives English, which is plentiful.
KEY_SHARE = 0.33
NTREX = {"ar": "arb", "bg": "bul", "de": "deu", "es": "spa", "fr": "fra", "hi": "hin", "zh": "zho-CN"}
PUD = {"en": "English", "de": "German", "es": "Spanish", "fr": "French", "hi": "Hindi"}
MEAN = ("de", "es", "fr")
METHODS = {"ppa": "ppa-mini", "no-moco": "tlm-mini", "no-tlm": "moco-mini", "control": "mlm-mini"}
SEEDS = {"ppa": 3, "control": 3, "no-moco": 1, "no-tlm": 1}
RATES = {
    "ppa": (1e-4, 2e-4, 5e-4),
    "no-moco": (2e-4, 5e-4, 1e-3),
    "no-tlm": (1e-4, 2e-4, 5e-4),
    "control": (2e-4, 5e-4, 1e-3),
}
"""Three for each; contrast wants lower ones than prediction."""
TUNE, FINAL = (300, 128), (2_000, 64)
"""Steps and pairs per step: of equal pairs, more and smaller steps teach [CLS] more."""
INSIDE = 30


def tests(data: Path) -> list[Path]:
    """Return every file with sentences that must not be trained on."""
    patterns = (
        "retrieval/ntrex/newstest*.txt",
        "retrieval/tatoeba/tatoeba.*",
        "pos-parse/*/*-test.conllu*",
        "pos-parse/*/*-dev.conllu*",
        "xnli/*.tsv",
        "nli-train/cad/dev.tsv",
        "nli-train/cad/test.tsv",
        "wordalign/*/test.*",
        "wordalign/zh-en/zhen.src-tgt",
        "qa/*/*dev*.json",
        "qa/xquad/*.json",
        "ner/panx/dev-*.tsv",
        "mono/news/??.txt",
    )
    found = {pattern: sorted(data.glob(pattern)) for pattern in patterns}
    empty = [pattern for pattern, paths in found.items() if not paths]
    if empty:
        raise SystemExit(f"no test set at {', '.join(empty)} in {data}")
    return sorted(path for paths in found.values() for path in paths)


def corpora(data: Path) -> tuple[list[str], list[str]]:
    """Return the pairs and plain text whose license allows distributing weights."""
    pairs = []
    for tag in LANGUAGES:
        tatoeba, office = (
            data / f"parallel/tatoeba/en-{tag}.tsv.gz",
            data / f"parallel/libreoffice/LibreOffice.{tag}-en",
        )
        if tatoeba.exists():
            pairs.append(f"en-{tag}={tatoeba}")
        pairs.append(f"en-{tag}={office}.en.gz,{office}.{tag}.gz")
    docs = data / "parallel/python-docs/PythonDocs.zh-en"
    pairs.append(f"en-zh={docs}.en.gz,{docs}.zh.gz")
    voice = [f"{tag}={data}/mono/common-voice/{tag}.txt.gz" for tag in ("ar", "de", "en", "es", "fr", "zh")]
    # The Declaration of Human Rights for Hindi only, which has least: in more languages it would be a parallel text.
    return pairs, [*voice, f"hi={data}/mono/udhr/hin.txt"]


def prepare(data: Path, out: Path) -> None:
    """Split the text. It contains no sentence of a test set, and not both sides of a pair."""
    if (out / "split").is_dir():
        return
    pairs, text = corpora(data)
    paralign(
        *("corpus", "split", "--lenient", "--key-share", KEY_SHARE),
        *each("--pairs", pairs),
        *each("--text", text),
        *each("--exclude", tests(data)),
        *("--out", out / "split"),
    )


def base(out: Path) -> None:
    """Pretrain from scratch; an interrupted run resumes to the same bytes."""
    tags = ("en", *LANGUAGES)
    text, heldout = ([f"{tag}={out}/split/{kind}/{tag}.txt.gz" for tag in tags] for kind in ("mono", "heldout"))
    paralign(
        *("pretrain", "--recipe", "pretrain-mini", "--arch", "bert:4x256", "--vocab", 16_000, "--max-length", 128),
        *each("--text", text),
        *each("--heldout", heldout),
        *("--out", out / "base", "--resume"),
    )


def start(out: Path) -> str | Path:
    """Return the encoder to align: the one pretrained here, or the equal one of the package."""
    made = out / "base/encoder"
    return made if made.is_dir() else NAME


def ship(out: Path) -> None:
    """Copy the encoder into the package, with unmodified weights; in its metadata, OUT replaces the folder's name."""
    made, place = out / "base/encoder", Path(paralign_models.__file__).parent / NAME
    text = card(out)
    place.mkdir(exist_ok=True)
    save_tokenizer(load_tokenizer(str(made)), place)
    for name in ("config.json", "model.safetensors"):
        shutil.copyfile(made / name, place / name)
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        print(f"{sha256(place / name)}  {NAME}/{name}  {(place / name).stat().st_size:,} bytes")
    said = (made / "paralign.json").read_text(encoding="utf-8").replace(str(out), "OUT")
    (place / "paralign.json").write_text(said, encoding="utf-8")
    (place / "README.md").write_text(text, encoding="utf-8")


def halves(data: Path, out: Path) -> None:
    """Split NTREX by document and PUD by sentence into development and test halves."""
    folder = out / "halves"
    folder.mkdir(parents=True, exist_ok=True)
    ntrex, pud = data / "retrieval/ntrex", data / "pos-parse"

    def lines(path: Path) -> list[str]:
        return path.read_text(encoding="utf-8").split("\n")

    documents, source = lines(ntrex / "DOCUMENT_IDS.tsv"), lines(ntrex / "newstest2019-src.eng.txt")
    for tag, code in NTREX.items():
        target = lines(ntrex / f"newstest2019-ref.{code}.txt")
        for which in ("dev", "test"):
            rows = zip(documents, source, target, strict=True)
            text = "".join(f"{a}\t{b}\n" for doc, a, b in rows if doc and half(doc) == which)
            (folder / f"ntrex.en-{tag}.{which}.tsv").write_text(text, encoding="utf-8")
    for tag, name in PUD.items():
        trees = list(read_conllu(pud / f"UD_{name}-PUD/{tag}_pud-ud-test.conllu"))
        for which in ("dev", "test"):
            write_conllu((t for t in trees if half(t.sent_id) == which), folder / f"pud.{tag}.{which}.conllu")


def leaks(data: Path, out: Path) -> None:
    """Search all text used in training for every test sentence, as tasks read it, and print the overlap.

    A paragraph overlaps if it contains a sentence of the text with at least 30 letters and digits.
    """
    seen: set[str] = set()
    for path in sorted((out / "split").glob("*/*.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                for text in line.rstrip("\n").split("\t"):
                    seen.add(comparison_key(text))
    seen.discard("")
    begin: dict[str, list[str]] = {}
    for key in seen:
        if len(key) >= INSIDE:
            begin.setdefault(key[:INSIDE], []).append(key)
    rows = []
    for path in tests(data):
        whole, paragraphs = ({comparison_key(text) for text in texts} - {""} for texts in test_texts(path))
        inside = {key for text in paragraphs for at in range(len(text) - INSIDE + 1)
                  for key in begin.get(text[at : at + INSIDE], ()) if text.startswith(key, at)}  # fmt: skip
        if not whole:
            raise SystemExit(f"{path}: no sentence found")
        rows.append({"file": str(path.relative_to(data)), "sentences": len(whole), "found": sorted(whole & seen),
                     "paragraphs": len(paragraphs), "found_inside": sorted(inside)})  # fmt: skip
    report = {"sentences": len(seen), "tests": rows,
              **{name: sum(len(row[name]) for row in rows) for name in ("found", "found_inside")}}  # fmt: skip
    (out / "leaks.json").write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    tested = sum(row["sentences"] for row in rows)
    print(f"{report['found']} of {tested:,} test sentences are among the {len(seen):,} sentences of the text")
    print(f"{report['found_inside']} sentences of the text are in a paragraph of a test set")


def test_texts(path: Path) -> tuple[list[str], list[str]]:
    """Return the sentences of a test set, and paragraphs, read without the code of ``corpus split``."""
    name = path.name.removesuffix(".gz")
    if name.endswith(".conllu"):
        return [tree.text for tree in read_conllu(path, labeled=False)], []
    if path.parent.name == "panx":
        spec = TextSpec(name[4:6], str(path))
        return [row.text for row in read_tagged(spec, lenient=True, labeled=False)], []
    if name.endswith(".json"):
        articles = json.loads(path.read_text(encoding="utf-8"))["data"]
        places = [place for article in articles for place in article["paragraphs"]]
        return [qa["question"] for place in places for qa in place["qas"]], [place["context"] for place in places]
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as lines:
        return [cell for line in lines for cell in line.rstrip("\n").replace("|||", "\t").split("\t")], []


def measure(data: Path, out: Path, encoder: str | Path, name: str, which: str, *, epochs: int = 3) -> None:
    """Evaluate retrieval on NTREX, and tagging on PUD trained on the English treebank, on one half."""
    trained = data / "pos-parse/UD_English-EWT/en_ewt-ud-train.conllu.gz"
    paralign(
        *("evaluate", "--model", encoder, "--task", "retrieval", "--split", which),
        *each("--data", [f"en-{tag}={out}/halves/ntrex.en-{tag}.{which}.tsv" for tag in LANGUAGES]),
        *("--out", out / f"{which}/ntrex-{name}"),
    )
    paralign(
        *("finetune", "--model", encoder, "--task", "pos", "--train", f"en={trained}", "--split", which),
        *each("--eval", [f"{tag}={out}/halves/pud.{tag}.{which}.conllu" for tag in PUD]),
        *each("--set", [f"training.epochs={epochs}", "training.learning_rate=3e-4"]),
        *("--no-keep-models", "--lenient", "--out", out / f"{which}/pos-{name}", "--resume"),
    )


def align(out: Path, method: str, rate: float, seed: int, size: tuple[int, int]) -> Path:
    """Align with all languages mixed and return the folder of the encoder."""
    steps, batch = size
    store, run = out / "pairs", out / f"align/{method}-{rate:g}-{steps}-{seed}"
    if not store.is_dir():
        pairs = [f"en-{tag}={out}/split/pairs/en-{tag}.tsv.gz" for tag in LANGUAGES]
        filters = ["data.min_pieces=3", "data.max_pieces=125"]
        paralign(
            *("corpus", "build", "--model", start(out), *each("--pairs", pairs), *each("--set", filters)),
            *("--out", store),
        )
    sets = [f"training.steps={steps}", f"training.batch={batch}", f"training.learning_rate={rate:g}"]
    paralign(
        *("align", "--model", start(out), "--corpus", store, "--recipe", METHODS[method], "--seed", seed),
        *each("--set", sets),
        *("--out", run, "--resume"),
    )
    return run / "encoder"


def score(out: Path, name: str, which: str) -> dict[str, float]:
    """Return means over de, fr and es: tagging, and retrieval of both poolings in both directions."""
    tagged = [r.value for r in read_results(out / f"{which}/pos-{name}/results.jsonl") if r.language in MEAN]
    found = read_results(out / f"{which}/ntrex-{name}/results.jsonl")
    chosen = [r for r in found if r.metric == "accuracy_cosine" and r.language in MEAN]
    pooled = {p: [r.value for r in chosen if r.where.pool == p] for p in ("cls", "mean")}
    return {"pos": float(np.mean(tagged)), **{pool: float(np.mean(v)) for pool, v in pooled.items()}}


def tune(data: Path, out: Path, methods: list[str]) -> None:
    """Choose for every method the learning rate with the best tagging and [CLS] retrieval on the development halves."""
    for method in methods:
        table = {}
        for rate in RATES[method]:
            name = f"{method}-{rate:g}-tune"
            measure(data, out, align(out, method, rate, 0, TUNE), name, "dev", epochs=1)
            table[rate] = score(out, name, "dev")
        best = max(table, key=lambda rate: table[rate]["pos"] + table[rate]["cls"])
        print(method, {f"{rate:g}": values for rate, values in table.items()}, "->", f"{best:g}", flush=True)
        told = {"rate": best, "development": {f"{rate:g}": values for rate, values in table.items()}}
        (out / f"rate.{method}.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def compare(data: Path, out: Path, methods: list[str]) -> None:
    """Evaluate the test halves once: the base, and each method at its learning rate with several seeds."""
    measure(data, out, start(out), "base", "test")
    for method in methods:
        rate = json.loads((out / f"rate.{method}.json").read_text(encoding="utf-8"))["rate"]
        for seed in range(SEEDS[method]):
            measure(data, out, align(out, method, rate, seed, FINAL), f"{method}-{seed}", "test")


def report(out: Path) -> None:
    """Write one report of all runs evaluated on the test halves."""
    runs = [*out.glob("test/*"), *(path.parent for path in out.glob(f"align/*-{FINAL[0]}-*/run.json"))]
    paralign("report", *sorted(runs), "--out", out / "report.html", "--title", "paralign-mini, aligned")


def main() -> None:
    """Read the arguments and run the stages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    stages = ("prepare", "leaks", "base", "development", "ship", "tune", "compare", "report", "all")
    parser.add_argument("--stage", choices=stages, default="all")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS), help="for tune and compare")
    given = parser.parse_args()

    def on(stage: str) -> bool:
        return given.stage in (stage, "all")

    if on("prepare"):
        prepare(given.data, given.out)
        halves(given.data, given.out)
    if on("leaks"):
        leaks(given.data, given.out)
    if on("base"):
        base(given.out)
    if on("development"):
        measure(given.data, given.out, start(given.out), "base", "dev")
    if on("ship"):
        ship(given.out)
    if on("tune"):
        tune(given.data, given.out, given.methods)
    if on("compare"):
        compare(given.data, given.out, given.methods)
    if on("report"):
        report(given.out)


if __name__ == "__main__":
    main()
