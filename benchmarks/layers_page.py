"""Write docs/results/objectives-by-layer.md from the rows of benchmarks/layers_objectives.py.

python benchmarks/layers_page.py
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from layers_objectives import BATCH, DEPTHS, LANGUAGES, METHODS, RESULTS, STEPS

from paralign.metrics.correlation import spearman

PAGE = Path(__file__).parents[1] / "docs/results/objectives-by-layer.md"
CLAIMS = RESULTS.with_name("claims-e5.jsonl")
COSTS = RESULTS.with_name("objective-cost.jsonl")
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
  tables show the highest mean over the target languages and the layer where it is reached: because the layer is chosen
  on the same data, these scores are optimistic. The column *English* has the English POS accuracy at that layer. Scores
  of fine-tuned encoders are much higher.
* **nearest**: percentage of 800 sentences of NTREX ({", ".join(LANGUAGES)}) whose translation is their mutual nearest
  neighbor, at the trained layer. **distance**: distance between the means of two languages, relative to the spread of
  sentences, at the trained layer. For untrained encoders and objectives without a layer, both are measured at the last
  layer.
* **rate**: the learning rate. It is not the same for all objectives, so rows differ in it as well.
* **cosine**: for mixtures, the mean cosine between the gradients of each pair of losses. Below 0 they disagree.
* **time**: CPU time per step relative to masked LM (`python benchmarks/objective_cost.py objectives`, one thread).

There is one seed: differences of a few points between two rows are not established. All layers and languages, losses
and commits are in `benchmarks/results/objectives-by-layer.jsonl`.
"""

