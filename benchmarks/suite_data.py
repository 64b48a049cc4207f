"""Write the training subsets and test halves of benchmarks/suites/*.toml.

    python benchmarks/suite_data.py DATA OUT [--half dev|test] [--all]
    paralign suite benchmarks/suites/e5.toml --data OUT --model ... --out RUNS

DATA contains public data sets, named as in benchmarks/README.md (not part of the project). Training subsets are chosen
by a hash, the same for all systems. Test sets are halved by crc32(id) % 2, as in real_text.py: PUD by sentence id,
PAN-X by number, XNLI by premise, XQuAD and MLQA by the English paragraph of a question, so that a paragraph and its
translations are in one half; NTREX by document, MUSE by line. Paragraphs of XQuAD are removed from SQuAD before
training on it. SIB-200 has development and test sets of its own; Tatoeba and FreeDict are whole. With ``--all``,
nothing is left out of training sets and test halves.
"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from real_text import half

from paralign.formats.conllu import read_conllu, write_conllu

LANGUAGES = ("en", "de", "es", "fr", "hi", "zh")
PUD = {"en": "English", "de": "German", "es": "Spanish", "fr": "French", "hi": "Hindi"}
TOPICS = {"en": "eng_Latn", "de": "deu_Latn", "es": "spa_Latn", "fr": "fra_Latn", "hi": "hin_Deva", "zh": "zho_Hans"}
NTREX = {"ar": "arb", "bg": "bul", "de": "deu", "es": "spa", "fr": "fra", "hi": "hin", "zh": "zho-CN"}
TATOEBA = {"ar": "ara", "bg": "bul", "de": "deu", "es": "spa", "fr": "fra", "hi": "hin", "zh": "cmn"}
FREEDICT = {"es": "spa", "fr": "fra"}
QUESTIONS = ("en", "de", "es", "zh")
NLI_TRAIN, NLI_TEST = 20_000, 1_500
TREES, ENTITIES, ENTITIES_TEST, QUESTIONS_TRAIN = 6_000, 6_000, 2_000, 4_000


def chosen(names: Iterable[str], count: int | None) -> set[str]:
    """Return the names with the lowest hashes; all of them without a count."""
    return set(sorted(names, key=lambda name: (zlib.crc32(name.encode()), name))[:count])


def lines(path: Path) -> list[str]:
    """Return the lines of a file, plain or gzip."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as file:
        return file.read().rstrip("\n").split("\n")


def write(path: Path, texts: Iterable[str], end: str = "\n") -> None:
    """Write texts, each with an end."""
    path.write_text("".join(f"{text}{end}" for text in texts), encoding="utf-8")


