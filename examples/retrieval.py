"""Sentence retrieval by layer: in which layer are translations nearest to each other?

python examples/retrieval.py runs/base/encoder runs/layers en-de=newstest.en,newstest.de
"""

from __future__ import annotations

import sys
from pathlib import Path

import paralign
from paralign.encoder import Encoder


def main(model: str, out: Path, pairs: str = "en-de=smallworld:3000000-3000500") -> dict[int, float]:
    """Evaluate every layer; return the mean accuracy of both directions by layer (cosine of mean-pooled vectors)."""
    accuracies = {}
    for layer in range(Encoder.from_pretrained(model).layers + 1):
        rows = paralign.evaluate(model, task="retrieval", data=[pairs], out=out, layer=layer, quiet=True)
        values = [row.value for row in rows if (row.where.pool, row.metric) == ("mean", "accuracy_cosine")]
        accuracies[layer] = sum(values) / len(values)
    return accuracies


if __name__ == "__main__":
    for layer, accuracy in main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:4]).items():
        print(f"layer {layer}: {accuracy:.1%}")
