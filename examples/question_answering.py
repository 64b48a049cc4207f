"""Zero-shot question answering: answer questions in languages the head was not trained on, and write the answers.

    python examples/question_answering.py ENCODER OUT --train en=train-v1.1.json --eval es=xquad.es.json

Files are JSON as in SQuAD, given as ``LANG=PATH``, or as ``CONTEXT-QUESTION=PATH`` if questions are in another language
than their paragraphs (``de-en=dev-context-de-question-en.json``); ``LANG=smallworld:START-STOP`` is generated.
``--set task.normalize=mlqa`` computes the scores of MLQA.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import paralign


def main(encoder: str, out: Path, train: str, tests: Sequence[str], overrides: Sequence[str] = ()) -> list[Path]:
    """Fine-tune, evaluate every test set, and write answers for the official scorers, with n-best lists."""
    rows = paralign.finetune(encoder, task="qa", train=train, eval=tests, out=out / "run", overrides=overrides)
    for row in rows:
        baseline = row.settings["baselines"]["sentence"]
        print(f"{row.language} {row.metric} {100 * row.value:.1f} (most similar sentence: {100 * baseline:.1f})")
    model = str(out / "run" / "seed-0" / "model")
    written: list[Path] = []
    for number, test in enumerate(tests):
        written += paralign.predict(model, data=test, out=out / f"predictions-{number}.json")
    return written


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("encoder", help="folder of an encoder")
    parser.add_argument("out", type=Path, help="folder of the results")
    parser.add_argument("--train", required=True, help="LANG=PATH")
    parser.add_argument("--eval", required=True, nargs="+", help="LANG=PATH ...")
    parser.add_argument("--set", action="append", default=[], help="task.key=value or training.key=value")
    given = parser.parse_args()
    print(*main(given.encoder, given.out, given.train, given.eval, given.set), sep="\n")
