"""Write docs/results/objectives-by-layer.md from the rows of benchmarks/layers_objectives.py.

python benchmarks/layers_page.py
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from layers_objectives import BATCH, LANGUAGES, METHODS, RESULTS, STEPS

PAGE = Path(__file__).parents[1] / "docs/results/objectives-by-layer.md"
SOURCE = "en"
Row = Mapping[str, Any]

HEAD = f"""# What each objective does at which layer

```bash
python benchmarks/layers_objectives.py DATA OUT --base BASE
python benchmarks/layers_page.py
```

From one encoder, each objective is trained for {STEPS} steps of {BATCH} pairs (en with {", ".join(LANGUAGES)}) at two
thirds of the depth and at the last layer, with one seed. Then it is measured without fine-tuning, on development data:

* **POS, NER, NLI**: zero-shot scores, in percent, of linear probes of the frozen states, trained in English:
  part-of-speech (POS) tagging (UPOS accuracy, de es fr hi), named entity recognition (NER; F1 of PAN-X, de hi zh) and
  natural language inference (NLI; accuracy of XNLI, de hi zh), the last two with the first 800 items of each set. The
  highest mean over the target languages, and the layer where it is reached: because the layer is chosen on the same
  data, these scores are optimistic. In the column *English* the English POS accuracy there. Scores of fine-tuned
  encoders are much higher.
* **nearest**: percentage of 800 sentences of NTREX ({", ".join(LANGUAGES)}) whose translation is their mutual nearest
  neighbor, at the trained layer. **distance**: distance between the means of two languages, relative to the spread of
  sentences, at the trained layer. Untrained encoders and objectives without a layer: at the last layer.
* **rate**: the learning rate. It is not the same for all objectives, so rows differ in it as well.
* **cosine**: for mixtures, the mean cosine between the gradients of each pair of losses. Below 0 they disagree.
* **s/step**: seconds per step, one thread, with other work on the machine: differences below a third mean nothing.
  Empty if the machine was too busy.

There is one seed: differences of a few points between two rows are not established. All layers and languages, losses
and commits are in `benchmarks/results/objectives-by-layer.jsonl`.
"""

KINDS = {
    "masked LM, TLM": ("mlm", "tlm"),
    "AlignLM": ("alignlm",),
    "contrast of sentences": ("moco", "in_batch"),
    "words, links of an aligner": (
        "word_l2", "word_contrastive", "gold_links", "word_contrastive+word_anchor", "word_l2+word_anchor",
    ),
    "words, links of the encoder itself": ("self_training", "denoise_links"),
    "the initial encoder as teacher": ("distill",),
    "mixtures with TLM": ("ppa", "tlm+word_contrastive", "tlm+self_training", "mlm+tlm+denoise_links"),
}  # fmt: skip
SUMMARY = """## Kinds of objectives

Differences from the base in points, mean over the rows of each kind (lowest to highest).

| encoder | kind | rows | POS | NER | NLI |
|---|---|---:|---:|---:|---:|
"""
READING = """
* From the encoder that has never seen translations, objectives on vectors of words gain most if their links come from
  an aligner, and lose if they come from the encoder itself, presumably because its states cannot link words yet.
* From the one that has, contrast, links of an aligner and distillation gain in all three tasks, and the encoder's own
  links in POS tagging and NLI. Masked LM and TLM do not, but AlignLM, which also predicts linked words, does. These are
  gains of frozen states. [Fine-tuning](systems-e5.md) makes up for most of them: contrast of words and of sentences was
  also fine-tuned, from [paralign-mini](systems-mini.md) with five seeds and from [e5](systems-e5.md) with three.
* TLM in a mixture costs a part of what the other objective gains in POS tagging: from paralign-mini a third to all of
  it, from e5 little with contrastive words, and most or all of it with MoCo (PPA) and the encoder's own links. Their
  gradients are nearly orthogonal: they do not disagree, but TLM alone gains no more than masked LM on unpaired
  sentences.
