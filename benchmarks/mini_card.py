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
    looks = [json.loads(line) for line in (out / "base/log.jsonl").read_text(encoding="utf-8").splitlines()]
    heldout = [look["losses"] for look in looks if look.get("event") == "heldout"][-1]
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

A small masked-LM encoder of eight languages, trained from scratch on freely licensed text and **not aligned**: it has seen no
sentence beside its translation. It is meant to be aligned, compared and taken apart on a laptop, and comes with
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

From each bilingual corpus half the pairs, chosen by a hash of the English sentence, gave one side each to the training text, and no
pair gave both; the other half was not read. Any sentence found in a test set (NTREX-128, Tatoeba's retrieval test, UD test
and development sets, XNLI, XQuAD, MLQA, TyDiQA and SQuAD development sets, PAN-X, word alignment gold sets, Leipzig news) was
removed first; looked for again afterwards through other readers, {leaks["found"]} of {tested:,} were there, and {leaks["found_inside"]} of
all sentences given (alignment's included) stood inside a paragraph of a question-answering set. One per cent of each language was
held out.

| language | sentences | pieces | drawn as | pieces a word | unknown | held-out loss |
|---|---:|---:|---:|---:|---:|---:|
{rows}

## Scores

{scores(out)}

## Limits

Everyday sentences, user interfaces and documentation are all it has read. Arabic, Bulgarian and above all Hindi had little text (Hindi's
low held-out loss is that of interface strings). It knows next to nothing of the world, has 128 positions, and its [CLS] was trained by
nothing but attention. Zero-shot it is weak: a tagger trained on English calls most German nouns names, for their capitals. It is a
base for experiments with alignment, not an encoder for products.

## Use

```python
from transformers import AutoModelForMaskedLM, AutoTokenizer

model = AutoModelForMaskedLM.from_pretrained("paralign-mini")
tokenizer = AutoTokenizer.from_pretrained("paralign-mini")
```

with the path of this folder. Made by `python benchmarks/mini.py DATA OUT` of paralign, to the byte for one machine type and
number of threads.
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
        "Tagging (UPOS), fine-tuned on English EWT, tested on PUD's "
        f"{which} half: " + ", ".join(f"{tag} {100 * value:.1f}" for tag, value in tagged.items()) + "."
    )
    found: dict[str, list[Any]] = {}
    for r in read_results(out / f"{which}/ntrex-base/results.jsonl"):
        if r.metric == "accuracy_cosine" and r.where.pool == "mean":
            found.setdefault(r.language, []).append(r.value)
    lines.append(
        f"Retrieval of translations on NTREX's {which} half, mean pooling, cosine, both directions: "
        + ", ".join(f"{tag} {100 * sum(values) / len(values):.1f}" for tag, values in found.items())
        + "."
    )
    return "\n\n".join(lines)
