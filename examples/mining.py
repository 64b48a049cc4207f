"""Bitext mining as in BUCC: tune the threshold on one pair of corpora, extract pairs from another.

    python examples/mining.py runs/base/encoder runs/mining

The corpora are generated from the small world: a third of each side has a translation on the other side.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import paralign
from paralign.encoder import Encoder
from paralign.smallworld import World
from paralign.tasks.mining import Mining


def write(prefix: Path, start: int, count: int) -> str:
    """Write ``prefix.de``, ``prefix.en`` and ``prefix.gold`` with ``count`` sentences per side."""
    world, shared = World(0), count // 3
    sides = {"de": range(start, start + count), "en": range(start + count - shared, start + 2 * count - shared)}
    for tag, numbers in sides.items():
        lines = [f"{tag}-{n}\t{world.sentence(n, tag).text}\n" for n in numbers]
        Path(f"{prefix}.{tag}").write_text("".join(lines), encoding="utf-8")
    both = sorted(set(sides["de"]) & set(sides["en"]))
    Path(f"{prefix}.gold").write_text("".join(f"de-{n}\ten-{n}\n" for n in both), encoding="utf-8")
    return f"de-en={prefix}"


def main(model: str, out: Path, *, sentences: int = 600) -> dict[str, float]:
    """Write both sets, tune, extract; return F1, precision and recall on the second set."""
    out.mkdir(parents=True, exist_ok=True)
    train, test = write(out / "train", 0, sentences), write(out / "test", 10 * sentences, sentences)
    task = Mining()
    development = task.read(train, lenient=False, dropped=Counter(), limit=None)
    threshold = task.best_threshold(Encoder.from_pretrained(model), development)
    rows = paralign.evaluate(
        model, task="mining", data=[test], out=out / "run", overrides=[f"task.threshold={threshold}"]
    )
    return {row.metric: row.value for row in rows}


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