* An anchor and the objective it restrains have opposed gradients, as they should: it keeps the English score.
* No layer is better for all: the two rows of an objective differ by up to three points in POS tagging, in both
  directions.
"""


def best(values: Mapping[str, Sequence[float]]) -> tuple[int, float, float]:
    """Return the layer with the highest mean over target languages, that mean and the English value, in percent."""
    means = np.mean([of_layers for tag, of_layers in values.items() if tag != SOURCE], axis=0)
    layer = int(means.argmax())
    return layer, 100 * float(means[layer]), 100 * values[SOURCE][layer]


def cells(row: Row) -> list[str]:
    """Return the cells of a row of the table."""
    found = {task: best(row["probes"][task]) for task in ("pos", "ner", "nli")}
    layer = -1 if row["layer"] is None else row["layer"]
    nearest, distance = (
        float(np.mean([of_layers[layer] for of_layers in row["space"][metric].values()]))
        for metric in ("mutual_nearest", "language_distance")
    )
    cosines = "; ".join(
        f"{pair.replace(' ', ' and ')} {of['all']:+.2f}" for pair, of in row.get("gradient_cosines", {}).items()
    )
    return [
        row["objective"].replace("_", r"\_"),
        "" if row["layer"] is None else str(row["layer"]),
        f"{row['learning_rate']:g}" if "learning_rate" in row else "",
        *(f"{score:.1f} ({at})" for at, score, _ in found.values()),
        f"{found['pos'][2]:.1f}",
        f"{100 * nearest:.1f}",
        f"{distance:.2f}",
        cosines.replace("_", r"\_").replace("-", "−"),
        f"{row['seconds_per_step']:.2f}" if "seconds_per_step" in row else "",
    ]


def summary(rows: Sequence[Row]) -> str:
    """Return the table of differences from the base by kind of objective."""
    lines = []
    for base in sorted({row["base"] for row in rows}, reverse=True):
        scores = {
            (row["objective"], row["layer"]): [best(row["probes"][task])[1] for task in ("pos", "ner", "nli")]
            for row in rows
            if row["base"] == base
        }
        initial = np.array(scores["base", None])
        for kind, names in KINDS.items():
            gains = np.array([of_row - initial for (name, _), of_row in scores.items() if name in names])
            if len(gains):
                ends = zip(gains.mean(0), gains.min(0), gains.max(0), strict=True)
                cells = ["{} ({} to {})".format(*map(signed, of_task)) for of_task in ends]
                lines.append(f"| {base} | {kind} | {len(gains)} | {' | '.join(cells)} |\n")
    return SUMMARY + "".join(lines) + READING


def signed(points: float) -> str:
    """Return a difference with its sign, without a negative zero."""
    return f"{round(points, 1) + 0.0:+.1f}".replace("-", "−")


def page(rows: Sequence[Row]) -> str:
    """Return the page as Markdown."""
    names = ["base", *METHODS]
    lines = [HEAD, summary(rows)]
    for base in sorted({row["base"] for row in rows}, reverse=True):
        own = [row for row in rows if row["base"] == base]
        own.sort(key=lambda row: (names.index(row["objective"]), row["layer"] or 0, row["seed"] or 0))
        commits = ", ".join(f"`{commit[:7]}`" for commit in sorted({row["commit"] for row in own}))
        lines += [f"## {base}\n", f"{len(own)} rows, commits {commits}.\n"]
        lines += ["| objective | layer | rate | POS | NER | NLI | English | nearest | distance | cosine | s/step |"]
        lines += ["|---|" + "---:|" * 8 + "---|---:|"]
        lines += [f"| {' | '.join(cells(row))} |" for row in own] + [""]
    return "\n".join(lines)


def read(path: Path = RESULTS) -> list[Row]:
    """Read the rows."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    PAGE.write_text(page(read()), encoding="utf-8")
