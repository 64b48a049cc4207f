"""paralign-mini from the raw files: split, pretrain, ship, then align it and measure. paralign's own commands only.

    python benchmarks/mini.py DATA OUT [--stage prepare|base|...] [--half dev|test]

DATA holds the public sets under the names of docs/results.md (not part of the project). Every command is printed;
finished runs are not repeated, interrupted ones go on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from real_text import each, paralign

LANGUAGES = ("ar", "bg", "de", "es", "fr", "hi", "zh")
# Half the pairs give plain text; of these one in three gives English, which is plentiful.
KEY_SHARE = 0.33


def tests(data: Path) -> list[Path]:
    """Every file with sentences that must not be trained on."""
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
    return sorted(path for pattern in patterns for path in data.glob(pattern))


def corpora(data: Path) -> tuple[list[str], list[str]]:
    """Pairs and plain text that may be shipped in weights."""
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
    """Split the text; no sentence of a test set, no pair with both its sides."""
    pairs, text = corpora(data)
    if not (out / "split").is_dir():
        paralign(
            *("corpus", "split", "--lenient", "--key-share", KEY_SHARE),
            *each("--pairs", pairs),
            *each("--text", text),
            *each("--exclude", tests(data)),
            *("--out", out / "split"),
        )


def base(out: Path) -> None:
    """Pretrain from scratch; interrupted it goes on, to the same bytes."""
    tags = ("en", *LANGUAGES)
    text, heldout = ([f"{tag}={out}/split/{kind}/{tag}.txt.gz" for tag in tags] for kind in ("mono", "heldout"))
    paralign(
        *("pretrain", "--recipe", "pretrain-mini", "--arch", "bert:4x256", "--vocab", 16_000, "--max-length", 128),
        *each("--text", text),
        *each("--heldout", heldout),
        *("--out", out / "base", "--resume"),
    )


def main() -> None:
    """Read the arguments and run the stages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--stage", choices=("prepare", "base", "all"), default="all")
    given = parser.parse_args()
    if given.stage in ("prepare", "all"):
        prepare(given.data, given.out)
    if given.stage in ("base", "all"):
        base(given.out)


if __name__ == "__main__":
    main()
