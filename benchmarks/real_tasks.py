"""Every task on real public data sets, to check that results are plausible. One encoder, one seed, test halves.

    python benchmarks/real_tasks.py DATA MODEL OUT [--only nli qa ner pos parsing retrieval lexicon] [--limit N]

DATA contains public data sets, named as in benchmarks/README.md (not part of the project). Sets without a test part are
halved by crc32(id) % 2 as in real_text.py; only test halves are evaluated, once. Paragraphs of XQuAD are removed from
SQuAD's development set before training on it. Every command is printed. Finished runs are not repeated.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from real_text import each, half, paralign

RATE = ("--set", "training.learning_rate=2e-4")
TREEBANKS = {"en": "English", "de": "German", "es": "Spanish", "fr": "French", "hi": "Hindi"}
NTREX = {"de": "deu", "fr": "fra", "es": "spa", "zh": "zho-CN", "hi": "hin", "ar": "arb", "bg": "bul"}
TATOEBA = {"de": "deu", "fr": "fra", "es": "spa", "zh": "cmn", "hi": "hin", "ar": "ara", "bg": "bul"}


def finetune(out: Path, model: Path, task: str, train: list[str], tests: list[str], *more: object) -> Path:
    """Fine-tune on English with one seed, and evaluate on all languages."""
    run = out / task
    paralign("finetune", "--model", model, "--task", task, *each("--train", train), *each("--eval", tests), *RATE,
             "--lenient", "--out", run, "--resume", *more)  # fmt: skip
    return run


def nli(data: Path, model: Path, out: Path, limit: list[object]) -> Path:
    """Train on LingNLI and counterfactually augmented SNLI, evaluate on XNLI."""
    train = [f"en={path}" for path in sorted((data / "nli-train/lingnli").glob("*.jsonl"))]
    train.append(f"en={data}/nli-train/cad/train.tsv")
    tests = [f"{tag}={data}/xnli/test-{tag}.tsv" for tag in ("en", "de", "es", "fr", "zh", "hi")]
    return finetune(out, model, "nli", train, tests, *limit)


def qa(data: Path, model: Path, out: Path, limit: list[object]) -> Path:
    """Train on SQuAD without paragraphs of XQuAD, and on English TyDiQA-GoldP; evaluate on XQuAD and MLQA."""
    made = out / "data"
    made.mkdir(parents=True, exist_ok=True)
    sets = data / "qa"
    contexts = {p["context"] for a in _articles(sets / "xquad/xquad.en.json") for p in a["paragraphs"]}
    kept = []
    for article in _articles(sets / "squad/dev-v1.1.reconstructed.json"):
        paragraphs = [p for p in article["paragraphs"] if p["context"] not in contexts]
        kept.append(article | {"paragraphs": paragraphs})
    train = made / "squad-without-xquad.json"
    train.write_text(json.dumps({"data": kept}), encoding="utf-8")
    tests = []
    for tag in ("en", "de", "es", "zh"):
        tests.append(f"{tag}={_question_half(sets / f'xquad/xquad.{tag}.json', made / f'xquad.{tag}.test.json')}")
        name = f"dev-context-{tag}-question-{tag}.json"
        tests.append(f"{tag}={_question_half(sets / 'mlqa' / name, made / f'mlqa.{tag}.test.json')}")
    # MLQA's own normalization is used throughout: for English it is SQuAD's but for punctuation.
    return finetune(out, model, "qa", [f"en={train}", f"en={sets}/tydiqa/tydiqa.goldp.en.train.json"], tests,
                    "--set", "task.normalise=mlqa", *limit)  # fmt: skip


def _articles(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["data"]
    return found


def _question_half(path: Path, out: Path) -> Path:
    articles = []
    for article in _articles(path):
        paragraphs = [
            {"context": p["context"], "qas": [q for q in p["qas"] if half(str(q["id"])) == "test"]}
            for p in article["paragraphs"]
        ]
        articles.append({"paragraphs": [p for p in paragraphs if p["qas"]]})
    out.write_text(json.dumps({"data": articles}, ensure_ascii=False), encoding="utf-8")
    return out


def ner(data: Path, model: Path, out: Path, limit: list[object]) -> Path:
    """Train on English PAN-X, evaluate on all languages."""
    made = out / "data"
    made.mkdir(parents=True, exist_ok=True)
    tests = []
    for tag in ("en", "de", "es", "fr", "zh", "hi"):
        sentences = (data / f"ner/panx/dev-{tag}.tsv").read_text(encoding="utf-8").strip("\n").split("\n\n")
        path = made / f"panx.{tag}.test.tsv"
        kept = [text for number, text in enumerate(sentences) if half(str(number)) == "test"]
        path.write_text("\n\n".join(kept) + "\n", encoding="utf-8")
        tests.append(f"{tag}={path}")
    train = [f"en={data}/ner/panx/train-en.tsv"]
    # As seqeval reads it: the silver labels of Chinese have I- without B-.
    return finetune(out, model, "ner", train, tests, "--set", "task.scheme=conll", *limit)


def _treebanks(data: Path, out: Path) -> list[str]:
    made = out / "data"
    made.mkdir(parents=True, exist_ok=True)
    tests = []
    for tag, name in TREEBANKS.items():
        path = made / f"pud.{tag}.test.conllu"
        text = (data / f"pos-parse/UD_{name}-PUD/{tag}_pud-ud-test.conllu").read_text(encoding="utf-8")
        kept = [block for block in text.strip("\n").split("\n\n") if half(_sent_id(block)) == "test"]
        path.write_text("\n\n".join(kept) + "\n\n", encoding="utf-8")
        tests.append(f"{tag}={path}")
    return tests


def _sent_id(block: str) -> str:
    return next(line.partition("=")[2].strip() for line in block.split("\n") if line.startswith("# sent_id"))


def pos(data: Path, model: Path, out: Path, limit: list[object]) -> Path:
    """Train on EWT, evaluate on PUD."""
    train = f"en={data}/pos-parse/UD_English-EWT/en_ewt-ud-train.conllu.gz"
    return finetune(out, model, "pos", [train], _treebanks(data, out), *limit)


def parsing(data: Path, model: Path, out: Path, limit: list[object]) -> Path:
    """Train on EWT, evaluate on PUD."""
    train = f"en={data}/pos-parse/UD_English-EWT/en_ewt-ud-train.conllu.gz"
    return finetune(out, model, "parsing", [train], _treebanks(data, out), *limit)


def retrieval(data: Path, model: Path, out: Path, limit: list[object]) -> Path:
    """Evaluate NTREX (test documents), Tatoeba's 1,000 pairs, and PUD's parallel treebanks."""
    made = out / "data"
    made.mkdir(parents=True, exist_ok=True)
    specs = []
    documents = _lines(data / "retrieval/ntrex/DOCUMENT_IDS.tsv")
    source = _lines(data / "retrieval/ntrex/newstest2019-src.eng.txt")
    for tag, code in NTREX.items():
        target = _lines(data / f"retrieval/ntrex/newstest2019-ref.{code}.txt")
        path = made / f"ntrex.en-{tag}.test.tsv"
        rows = zip(documents, source, target, strict=True)
        text = "".join(f"{a}\t{b}\n" for doc, a, b in rows if doc and half(doc) == "test")
        path.write_text(text, encoding="utf-8")
        specs.append(f"en-{tag}={path}")
    for tag, code in TATOEBA.items():
        stem = data / f"retrieval/tatoeba/tatoeba.{code}-eng"
        specs.append(f"en-{tag}={stem}.eng,{stem}.{code}")
    trees = dict(spec.split("=") for spec in _treebanks(data, out))
    specs += [f"en-{tag}={trees['en']},{trees[tag]}" for tag in TREEBANKS if tag != "en"]
    paralign("evaluate", "--model", model, "--task", "retrieval", *each("--data", specs), "--lenient", "--out",
             out / "retrieval", *limit)  # fmt: skip
    return out / "retrieval"


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").split("\n")


def lexicon(data: Path, model: Path, out: Path, limit: list[object]) -> Path:
    """Evaluate MUSE's test words with static vectors."""
    made = out / "data"
    made.mkdir(parents=True, exist_ok=True)
    specs = []
    for pair in ("en-de", "de-en", "en-hi", "hi-en"):
        lines = _lines(data / f"dictionaries/muse/{pair}.5000-6500.txt")
        path = made / f"muse.{pair}.test.txt"
        kept = [line for number, line in enumerate(lines) if line and half(str(number)) == "test"]
        path.write_text("\n".join(kept) + "\n", encoding="utf-8")
        specs.append(f"{pair}={path}")
    paralign("evaluate", "--model", model, "--task", "lexicon", *each("--data", specs), "--lenient", "--out",
             out / "lexicon", *limit)  # fmt: skip
    return out / "lexicon"


TASKS = {"pos": pos, "ner": ner, "parsing": parsing, "retrieval": retrieval, "lexicon": lexicon, "qa": qa, "nli": nli}


def main() -> None:
    """Run the tasks and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", nargs="+", choices=sorted(TASKS), default=list(TASKS))
    parser.add_argument("--limit", type=int)
    given = parser.parse_args()
    limit: list[object] = ["--limit", given.limit] if given.limit else []
    for name in given.only:
        TASKS[name](given.data, given.model, given.out, limit)
    runs = [given.out / name for name in TASKS if (given.out / name / "run.json").exists()]
    paralign("report", *runs, "--out", given.out / "report.html", "--title", "Every task on real text")


if __name__ == "__main__":
    main()
