"""First align, then predict, on paralign-mini and the encoders aligned from it: similarity, ablation, correlation.

    python benchmarks/layers.py DATA OUT [--stage STAGE] [--tasks TASK ...]

OUT is the folder of benchmarks/mini.py and benchmarks/alignlm.py after their comparisons, whose encoders, halves and
results are used; DATA is described in benchmarks/README.md. ``similarity``: CKA on NTREX in eight languages, of the
base, the control, PPA and AlignLM, and of the base before and after fine-tuning. ``ablation``: two neighboring layers
are reinitialized before fine-tuning on English; tagging with three seeds, parsing and entities with one.
``correlation``: of all these with the loss in transfer. Every command is printed. Finished fine-tuning runs are not
repeated.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from mini import NTREX, start
from real_text import each, paralign

TASKS = ("pos", "parsing", "ner")
EWT = "pos-parse/UD_English-EWT/en_ewt-ud-train.conllu.gz"
_PARTS = ("ntrex", "tuning", "correlation")
FINETUNE = ("training.epochs=2", "training.learning_rate=3e-4")


def encoders(out: Path) -> list[str | Path]:
    """Return the base, and the first seed of the control, PPA (all languages) and AlignLM (German only)."""
    patterns = ("align/control-*-2000-0/encoder", "align/ppa-*-2000-0/encoder", "words/de-alignlm-600-*-0/encoder")
    return [start(out), *(next(iter(sorted(out.glob(pattern)))) for pattern in patterns)]


def similarity(data: Path, out: Path) -> None:
    """Compare languages in each encoder, encoders in each language, and the base before and after fine-tuning."""
    place, ntrex = out / "layers", data / "retrieval/ntrex"
    texts = [f"en={ntrex}/newstest2019-src.eng.txt"]
    texts += [f"{tag}={ntrex}/newstest2019-ref.{code}.txt" for tag, code in NTREX.items()]
    paralign("analyze", "similarity", *each("--model", encoders(out)), *each("--text", texts), "--out", place / "ntrex")
    paralign(
        *("finetune", "--model", start(out), "--task", "pos", "--train", f"en={data / EWT}"),
        *("--eval", f"en={out}/halves/pud.en.dev.conllu", "--split", "dev", *each("--set", FINETUNE)),
        *("--lenient", "--out", place / "tuned", "--resume"),
    )
    models = [start(out), place / "tuned/seed-0/model"]
    paralign("analyze", "similarity", *each("--model", models), *each("--text", texts[:3]), "--out", place / "tuning")


def ablation(data: Path, out: Path, tasks: list[str]) -> None:
    """Run the layer ablation for tasks trained on English."""
    pud = [f"{tag}={out}/halves/pud.{tag}.test.conllu" for tag in ("en", "de", "es", "fr", "hi")]
    panx = [f"{tag}={data}/ner/panx/dev-{tag}.tsv" for tag in ("en", "de", "es", "fr", "hi", "zh")]
    for task in tasks:
        train, evals = (f"en={data}/ner/panx/train-en.tsv", panx) if task == "ner" else (f"en={data / EWT}", pud)
        paralign(
            *("analyze", "ablation", *each("--model", encoders(out)), "--task", task, "--train", train),
            *(*each("--eval", evals), "--seeds", 3 if task == "pos" else 1, *each("--set", FINETUNE), "--lenient"),
            *("--out", out / "layers/ablation", "--resume"),
        )


def correlation(out: Path) -> None:
    """Correlate transfer without reinitialized layers with similarity and retrieval of the same encoders."""
    place = out / "layers/retrieval"
    halves = [f"en-{tag}={out}/halves/ntrex.en-{tag}.test.tsv" for tag in NTREX]
    for number, model in enumerate(encoders(out)):
        paralign(
            *("evaluate", "--model", model, "--task", "retrieval", "--split", "test", *each("--data", halves)),
            *("--out", place / str(number)),
        )
    runs = [*sorted(out.glob("layers/ablation/*/*/*/whole")), place, out / "layers/ntrex"]
    shutil.rmtree(out / "layers/correlation", ignore_errors=True)  # of fewer runs
    paralign("analyze", "correlation", *runs, "--out", out / "layers/correlation")
    parts = [*sorted(out.glob("layers/ablation/ablation-*")), *(out / "layers" / name for name in _PARTS)]
    paralign("report", *parts, "--out", out / "layers/report.html", "--title", "Layers of paralign-mini")


def main() -> None:
    """Read the arguments and run the stages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--stage", choices=("similarity", "ablation", "correlation", "all"), default="all")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    given = parser.parse_args()
    (given.out / "layers").mkdir(exist_ok=True)
    if given.stage in ("similarity", "all"):
        similarity(given.data, given.out)
    if given.stage in ("ablation", "all"):
        ablation(given.data, given.out, given.tasks)
    if given.stage in ("correlation", "all"):
        correlation(given.out)


if __name__ == "__main__":
    main()
