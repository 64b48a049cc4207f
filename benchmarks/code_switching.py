"""Translate-train with and without code-switching on the small world, compared with zero-shot, over seeds.

    python benchmarks/code_switching.py OUT [--seeds 3] [--tasks nli qa] [--languages de hi]

An encoder is pretrained on small-world text of all its languages, with different meanings in each (bert:2x128, as in
the demo). Then for each task and language, with the same number of English originals and steps:

* zero-shot: trained on English,
* translate-train: trained on the translations,
* code-switched: trained on twins, with the question or premise in one language and the rest in the other, both in one
  batch, without the originals (Pan et al. 2021, section 2.4), with as many rows per step as the others.

Everything is evaluated on the language and on English. Finished runs are not repeated.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import paralign
from paralign.metrics import compare_over_seeds, is_significant, mean_sd, paired_bootstrap
from paralign.results import read_items, read_results
from paralign.smallworld import LANGUAGES, World

TRAIN, TEST = "smallworld:2000000-2008000", "smallworld:3000000-3001000"
MONO = 8_000
WAYS = ("zero-shot", "translate-train", "code-switched")
RATE = {"learning_rate": 1e-3}


def base(out: Path) -> str:
    """Pretrain an encoder of all languages."""
    text = out / "text"
    text.mkdir(parents=True, exist_ok=True)
    world, specs = World(0), []
    for place, language in enumerate(LANGUAGES):
        path = text / f"{language}.txt"
        if not path.exists():
            span = range(place * MONO, (place + 1) * MONO)
            path.write_text("".join(world.sentence(i, language).text + "\n" for i in span), encoding="utf-8")
        specs.append(f"{language}={path}")
    settings = {"training": {"epochs": 6, "batch": 64, **RATE}}
    made = paralign.pretrain(
        out=out / "base", text=specs, arch="bert:2x128", vocab=3_000, settings=settings, resume=True
    )
    return str(made)


def compare(task: str, languages: list[str], out: Path) -> None:
    """Print means over seeds, and compare code-switched with plain translate-train, over items and seeds."""
    for language in languages:
        items, scores = {}, {}
        for way in WAYS:
            run = out / f"{task}-{language}-{way}"
            for tested in ("en", language):
                rows = [r for r in read_results(run / "results.jsonl") if r.language == tested]
                metric = rows[0].metric  # the main one
                rows = [row for row in rows if row.metric == metric]
                mean, sd = mean_sd([row.value for row in rows])
                scores[way, tested] = {row.seeds.finetune: row.value for row in rows}
                items[way, tested] = [table for row in rows if (table := read_items(run, row)) is not None]
                spread = "" if sd is None else f" ± {100 * sd:.1f}"
                seeds = f"{len(rows)} seeds"
                print(f"{task} {language} {way}, tested on {tested}: {metric} {100 * mean:.1f}{spread} ({seeds})")
        for tested in ("en", language):
            compared = ("code-switched", tested), ("translate-train", tested)
            over_items = paired_bootstrap(*(items[key] for key in compared))
            found = compare_over_seeds(over_items, *(scores[key] for key in compared))
            print(
                f"{task} {language}, tested on {tested}: code-switched - translate-train {100 * found.difference:+.1f}"
                f"{'*' * is_significant(found)} [{100 * found.low:+.1f}, {100 * found.high:+.1f}]"
            )


def main() -> None:
    """Pretrain, fine-tune in every setting, and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--tasks", nargs="+", default=["nli", "qa"])
    parser.add_argument("--languages", nargs="+", default=["de", "hi"])
    parser.add_argument("--epochs", type=float, default=4)
    given = parser.parse_args()
    encoder = base(given.out)
    for task in given.tasks:
        runs = []
        for language in given.languages:
            ways = {
                "zero-shot": ([f"en={TRAIN}"], False),
                "translate-train": ([f"{language}={TRAIN}"], False),
                "code-switched": ([f"en={TRAIN}", f"{language}={TRAIN}"], True),
            }
            for way, (train, code_switch) in ways.items():
                run = given.out / f"{task}-{language}-{way}"
                # A code-switched epoch has two rows an item.
                epochs = given.epochs / (2 if code_switch else 1)
                paralign.finetune(
                    encoder,
                    task=task,
                    train=train,
                    eval=[f"en={TEST}", f"{language}={TEST}"],
                    code_switch=code_switch,
                    seeds=given.seeds,
                    settings={"training": {"epochs": epochs, "batch": 32, **RATE}},
                    system=way,
                    keep_models=False,
                    out=run,
                    resume=True,
                )
                runs.append(run)
        compare(task, given.languages, given.out)
        paralign.write_report(runs, given.out / f"{task}.html", title=f"Code-switching, {task}")


if __name__ == "__main__":
    main()
