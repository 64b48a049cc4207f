"""The model card of an encoder that was exported to sentence-transformers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from paralign.encoder.card import limitations, on_hub, software
from paralign.results import CHOSEN, Measurement
from paralign.systems import fine_tuning
from paralign.task_table import is_scaled, metric_without_conditions, task_info

__all__ = ["ExportedEncoder", "layer_and_pool", "sentence_card"]


@dataclass(frozen=True)
class ExportedEncoder:
    """What was exported.

    Attributes:
        name: name of the folder it was exported from.
        width: number of dimensions of a sentence vector.
        max_pieces: longest text, in pieces.
        pool: ``cls`` or ``mean``.
        layer: number of the hidden state that was exported.
        layers: number of layers of the encoder before layers above it were removed.
        parameters: number of weights.
        vocabulary: what remains of the vocabulary. Empty: all of it.
        command: a command that exports it again.
    """

    name: str
    width: int
    max_pieces: int
    pool: str
    layer: int
    layers: int
    parameters: int
    command: str
    vocabulary: str = ""


def sentence_card(encoder: ExportedEncoder, facts: Mapping[str, Any], scores: Sequence[Measurement]) -> str:
    """Return the text of ``README.md``, a Hugging Face model card.

    Args:
        encoder: what was exported.
        facts: how it was trained (``paralign.json``); what is missing is left out.
        scores: measurements of this encoder.
    """
    base, languages = facts.get("base"), facts.get("languages", [])
    method = str(facts.get("method", encoder.name))
    front = [
        "library_name: sentence-transformers",
        "pipeline_tag: sentence-similarity",
        *([f"base_model: {base}"] if base and on_hub(str(base)) else []),
        *(["language:", *(f"- {tag}" for tag in languages)] if languages else []),
        "tags:",
        *(f"- {tag}" for tag in ("sentence-transformers", "sentence-similarity", "feature-extraction")),
        *(f"- {tag}" for tag in ("multilingual", "cross-lingual-alignment", "paralign")),
    ]
    special = "special ones included, which the mean of paralign leaves out"
    pooling = f"mean over all pieces ({special})" if encoder.pool == "mean" else "state of the first piece"
    of_layer = "" if encoder.layer == encoder.layers else f" of layer {encoder.layer} of {encoder.layers}"
    rows = [
        ("base", f"`{base}`" if base else "not recorded"),
        ("method", method),
        ("objectives", ", ".join(facts.get("objectives", ()))),
        ("languages", ", ".join(languages)),
        ("sentence vector", f"{encoder.width} dimensions, {pooling}{of_layer}"),
        ("longest text", f"{encoder.max_pieces} pieces; the rest is cut off"),
        ("similarity", "cosine"),
        ("weights", f"{encoder.parameters:,}"),
        ("vocabulary", encoder.vocabulary),
    ]
    table = "\n".join(f"| {name} | {value} |" for name, value in rows if value)
    return f"""---
{chr(10).join(front)}
---

# {method}, sentence vectors

