"""Dependency parsing on the small world: trained on English trees, evaluated on German, predictions as CoNLL-U.

    python examples/parsing.py runs/parsing

The encoder is pretrained on text of both languages without pairs; ``examples/ppa_small_world.py`` shows alignment.
"""

from __future__ import annotations

import sys
from pathlib import Path

import paralign

LANGUAGES = ("en", "de")


def main(out: Path, *, arch: str = "bert:2x128", sentences: int = 2000, epochs: float = 4) -> Path:
    """Run everything; return the German trees. ``sentences`` is the size of each corpus; test sets are a tenth."""
    quick = [f"training.epochs={epochs}", "training.learning_rate=1e-3", "training.batch=32"]
    texts = [f"{tag}=smallworld:{k * sentences}-{(k + 1) * sentences}" for k, tag in enumerate(LANGUAGES)]
    base = paralign.pretrain(out=out / "base", text=texts, arch=arch, vocab=2000, overrides=quick)

    trees = {tag: f"{tag}=smallworld:3000000-{3000000 + sentences // 10}" for tag in LANGUAGES}
    paralign.finetune(
        str(base),
        task="parsing",
        train=f"en=smallworld:2000000-{2000000 + sentences}",
        eval=list(trees.values()),  # LAS and UAS as the CoNLL 2018 scorer counts them
        out=out / "parser",
        overrides=quick,
    )
    (predictions,) = paralign.predict(str(out / "parser" / "seed-0" / "model"), data=trees["de"], out=out / "de.conllu")
    return predictions


if __name__ == "__main__":
    print(main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/parsing")))