def inference(data: Path, out: Path, which: str, every: bool) -> None:
    """20,000 pairs of LingNLI, counterfactual SNLI, and 1,500 items of one half of XNLI."""
    shutil.copyfile(data / "nli-train/cad/train.tsv", out / "cad.en.train.tsv")
    pairs = {f"{path.name} {number}": line for path in sorted((data / "nli-train/lingnli").glob("*.jsonl"))
             for number, line in enumerate(lines(path))}  # fmt: skip
    kept = chosen(pairs, None if every else NLI_TRAIN)
    write(out / "lingnli.en.train.jsonl", (line for name, line in pairs.items() if name in kept))
    for tag in LANGUAGES:
        items = enumerate(lines(data / f"xnli/test-{tag}.tsv"))
        rows = [row for number, row in items if half(str(number // 3)) == which]  # three items share a premise
        write(out / f"xnli.{tag}.{which}.tsv", rows[: None if every else NLI_TEST])


def trees(data: Path, out: Path, which: str, every: bool) -> None:
    """6,000 sentences of EWT, its development set for the development halves, and one half of PUD."""
    train = list(read_conllu(data / "pos-parse/UD_English-EWT/en_ewt-ud-train.conllu.gz", lenient=True))
    kept = chosen((tree.sent_id for tree in train), None if every else TREES)
    write_conllu((tree for tree in train if tree.sent_id in kept), out / "ewt.en.train.conllu")
    if which == "dev":
        shutil.copyfile(data / "pos-parse/UD_English-EWT/en_ewt-ud-dev.conllu", out / "ewt.en.dev.conllu")
    for tag, name in PUD.items():
        test = read_conllu(data / f"pos-parse/UD_{name}-PUD/{tag}_pud-ud-test.conllu")
        write_conllu((tree for tree in test if half(tree.sent_id) == which), out / f"pud.{tag}.{which}.conllu")


def entities(data: Path, out: Path, which: str, every: bool) -> None:
    """6,000 sentences of PAN-X, and up to 2,000 of one half of its development sets."""

    def sentences(path: Path) -> list[str]:
        return path.read_text(encoding="utf-8").strip("\n").split("\n\n")

    train = {str(number): text for number, text in enumerate(sentences(data / "ner/panx/train-en.tsv"))}
    kept = chosen(train, None if every else ENTITIES)
    write(out / "panx.en.train.tsv", (text for name, text in train.items() if name in kept), "\n\n")
    for tag in LANGUAGES:
        test = sentences(data / f"ner/panx/dev-{tag}.tsv")
        rows = [text for number, text in enumerate(test) if half(str(number)) == which]
        write(out / f"panx.{tag}.{which}.tsv", rows[: None if every else ENTITIES_TEST], "\n\n")


def topics(data: Path, out: Path, which: str, every: bool) -> None:
    """All training sentences of SIB-200, and its test or development set."""
    for tag, name in TOPICS.items():
        for part in ("train", which) if tag == "en" else (which,):
            shutil.copyfile(data / f"classification/sib200/{name}.{part}.tsv", out / f"sib200.{tag}.{part}.tsv")


def translations(data: Path, out: Path, which: str, every: bool) -> None:
    """One half of NTREX, and Tatoeba's 1,000 pairs."""
    ntrex, tatoeba = data / "retrieval/ntrex", data / "retrieval/tatoeba"
    documents, english = (lines(ntrex / name) for name in ("DOCUMENT_IDS.tsv", "newstest2019-src.eng.txt"))
    for tag, code in NTREX.items():
        rows = zip(documents, english, lines(ntrex / f"newstest2019-ref.{code}.txt"), strict=True)
        write(out / f"ntrex.en-{tag}.{which}.tsv", (f"{a}\t{b}" for name, a, b in rows if half(name) == which))
    for tag, code in TATOEBA.items():
        stem = f"tatoeba.{code}-eng"
        rows = zip(lines(tatoeba / f"{stem}.eng"), lines(tatoeba / f"{stem}.{code}"), strict=True)
        write(out / f"tatoeba.en-{tag}.tsv", (f"{a}\t{b}" for a, b in rows))


def words(data: Path, out: Path, which: str, every: bool) -> None:
    """One half of MUSE's test words, and FreeDict."""
    for pair in ("en-de", "de-en", "en-hi", "hi-en"):
        entries = enumerate(lines(data / f"dictionaries/muse/{pair}.5000-6500.txt"))
        write(out / f"muse.{pair}.{which}.txt", (text for number, text in entries if half(str(number)) == which))
    for tag, code in FREEDICT.items():
        for ending in ("index", "dict.dz"):
            path = data / f"dictionaries/freedict/freedict-eng-{code}.{ending}"
            shutil.copyfile(path, out / f"freedict.en-{tag}.{ending}")


def paragraphs(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the paragraphs of a file in SQuAD's format."""
    for article in json.loads(path.read_text(encoding="utf-8"))["data"]:
        yield from article["paragraphs"]


def questions(data: Path, out: Path, which: str, every: bool) -> None:
    """4,000 questions of SQuAD without paragraphs of XQuAD and of English TyDiQA, and halves of XQuAD and MLQA."""
    sets = data / "qa"
    names = {"xquad": "xquad/xquad.{0}.json", "mlqa": "mlqa/dev-context-{0}-question-{0}.json"}
    tested = {p["context"] for p in paragraphs(sets / names["xquad"].format("en"))}
    train = [p for p in paragraphs(sets / "squad/dev-v1.1.reconstructed.json") if p["context"] not in tested]
    train += paragraphs(sets / "tydiqa/tydiqa.goldp.en.train.json")
    # TyDiQA's ids are not unique.
    numbered = [(f"{p['context'][:80]} {q['question']}", p, q) for p in train for q in p["qas"]]
    kept = chosen((name for name, _, _ in numbered), None if every else QUESTIONS_TRAIN)
    rows = [{"paragraphs": [{"context": p["context"], "qas": [q]}]} for name, p, q in numbered if name in kept]
    save(out / "questions.en.train.json", rows)
    for name, pattern in names.items():
        english = {str(q["id"]): p["context"] for p in paragraphs(sets / pattern.format("en")) for q in p["qas"]}
        for tag in QUESTIONS:
            rows = []
            for p in paragraphs(sets / pattern.format(tag)):
                qas = [q for q in p["qas"] if half(english[str(q["id"])]) == which]
                rows += [{"paragraphs": [{"context": p["context"], "qas": qas}]}] if qas else []
            save(out / f"{name}.{tag}.{which}.json", rows)


def save(path: Path, articles: list[dict[str, Any]]) -> None:
    """Write articles in SQuAD's format."""
    path.write_text(json.dumps({"data": articles}, ensure_ascii=False), encoding="utf-8")


def main() -> None:
    """Read the arguments and write the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--half", choices=("dev", "test"), default="test")
    parser.add_argument("--all", action="store_true", help="whole training sets and test halves")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    for make in (inference, trees, entities, topics, translations, words, questions):
        make(given.data, given.out, given.half, given.all)


if __name__ == "__main__":
    main()