A [sentence-transformers](https://www.sbert.net) model: it maps sentences of different languages to vectors of
{encoder.width} dimensions, in which translations are close. Aligned and exported with paralign.

| | |
|---|---|
{table}

## Usage

```python
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("PATH")
vectors = model.encode(["The dog sleeps.", "Der Hund schläft."])
similarity = model.similarity(vectors, vectors)
```

With transformers alone:

```python
{_plain_usage(encoder.pool)}
```

## Evaluation

{_evaluation(scores, encoder.pool)}

## Training

{_training(facts)}

The license of the weights depends on the licenses of the base model and of this text; paralign cannot determine it.

## Limitations

{limitations(facts)}

## Reproduce

```
{_commands(encoder, facts)}
```

Exported with {software()}.
"""


def _plain_usage(pool: str) -> str:
    pooled = (
        'mask = batch["attention_mask"].unsqueeze(2)\nvectors = (states * mask).sum(1) / mask.sum(1)'
        if pool == "mean"
        else "vectors = states[:, 0]"
    )
    return f"""import torch
from transformers import AutoModel, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("PATH")
model = AutoModel.from_pretrained("PATH")
batch = tokenizer(["The dog sleeps."], padding=True, truncation=True, return_tensors="pt")
with torch.no_grad():
    states = model(**batch).last_hidden_state
{pooled}"""


def _evaluation(scores: Sequence[Measurement], pool: str) -> str:
    """Return a table of the main score of each task, language and direction, as means over seeds of fine-tuning."""
    values: dict[tuple[str, bool, str], dict[str, float]] = {}
    for row in scores:
        info = task_info(row.task, row.settings)
        if info.main_metrics and metric_without_conditions(row.metric) != info.main_metrics[0]:
            continue
        number, vector = layer_and_pool(row)
        where = ", ".join(part for part in ("" if number is None else f"layer {number}", vector) if part)
        direction = row.where.direction or row.language
        cells = (info.title, _trained_on(row), row.dataset, row.split, direction, row.metric, where, f"{row.n:,}")
        # What else identifies a measurement, apart from its seed.
        other = [row.settings.get(name) for name in ("data", "task", "training", "layers")]
        key = (" | ".join(cells), is_scaled(row.metric), json.dumps(other, sort_keys=True))
        of_seeds = values.setdefault(key, {})
        of_seeds[row.seeds.model_dump_json()] = row.value
    if not values:
        return "Not evaluated: `paralign export --results RUNS` lists the scores of runs that evaluated this encoder."
    head = "| task | trained on | data | split | language | metric | vectors | items | score |"
    head += "\n|---|---|---|---|---|---|---|---:|---:|"
    # Special tokens are part of the mean in sentence-transformers.
    note = "\n\nMeasured with paralign, whose mean leaves out special tokens." if pool == "mean" else ""
    lines = []
    for (line, scaled, _), of_seeds in values.items():
        mean = fmean(of_seeds.values())
        lines.append(f"| {line} | {f'{100 * mean:.1f}' if scaled else f'{mean:.2f}'} |")
    return "\n".join([head, *lines]) + note


def _trained_on(row: Measurement) -> str:
    """Return the training languages of a fine-tuning, its data and the settings that differ from the defaults:
    ``en (ewt-ud-train, epochs 3)``. An empty string for tasks without a head."""
    settings = fine_tuning(row) or {}
    sets = settings.pop("sets", "")
    details = ", ".join(filter(None, [sets, *(f"{name} {value}" for name, value in sorted(settings.items()))]))
    return f"{row.train or ''}{f' ({details})' if details else ''}"


def layer_and_pool(row: Measurement) -> tuple[int | None, str]:
    """Return the layer and the pooling of a measurement, also if they were chosen on development data.

    Returns:
        The number of the hidden state, None for a fine-tuned encoder; and the pooling, or an empty string.
    """
    at = row.settings.get("chosen") if row.where.pool == CHOSEN else row.where.model_dump()
    at = at if isinstance(at, Mapping) else {}
    return at.get("layer"), at.get("pool") or ""


def _training(facts: Mapping[str, Any]) -> str:
    data, settings = facts.get("data"), facts.get("settings")
    lines = [f"* {line}" for line in data] if isinstance(data, list) else []
    training = settings.get("training") if isinstance(settings, Mapping) else None
    given = training if isinstance(training, Mapping) else {}
    numbers = {
        "steps": facts.get("steps"),
        "records seen": facts.get("records_seen"),
        "records in a step": given.get("batch"),
        "learning rate": given.get("learning_rate"),
    }
    known = [f"{name}: {number:,}" for name, number in numbers.items() if isinstance(number, int | float)]
    lines += [f"* {', '.join(known)}"] if known else []
    return "\n".join(lines) or "Not recorded: the encoder was not trained with paralign."


def _commands(encoder: ExportedEncoder, facts: Mapping[str, Any]) -> str:
    return "\n".join([*([str(facts["command"])] if facts.get("command") else []), encoder.command])
