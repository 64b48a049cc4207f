"""AlignLM on the small world, from scratch, compared with TLM, L2, contrastive word alignment and a control.

    python benchmarks/alignlm_world.py OUT [--seeds 3]

All methods see the same number of pairs. The ranges of meanings do not overlap, and the base never sees both sides of a
meaning. Links are made by each run (hmm). Every command is printed. Finished runs are not repeated, interrupted ones
are resumed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from alignlm import METHODS
from real_text import each, paralign

LANGUAGES = ("en", "de", "hi")
MONO, PAIRS, TRAIN, TEST = 8_000, 4_000, 2_000, 500
RATE = "training.learning_rate=1e-3"


def world(start: int, count: int) -> str:
    """Return the spec of a range of meanings."""
    return f"smallworld:{start}-{start + count}"


def main() -> None:
    """Pretrain, align, evaluate and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    out: Path = given.out
    others = [language for language in LANGUAGES if language != "en"]
    text = [f"{language}={world(k * MONO, MONO)}" for k, language in enumerate(LANGUAGES)]
    paralign(
        *("pretrain", "--arch", "bert:2x128", "--vocab", 3_000, *each("--text", text)),
        *each("--set", ["training.epochs=4", RATE]),
        *("--out", out / "base", "--resume"),
    )
    pairs = [f"en-{language}={world(1_000_000 + k * PAIRS, PAIRS)}" for k, language in enumerate(others)]
    encoders = {"base": out / "base/encoder"}
    for seed in range(given.seeds):
        for method, (recipe, *sets) in METHODS.items():
            run = out / f"{method}-{seed}"
            paralign(
                *(
                    "align",
                    "--model",
                    out / "base/encoder",
                    *each("--pairs", pairs),
                    "--recipe",
                    recipe,
                    "--seed",
                    seed,
                ),
                *each("--set", [*sets, "training.epochs=4", RATE]),
                *("--out", run, "--resume"),
            )
            encoders[f"{method}-{seed}"] = run / "encoder"
    tests = [f"{language}={world(3_000_000, TEST)}" for language in LANGUAGES]
    parallel = [f"en-{language}={world(3_000_000, TEST)}" for language in others]
    for name, encoder in encoders.items():
        paralign(
            *("finetune", "--model", encoder, "--task", "pos", "--train", f"en={world(2_000_000, TRAIN)}"),
            *each("--eval", tests),
            *each("--set", ["training.epochs=3", RATE]),
            *("--no-keep-models", "--out", out / f"pos-{name}", "--resume"),
        )
        for task in ("retrieval", "alignment"):
            place = out / f"{task}-{name}"
            paralign("evaluate", "--model", encoder, "--task", task, *each("--data", parallel), "--out", place)
    runs = [out / name for name in encoders] + [
        out / f"{t}-{n}" for n in encoders for t in ("pos", "retrieval", "alignment")
    ]
    paralign("report", *runs, "--out", out / "report.html", "--title", "AlignLM, on the small world")


if __name__ == "__main__":
    main()
