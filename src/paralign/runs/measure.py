"""What fine-tuning and evaluation share: data in, rows of ``results.jsonl`` out."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from paralign.config import merge
from paralign.console import echo
from paralign.encoder import Encoder
from paralign.encoder.card import read_provenance
from paralign.errors import UserError
from paralign.metrics import mean_sd
from paralign.objectives import Objective
from paralign.results import Items, Measurement, Seeds
from paralign.tasks import Task, find_task
from paralign.tasks.supervised import Supervised
from paralign.text.tags import tag_of

__all__ = [
    "about_encoder",
    "about_model",
    "dataset_name",
    "dataset_names",
    "measure",
    "recorded",
    "saved_head",
    "saved_task",
    "say_cut",
    "say_dropped",
    "say_scores",
    "say_summary",
]


def say_dropped(dropped: Counter[str], quiet: bool) -> None:
    if dropped:
        echo("dropped: " + ", ".join(f"{n:,} {reason}" for reason, n in dropped.most_common()), quiet=quiet)


def about_encoder(encoder: Encoder, model: str, system: str | None) -> dict[str, Any]:
    """What the rows say of the encoder."""
    known = read_provenance(model)
    digest = encoder.digest()
    seeds = known.get("seeds", {})
    return {
        "model": model,
        "model_hash": digest,
        "parent": known.get("parent"),
        "method": system or known.get("method") or Path(model).name,
        "control": bool(known.get("control")),
        "seeds": {k: seeds.get(k) for k in ("pretrain", "align") if k in seeds},
    }


def about_model(encoder: Encoder, model: str) -> dict[str, Any]:
    """The same of an encoder or a fine-tuned model, which is named by what it was, and for what."""
    about = about_encoder(encoder, model, None)
    facts = _saved_facts(model)
    if facts:
        about |= {k: facts["of"][k] for k in ("control", "seeds")} | {"parent": facts["of"]["model_hash"]}
        about["method"] = f"{facts['of']['method']}, fine-tuned for {facts['task']}"
    return about


def saved_task(task: str | None, model: str, settings: Mapping[str, Any]) -> tuple[Task, dict[str, Any] | None]:
    """A task with the settings its head was saved with, and what was saved beside ``model`` if it is a fine-tuned one.

    Raises:
        UserError: if the model was fine-tuned for another task, or no task is named.
    """
    facts = _saved_facts(model)
    name = task or (facts and facts["task"])
    if not name:
        hint = "name one with --task, or give a fine-tuned model, OUT/seed-0/model"
        raise UserError("this model was not fine-tuned for a task", where=model, hint=hint)
    work = find_task(name, merge(facts.get("settings", {}) if facts and facts["task"] == name else {}, settings))
    if work.trains and facts and facts["task"] != name:
        raise UserError(f"the model was fine-tuned for {facts['task']!r}, not {name!r}", where=model)
    return work, facts


def _saved_facts(model: str) -> dict[str, Any] | None:
    """What ``finetune`` wrote beside a model."""
    saved = Path(model) / "task.json"
    facts: dict[str, Any] | None = json.loads(saved.read_text(encoding="utf-8")) if saved.is_file() else None
    return facts


def saved_head(work: Task, encoder: Encoder, model: str) -> Objective:
    """The saved head of a fine-tuned model.

    Raises:
        UserError: if there is none.
    """
    saved = Path(model) / "head.safetensors"
    if not isinstance(work, Supervised) or not saved.is_file():
        raise UserError(
            f"this model has no head for {work.name!r}",
            where=model,
            hint=f"fine-tune it first: paralign finetune --task {work.name}; the model is then OUT/seed-0/model",
        )
    head = work.head(encoder)
    try:
        head.load_state_dict(load_file(saved))
    except RuntimeError as error:
        hint = "leave out the task settings that make another head"
        raise UserError("the saved head is of another shape than these settings", where=saved, hint=hint) from error
    return head.to(encoder.device)


def dataset_name(spec: str) -> str:
    """The name a data set's languages share: ``en-de=ntrex.en-de.test.tsv`` and its French sister: ``ntrex.test``."""
    tags, _, path = spec.partition("=")
    name = re.sub(r"\.(gz|tsv|txt|conllu|jsonl?)\b", "", Path(path.split(",")[0]).name)
    own = {(tag_of(tag) or tag) for tag in re.split("[-:]", tags)} | {tags}

    def foreign(part: str) -> bool:
        return part not in own and not (len(part) in (2, 3) and (tag_of(part) or part) in own)

    kept = []
    for part in re.split(r"[._]", name):
        words = [word for word in part.split("-") if foreign(word)] if part not in own else []
        kept.append("-".join(words))
    return ".".join(part for part in kept if part) or Path(path.split(",")[0]).parent.name or name


