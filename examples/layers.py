"""Similarity of languages and ablation of layers, before and after alignment, on the small world.

    python examples/layers.py runs/layers

A masked LM is trained from scratch and aligned with PPA. Then the CKA of translations is measured in every layer, each
layer is reinitialized before fine-tuning a tagger, and a report is written. Takes about five minutes on two cores.
"""

from __future__ import annotations

import sys
from pathlib import Path

import paralign

TEXT = [f"{tag}=smallworld:{start}-{start + 8000}" for tag, start in (("en", 0), ("de", 8000), ("hi", 16000))]
PAIRS = ["en-de=smallworld:1000000-1004000", "en-hi=smallworld:1004000-1008000"]
RATE = "training.learning_rate=1e-3"


def main(out: Path, *, arch: str = "bert:4x128", epochs: float = 4, sentences: int = 2_000) -> Path:
    """Run everything in the folder ``out``; a second call continues an interrupted one."""
    base = paralign.pretrain(out=out / "base", text=TEXT, arch=arch, vocab=3000, resume=True,
                             overrides=[f"training.epochs={epochs}", RATE])  # fmt: skip
    aligned = paralign.align(str(base), out=out / "ppa", pairs=PAIRS, recipe="ppa-mini", resume=True,
                             overrides=[f"training.epochs={epochs}", "moco.queue=1024", RATE])  # fmt: skip
    models = [str(base), str(aligned)]
    test = [f"{tag}=smallworld:3000000-3000300" for tag in ("en", "de", "hi")]
    train = [f"en=smallworld:2000000-{2000000 + sentences}"]
    paralign.analyze_similarity(models, out=out / "similarity", text=test)
    paralign.analyze_ablation(models, task="pos", train=train, eval=test, width=1, seeds=2, resume=True,
                              out=out / "ablation", overrides=["training.epochs=2", RATE])  # fmt: skip
    parts = [out / "ablation" / "ablation-pos", out / "similarity", out / "base", out / "ppa"]
    return paralign.write_report(parts, out / "report.html", title="Layers of a small encoder").html


if __name__ == "__main__":
    print(main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/layers")))
