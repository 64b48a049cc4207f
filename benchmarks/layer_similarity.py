"""Similarity of all layers: `analyze similarity` compared with a naive loop over single sentences.

    python benchmarks/layer_similarity.py --model paralign-mini --text en=a.en --text de=a.de [--slow 200]

Both compute debiased linear CKA and the mean cosine of every layer. The naive loop runs the model on one sentence at a
time and keeps n x n kernels in float64; with ``--slow N`` it processes the first N sentences, and the times per
sentence are compared. The values of both on these N sentences must be equal.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from machine import finish, table

from paralign.commands.analyze_similarity import analyze_similarity
from paralign.encoder import Encoder
from paralign.metrics.cka import kernel_cka
from paralign.sources.readers import read_text
from paralign.sources.specs import parse_text

Floats = npt.NDArray[np.float64]


@torch.no_grad()
def one_by_one(encoder: Encoder, texts: list[str]) -> Floats:
    """Return means without special tokens [layers + 1, n, d]; each sentence is encoded alone."""
    rows = []
    for text in texts:
        ids = encoder.tokenizer(text, return_tensors="pt", truncation=True, max_length=encoder.max_pieces)
        states = encoder.model.base_model(**ids, output_hidden_states=True).hidden_states
        rows.append(np.stack([layer[0, 1:-1].mean(0).numpy() for layer in states]))
    return np.stack(rows, 1).astype(np.float64)


def measured(model: str, specs: list[str], limit: int | None) -> tuple[dict[tuple[str, int, str], float], float]:
    """Return CKA and cosine by language and layer, and the seconds."""
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        rows = analyze_similarity([model], text=specs, out=Path(folder) / "run", limit=limit, quiet=True)
        seconds = time.perf_counter() - begin
    return {(row.language, int(row.where.layer or 0), row.metric): row.value for row in rows}, seconds


def main(arguments: Sequence[str] | None = None) -> None:
    """Run both and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="paralign-mini")
    parser.add_argument("--text", action="append", help="line-aligned text as LANG=PATH; the first is the pivot")
    parser.add_argument("--slow", type=int, default=200, help="number of sentences for the naive loop")
    parser.add_argument("--limit", type=int, default=None)
    args = parser.parse_args(arguments)
    specs = args.text or [f"{tag}=smallworld:0-400" for tag in ("en", "de", "zh")]
    languages = [parse_text(spec).language for spec in specs]
    encoder = Encoder.from_pretrained(args.model).eval()
    texts = [[text for _, text in read_text(parse_text(spec))][: args.slow] for spec in specs]
    one_by_one(encoder, texts[0][:3])
    begin = time.perf_counter()
    states = [one_by_one(encoder, some) for some in texts]
    kernels = [[rows @ rows.T for rows in some] for some in states]
    found = {}
    for k, language in enumerate(languages[1:], 1):
        for layer in range(encoder.layers + 1):
            found[language, layer, "cka"] = kernel_cka(kernels[0][layer], kernels[k][layer], debiased=True)
            a, b = states[0][layer], states[k][layer]
            cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
            found[language, layer, "cosine"] = float(cosine.mean())
    slow = time.perf_counter() - begin
    same, _ = measured(args.model, specs, args.slow)
    apart = max(abs(same[key] - value) for key, value in found.items())
    _, seconds = measured(args.model, specs, args.limit)
    count = sum(1 for _ in read_text(parse_text(specs[0])))
    count = count if args.limit is None else min(count, args.limit)
    each, obvious = count * len(specs) / seconds, len(texts[0]) * len(specs) / slow
    rows = [
        ["analyze similarity, with intervals and retrieval", f"{count:,}", f"{seconds:.1f}", f"{each:,.0f}"],
        ["one sentence at a time", f"{len(texts[0]):,}", f"{slow:.1f}", f"{obvious:,.0f}"],
    ]  # fmt: skip
    print(table(["way", "sentences", "s", "sentences per second"], rows))
    print(f"ratio {each / obvious:.1f}; largest difference of a value {apart:.1e}")
    result = {"languages": languages, "sentences": count, "seconds": seconds, "obvious_sentences": len(texts[0]),
              "obvious_seconds": slow, "ratio": each / obvious, "apart": apart}  # fmt: skip
    finish("layer_similarity", result, torch_too=True)


if __name__ == "__main__":
    main()