KINDS = {
    "masked LM, TLM": ("mlm", "tlm"),
    "AlignLM": ("alignlm",),
    "contrast of sentences": ("moco", "in_batch", "in_batch+anchor"),
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
* From the encoder that has never seen translations, objectives on word vectors gain most if their links come from an
  aligner, and lose if the links come from the encoder itself, presumably because its states cannot link words yet.
* From the encoder that has seen translations, three kinds of objectives gain in all three tasks: contrastive sentence
  objectives, word objectives with links of an aligner, and distillation. Objectives with the encoder's own links gain
  in POS tagging and NLI. Masked LM and TLM do not gain, but AlignLM, which also predicts linked words, does. These are
  gains of frozen states. [Fine-tuning](systems-e5.md) makes up for most of them: contrastive word and sentence
  objectives were also fine-tuned, from [paralign-mini](systems-mini.md) with five seeds and from [e5](systems-e5.md)
  with three.
* TLM in a mixture costs a part of what the other objective gains in POS tagging: from paralign-mini, a third to all of
  it; from e5, little with contrastive words, and most or all of it with MoCo (PPA), the encoder's own links and
  denoised links. The gradients of TLM and of the other objective are nearly orthogonal: they do not conflict, but TLM
  alone gains no more than masked LM on unpaired sentences.
* Rows of e5 have one learning rate. Those of paralign-mini have rates from 1e-4 (sentences) to 1e-3 (masked LM), so a
  part of the differences between its kinds may be due to the rate.
* The gradients of an anchor and of the objective that it restrains are opposed, as intended: the anchor preserves the
  English score.
* No layer is better for all: the two rows of an objective differ by up to three points in POS tagging, in both
  directions.
"""
FINE_TUNED = """## Fine-tuned

POS tagging after fine-tuning on English (6,000 sentences of EWT, one epoch). Each encoder was trained from e5-small-mlm
with a single objective, for 500 steps of 32 pairs of en with ar, de, hi and zh ([claim 17](../claims.md#verdicts)).
Accuracy in percent, mean over de, es, fr and hi, on the test half of PUD, seed 0; es and fr were not among the aligned
languages. These scores were not used to choose anything.

"""
FINE_TUNED_READING = """
* Gains of frozen states do not survive the fine-tuning of this task: no objective is more than a point above the base
  with the same seed, and at layer 8 most are below it.
* The last layer is higher for all six objectives that were fine-tuned at both layers. With one seed, no difference
  between two objectives is established.
"""
SPACE = """## The space and transfer

Spearman's correlation of each measure of the [space](../layers.md#what-does-the-space-look-like), at the trained layer,
with the scores, over the rows of an encoder. It describes these rows and tests nothing: it was computed after they were
seen, rows share objectives, and the layer of a score was chosen on the same data.

"""
SPACE_READING = """
* In both encoders, states score higher the more translations are mutual nearest neighbors, the harder it is to identify
  the language of a sentence, and the lower hubness is.
* How isotropic the space is (mean cosine) says less about transfer.
"""
MEASURES = {
    "mutual_nearest": "translations that are mutual nearest neighbors",
    "language_distance": "distance of languages",
    "identified_by_mean": "language identification (nearest class mean)",
    "identified_linearly": "language by linear probe",
    "hubness": "hubness",
    "mean_cosine": "mean cosine",
    "effective_rank": "effective rank",
}
TASKS = ("pos", "ner", "nli")


def best(values: Mapping[str, Sequence[float]]) -> tuple[int, float, float]:
    """Return the layer with the highest mean over target languages, that mean and the English value, in percent."""
    means = np.mean([of_layers for tag, of_layers in values.items() if tag != SOURCE], axis=0)
    layer = int(means.argmax())
    return layer, 100 * float(means[layer]), 100 * values[SOURCE][layer]


def cells(row: Row, costs: Mapping[str, Sequence[float]]) -> list[str]:
    """Return the cells of a row of the table.

    Args:
        row: the row.
        costs: CPU seconds per step, and relative to masked LM, by method and depth.
    """
    found = {task: best(row["probes"][task]) for task in TASKS}
    nearest, distance = (in_space(row, measure) for measure in ("mutual_nearest", "language_distance"))
    last = len(row["space"]["mutual_nearest"][LANGUAGES[0]]) - 1
    measured = f"{row['objective']} at {1 if row['layer'] in (None, last) else DEPTHS[0]:.2f}"
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
        f"{costs[measured][1]:.1f}" if measured in costs else "",
    ]


def in_space(row: Row, measure: str) -> float:
    """Return a measure of the space at the trained layer, the last one if there is none; mean over languages."""
    layer = -1 if row["layer"] is None else row["layer"]
    return float(np.mean([of_layers[layer] for of_layers in row["space"][measure].values()]))


def space(rows: Sequence[Row]) -> str:
    """Return the table of correlations of measures of the space with scores, over the rows of each encoder."""
    bases = sorted({row["base"] for row in rows}, reverse=True)
    groups = [[row for row in rows if row["base"] == base] for base in bases]
    titles = [f"{base}: {task.upper()}" for base in bases for task in TASKS]
    lines = [f"| measure | {' | '.join(titles)} |", "|---|" + "---:|" * len(titles)]
    for measure, title in MEASURES.items():
        found = []
        for own in groups:
            values = [in_space(row, measure) for row in own]
            found += [spearman(values, [best(row["probes"][task])[1] for row in own]) for task in TASKS]
        lines.append(f"| {title} | " + " | ".join(f"{float(value):+.2f}".replace("-", "−") for value in found) + " |")
    return SPACE + "\n".join(lines) + "\n" + SPACE_READING


def fine_tuned(scores: Sequence[Row]) -> str:
    """Return the table of POS scores after fine-tuning, from the rows of the claims."""
    found: dict[str, dict[str, list[float]]] = {}
    for row in scores:
        name, _, layer = row.get("system", "").partition(" at layer ")
        if row.get("task") == "pos" and row["seed"] == 0 and (layer or name == "base") and row["language"] != SOURCE:
            found.setdefault(name, {}).setdefault(layer, []).append(100 * row["value"])
    layers = sorted({layer for own in found.values() for layer in own if layer}, key=int)
    lines = [f"| objective | {' | '.join(f'layer {layer}' for layer in layers)} |", "|---|" + "---:|" * len(layers)]
    for name, own in sorted(found.items()):
        values = [own.get(layer, own.get("", [])) for layer in layers]
        lines.append(f"| {name} | " + " | ".join(f"{np.mean(v):.1f}" if v else "" for v in values) + " |")
    return FINE_TUNED + "\n".join(lines) + "\n" + FINE_TUNED_READING


def summary(rows: Sequence[Row]) -> str:
    """Return the table of differences from the base by kind of objective."""
    lines = []
    for base in sorted({row["base"] for row in rows}, reverse=True):
        scores = {
            (row["objective"], row["layer"]): [best(row["probes"][task])[1] for task in TASKS]
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


def page(rows: Sequence[Row], scores: Sequence[Row], costs: Sequence[Row]) -> str:
    """Return the page as Markdown.

    Args:
        rows: those of this experiment.
        scores: those of the claims.
        costs: those of objective_cost.py.
    """
    names = ["base", *METHODS]
    lines = [HEAD, summary(rows), space(rows), fine_tuned(scores)]
    for base in sorted({row["base"] for row in rows}, reverse=True):
        own = [row for row in rows if row["base"] == base]
        own.sort(key=lambda row: (names.index(row["objective"]), row["layer"] or 0, row["seed"] or 0))
        commits = ", ".join(f"`{commit[:7]}`" for commit in sorted({row["commit"] for row in own}))
        lines += [f"## {base}\n", f"{len(own)} rows, commits {commits}.\n"]
        spent: dict[str, Sequence[float]] = {}
        for cost in (row for row in costs if (row["base"], row["comparison"]) == (base, "objectives")):
            spent |= cost["costs"]
            measured = f"{cost['repeats']} runs of {cost['steps']} steps of each" if cost["repeats"] > 1 else "one run"
            lines.append(f"Time: {measured}, commit `{cost['commit']}`, with other work on the machine.\n")
        lines += ["| objective | layer | rate | POS | NER | NLI | English | nearest | distance | cosine | time |"]
        lines += ["|---|" + "---:|" * 8 + "---|---:|"]
        lines += [f"| {' | '.join(cells(row, spent))} |" for row in own] + [""]
    return "\n".join(lines)


def read(path: Path = RESULTS) -> list[Row]:
    """Read the rows."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    PAGE.write_text(page(read(), read(CLAIMS), read(COSTS)), encoding="utf-8")
