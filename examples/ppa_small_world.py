"""PPA on the small world, from scratch: pretrain, align, fine-tune, evaluate retrieval, report.

    python examples/ppa_small_world.py runs/example

Training is short; ``paralign demo`` trains longer.
"""

from __future__ import annotations

import sys
from pathlib import Path

import paralign

LANGUAGES = ("en", "de", "zh")


def world(start: int, count: int) -> str:
    """Return a range of sentences of the small world."""
    return f"smallworld:{start}-{start + count}"


def main(out: Path, *, arch: str = "bert:2x128", sentences: int = 2000, epochs: float = 4, rate: float = 1e-3) -> Path:
    """Run everything; return the report. ``sentences`` is the size of each corpus; test sets are a tenth."""
    quick = [f"training.epochs={epochs}", f"training.learning_rate={rate}", "training.batch=32"]
    texts = [f"{tag}={world(k * sentences, sentences)}" for k, tag in enumerate(LANGUAGES)]
    base = paralign.pretrain(
        out=out / "base", text=texts, arch=arch, vocab=2000, overrides=quick
    )  # different meanings in each language: the text has no translations

    others = [tag for tag in LANGUAGES if tag != "en"]
    pairs = [f"en-{tag}={world(1_000_000, sentences)}" for tag in others]
    moco = ["moco.queue=512", "moco.momentum=0.99"]
    ppa = paralign.align(str(base), out=out / "ppa", pairs=pairs, recipe="ppa-mini", overrides=quick + moco)
    control = paralign.align(str(base), out=out / "mlm", pairs=pairs, recipe="mlm-mini", overrides=quick)

    train = f"en={world(2_000_000, sentences)}"
    treebanks = [f"{tag}={world(3_000_000, sentences // 10)}" for tag in LANGUAGES]
    parallel = [f"en-{tag}={world(3_000_000, sentences // 10)}" for tag in others]
    for name, encoder in {"base": base, "ppa": ppa, "mlm": control}.items():
        paralign.finetune(
            str(encoder), task="pos", train=train, eval=treebanks, out=out / f"pos-{name}", overrides=quick
        )
        paralign.evaluate(str(encoder), task="retrieval", data=parallel, out=out / f"retrieval-{name}")

    runs = [path for path in sorted(out.iterdir()) if path.is_dir()]
    return paralign.write_report(runs, out / "report.html", title="PPA on the small world").html


if __name__ == "__main__":
    print(main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/example")))