def dataset_names(specs: Sequence[str]) -> list[str]:
    """A name for each data set; those of one language that would share theirs are told apart by their folders.

    Raises:
        UserError: if that does not tell them apart: one would replace the other in the results.
    """
    names = [dataset_name(spec) for spec in specs]
    tags = [spec.partition("=")[0] for spec in specs]
    clashes = {pair for pair, count in Counter(zip(tags, names, strict=True)).items() if count > 1}
    shared = {name for _, name in clashes}
    for k, spec in enumerate(specs):
        if names[k] in shared:
            folder = Path(spec.partition("=")[2].split(",")[0]).parent.name
            names[k] = f"{folder}/{names[k]}" if folder else names[k]
    for pair, count in Counter(zip(tags, names, strict=True)).items():
        if count > 1:
            first = [spec for spec, *own in zip(specs, tags, names, strict=True) if tuple(own) == pair]
            raise UserError(f"two data sets would have one name: {' and '.join(first)}", hint="rename a file")
    return names


def measure(
    work: Task,
    encoder: Encoder,
    head: Objective | None,
    data: Any,
    dataset: str,
    about: Mapping[str, Any],
    run: str,
    seeds: Seeds,
    *,
    split: str,
    train: str | None,
    settings: Mapping[str, Any] | None = None,
) -> list[tuple[Measurement, Items | None]]:
    """Score one data set: rows and their items. ``settings`` are recorded with every row."""
    baselines = work.baselines(data)
    every = {"system": about["method"], "control": about["control"], "data": _digest(work, data)}
    every |= dict(settings or {})
    rows: list[tuple[Measurement, Items | None]] = []
    for score in work.evaluate(encoder, head, data):
        known = {name: values.get(score.metric, math.nan) for name, values in baselines.items()}
        known = {name: value for name, value in known.items() if math.isfinite(value)}
        row = Measurement(
            task=work.name,
            dataset=dataset,
            split=split,
            train=train,
            language=work.language(data),
            metric=score.metric,
            value=score.value,
            n=len(score.items),
            seeds=seeds,
            model=about["model"],
            model_hash=about["model_hash"],
            parent=about["parent"],
            run=run,
            where=score.where,
            settings=every | ({"baselines": known} if known else {}),
        )
        rows.append((row, score.items))
    return rows


def _digest(work: Task, data: Any) -> str:
    """Of the texts in their order: only scores of the same items are compared pair by pair."""
    hasher = hashlib.blake2b(digest_size=8)
    for texts in work.texts_of(data):
        for text in texts:
            hasher.update(text.encode("utf-8", "surrogatepass") + b"\0")
        hasher.update(b"\1")
    return hasher.hexdigest()


def recorded(work: Task) -> dict[str, Any]:
    """The settings of a task, for its rows."""
    chosen = work.config.model_dump(mode="json")
    return {"task": chosen} if chosen else {}


def say_cut(work: Task, where: str, said: set[str], quiet: bool) -> None:
    """Tell what a task had to shorten since it was last asked, each note once."""
    if isinstance(work, Supervised):
        for reason, count in work.cut.items():
            note = f"{where}: {count:,} {reason}"
            if note not in said:
                said.add(note)
                echo(f"note: {note}", quiet=quiet)
        work.cut.clear()


def say_scores(rows: Sequence[Measurement], quiet: bool) -> None:
    """A line for each score."""
    for row in rows:
        where = " ".join(str(v) for v in (row.where.pool, row.where.direction) if v is not None)
        seed = "" if row.seeds.finetune is None else f" seed {row.seeds.finetune}"
        beside = "".join(f", {name} {100 * value:.1f}" for name, value in row.settings.get("baselines", {}).items())
        echo(
            f"{row.task} {row.language} {row.metric} {where} {100 * row.value:.1f} (n={row.n:,}{beside}){seed}",
            quiet=quiet,
        )


def say_summary(rows: Sequence[Measurement], quiet: bool) -> None:
    """Mean and spread over seeds of each main metric, and the gap to English."""
    groups: dict[tuple[str, ...], list[Measurement]] = {}
    main: dict[tuple[str, ...], str] = {}
    for row in rows:
        place = (row.task, row.dataset, row.language, str(row.where.direction))
        if main.setdefault(place, row.metric) == row.metric:
            groups.setdefault(place, []).append(row)
    english = {place[:2]: _mean(found) for place, found in groups.items() if place[2:] == ("en", "None")}
    for (task, dataset, language, _), found in groups.items():
        mean, sd = mean_sd([row.value for row in found])
        own = english.get((task, dataset)) if language != "en" else None
        gap = "" if own is None else f", {100 * (mean - own):+.1f} against en"
        spread = "" if sd is None else f" ± {100 * sd:.1f}"
        seeds = f"{len(found)} fine-tuning seed{'s' * (len(found) > 1)}"
        echo(f"{task} {dataset} {language}: {found[0].metric} {100 * mean:.1f}{spread} ({seeds}{gap})", quiet=quiet)


def _mean(rows: Sequence[Measurement]) -> float:
    return mean_sd([row.value for row in rows])[0]
