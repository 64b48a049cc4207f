"""The model card of paralign-mini; all figures are read from the files of its runs."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from paralign.results import read_results

SOURCES = (
    ("Tatoeba", "CC BY 2.0 FR", "https://tatoeba.org"),
    ("LibreOffice user interface and help", "MPL-2.0", "https://www.libreoffice.org"),
    ("Python documentation, English and Chinese", "PSF-2.0; translations CC0", "https://docs.python.org"),
    ("Common Voice sentence collections", "CC0", "https://commonvoice.mozilla.org"),
    ("Universal Declaration of Human Rights (Hindi)", "public domain", "https://unicode.org/udhr"),
)  # fmt: skip


def card(out: Path) -> str:
    """Return the card as Markdown with front matter for a model hub."""
    facts = json.loads((out / "base/run.json").read_text(encoding="utf-8"))
    leaks = json.loads((out / "leaks.json").read_text(encoding="utf-8"))
    entries = [json.loads(line) for line in (out / "base/log.jsonl").read_text(encoding="utf-8").splitlines()]
    heldout = [entry["losses"] for entry in entries if entry.get("event") == "heldout"][-1]
    sources = "\n".join(f"| [{name}]({link}) | {license} |" for name, license, link in SOURCES)
    tested = sum(test["sentences"] for test in leaks["tests"])
    rows = "\n".join(
        f"| {tag} | {row['sentences']:,} | {row['pieces']:,} | {100 * row['drawn']:.1f} % | {row['pieces_per_word']:.2f} "
        f"| {100 * row['unknown']:.2f} % | {heldout[tag]:.2f} |"
        for tag, row in facts["languages"].items()
    )
    tags = "\n".join(f"- {tag}" for tag in facts["languages"])
    return f"""---
license: apache-2.0
library_name: transformers
pipeline_tag: fill-mask
language:
{tags}
tags:
- multilingual
- cross-lingual-alignment
- paralign
---

# paralign-mini

A small masked-LM encoder of eight languages, trained from scratch on freely licensed text and **not aligned**: its
training text contains no pair of translations. It is meant for aligning, comparing and analyzing on a laptop, and comes with
[paralign](https://pypi.org/project/paralign/) as `--model paralign-mini`.

| | |
|---|---|
| shape | BERT, 4 layers, width 256, 4 heads, 128 positions, {facts["parameters"]:,} parameters, stored as fp16 |
| tokenizer | WordPiece, cased, accents kept, 16,000 pieces, trained on the text below with languages at temperature 2 |
| training | masked LM, {facts["steps"]:,} steps, {facts["tokens_seen"]:,} pieces seen, {facts["seconds"] / 3600:.1f} hours on two CPU cores |
| weights | `{facts["model_hash"]}` (paralign's digest); SHA-256 of the file `{sha256(out / "base/encoder/model.safetensors")}` |

## Data

| text | license |
|---|---|
{sources}

Half of the pairs of each bilingual corpus were selected by a hash of the English sentence. The training text contains one side
of each of these pairs, and no pair with both sides; the other half was not used. The pairs of `paralign demo` (Tatoeba, CC BY 2.0 FR) are
from that other half. Sentences of test sets (NTREX-128, the Tatoeba
retrieval test, UD test and development sets, XNLI, XQuAD, MLQA, TyDiQA and SQuAD development sets, PAN-X, gold sets of word
alignment, Leipzig news) were removed first. A search with other readers afterwards found {leaks["found"]} of {tested:,} test sentences in the
text, and {leaks["found_inside"]} of all sentences (including those for alignment) inside a paragraph of a question answering set. One percent of
each language was held out.

| language | sentences | pieces | sampled as | pieces per word | unknown | held-out loss |
|---|---:|---:|---:|---:|---:|---:|
{rows}

## Scores

{scores(out)}

## Limits

The training text consists of everyday sentences, user interfaces and documentation. There was little text in Arabic, Bulgarian and
especially Hindi, whose low held-out loss is that of interface strings. The encoder has little world knowledge and 128 positions, and
no objective trained its [CLS] vector. Zero-shot transfer is weak: a tagger trained on English labels most German nouns as proper
nouns because they are capitalized. It is a base for experiments with alignment, not an encoder for products.

## Use

```python
from transformers import AutoModelForMaskedLM, AutoTokenizer

model = AutoModelForMaskedLM.from_pretrained("paralign-mini")
tokenizer = AutoTokenizer.from_pretrained("paralign-mini")
```

Replace `paralign-mini` by the path of this folder. The files were created by `python benchmarks/mini.py DATA OUT`, which is
reproducible to the byte on one type of machine with the same number of threads.
"""


def sha256(path: Path) -> str:
    """Return the digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def scores(out: Path) -> str:
    """Return zero-shot tagging and retrieval of the encoder before alignment."""
    which = "test" if (out / "test/pos-base/results.jsonl").exists() else "dev"
    lines = []
    tagged = {r.language: r.value for r in read_results(out / f"{which}/pos-base/results.jsonl")}
    lines.append(
        f"Tagging (UPOS), fine-tuned on English EWT, evaluated on the {which} half of PUD: "
        + ", ".join(f"{tag} {100 * value:.1f}" for tag, value in tagged.items())
        + "."
    )
    accuracies: dict[str, list[Any]] = {}
    for r in read_results(out / f"{which}/ntrex-base/results.jsonl"):
        if r.metric == "accuracy_cosine" and r.where.pool == "mean":
            accuracies.setdefault(r.language, []).append(r.value)
    lines.append(
        f"Retrieval of translations on the {which} half of NTREX, mean pooling, cosine, both directions: "
        + ", ".join(f"{tag} {100 * sum(values) / len(values):.1f}" for tag, values in accuracies.items())
        + "."
    )
    return "\n\n".join(lines)
