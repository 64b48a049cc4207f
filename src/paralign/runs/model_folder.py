"""Facts stored in a model folder: its provenance, and the task and head of a fine-tuned model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from safetensors import SafetensorError
from safetensors.torch import load_file

from paralign.config import merge
from paralign.digests import object_digest
from paralign.encoder import Encoder
from paralign.encoder.card import lineage, read_provenance
from paralign.encoder.layers import LayersConfig
from paralign.encoder.loading import check_model
from paralign.errors import UserError
from paralign.models import local_folder
from paralign.objectives import Objective
from paralign.results import Seeds
from paralign.task_table import HEAD_OUTPUTS, TASKS
from paralign.tasks import Task, find_task
from paralign.tasks.supervised import SupervisedTask

__all__ = [
    "describe_encoder",
    "describe_fine_tuned",
    "describe_model",
    "fine_tuning_settings",
    "lineage_of",
    "saved_head",
    "saved_task",
]

_CAUSAL = " (causal LM, evaluation only)"
"""Added to the names of causal language models in tables."""


class _EncoderFacts(BaseModel):
    model: str
    model_hash: str
    parent: str | None = None
    method: str
    control: bool
    seeds: Seeds


class _MadeBy(BaseModel):
    training: dict[str, Any]
    layers: LayersConfig
    dev: list[str]
    digests: dict[str, list[str | None]]
    content: dict[str, list[str]] = {}


class _TaskFile(BaseModel):
    """``task.json``; unknown keys are ignored."""

    task: str
    settings: dict[str, Any]
    train: str
    of: _EncoderFacts
    made_by: _MadeBy


def describe_encoder(encoder: Encoder, model: str, system: str | None) -> dict[str, Any]:
    """Return the facts about an encoder that results record.

    Args:
        encoder: the loaded encoder.
        model: its folder or hub name.
        system: name of the system in tables. None: the method of the encoder, or the name of its folder, which says
            so if it is a causal language model.

    Returns:
        ``model``, ``model_hash``, ``parent``, ``method``, ``control`` and ``seeds``; and, where known, ``lineage``
        (how it was made, the same for all seeds), ``origin`` (the lineage of its base) and ``base`` (its name), which
        distinguish systems with one name.
    """
    provenance = read_provenance(model)
    folder = Path(model).name + _CAUSAL * encoder.causal
    seeds = provenance.get("seeds", {})
    return {
        "model": model,
        "model_hash": encoder.digest(),
        "parent": provenance.get("parent"),
        "method": system or provenance.get("method") or folder,
        "control": bool(provenance.get("control")),
        "seeds": {k: seeds.get(k) for k in ("pretrain", "align") if isinstance(seeds.get(k), int)},
        **{k: provenance[k] for k in ("origin", "lineage", "base") if provenance.get(k)},
    }


def lineage_of(model: str) -> str | None:
    """Return how an encoder or a fine-tuned model was made, the same for all seeds; None if it is not recorded."""
    facts = _task_file(model)
    recorded = describe_fine_tuned(facts)["lineage"] if facts else read_provenance(model).get("lineage")
    return recorded and str(recorded)


def describe_fine_tuned(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return where the weights of a fine-tuned model come from: ``parent``, ``lineage`` and, if known, ``origin``.

    Models that differ only by seed have one lineage: it depends on the base, the task, the settings of training, and
    the content of the data; on the names and files of the data if the task does not name its texts.

    Args:
        facts: the content of its ``task.json``.
    """
    of = facts["of"]
    start = of.get("lineage") or of["model_hash"]
    known = {"origin": of["origin"]} if of.get("origin") else {}
    made_by = (facts["task"], facts["train"], _by_content(facts["made_by"]), facts["settings"])
    return {"parent": of["model_hash"], "lineage": lineage(start, *made_by), **known}


def _by_content(made_by: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a model was fine-tuned, without the names and files of its data if their content is known."""
    if not all(all(made_by.get("content", {}).get(name, [""])) for name in ("train", "dev")):
        return dict(made_by)
    training = {name: value for name, value in made_by["training"].items() if name not in ("sets", "limit")}
    return {"training": training, "layers": made_by["layers"], "content": made_by["content"]}


def fine_tuning_settings(made_by: Mapping[str, Any], method: str) -> dict[str, Any]:
    """Return how a model was fine-tuned, as its rows record it (:data:`paralign.results.FINE_TUNING`).

    Args:
        made_by: ``made_by`` of its ``task.json``.
        method: name of the system in tables, which is that of the encoder with a description of changed layers.

    Returns:
        ``training``, with the names of the development sets if there are any; ``training_data``, digests of the
        training and development files, or of what was read where there are none; ``layers`` if layers were changed,
        with the name of the encoder as ``of``.
    """
    dev, layers = made_by["dev"], LayersConfig.model_validate(made_by["layers"])
    settings = {"training": made_by["training"] | ({"dev": dev} if dev else {})}
    content = made_by.get("content", {})  # for data without files; a pipe has no digest
    known = {name: files if files and all(files) else content.get(name) for name, files in made_by["digests"].items()}
    if digests := {name: object_digest(data)[:8] for name, data in known.items() if data and all(data)}:
        settings["training_data"] = digests
    if layers.description:
        of = method.replace(f", {layers.description}", "")
        settings["layers"] = {"of": of, **layers.model_dump(mode="json")}
    return settings


def describe_model(encoder: Encoder, model: str) -> dict[str, Any]:
    """Return the facts about an encoder or a fine-tuned model; as :func:`describe_encoder`."""
    model_facts = describe_encoder(encoder, model, None)
    facts = _task_file(model)
    if facts:
        model_facts |= {k: facts["of"][k] for k in ("control", "seeds")} | describe_fine_tuned(facts)
        model_facts["method"] = f"{facts['of']['method']}, fine-tuned for {facts['task']}"
    return model_facts


def saved_task(name: str | None, model: str, settings: Mapping[str, Any]) -> tuple[Task, dict[str, Any] | None]:
    """Create the task that a model was fine-tuned for, with the settings of its head.

    Args:
        name: name of the task. None: that of a fine-tuned model.
        model: folder of a model.
        settings: settings that override those stored with the model.

    Returns:
        the task, and the facts stored with the model if it is a fine-tuned one.

    Raises:
        UserError: if the model was fine-tuned for another task, if no task is named and there is none, if the file of
            a fine-tuned model names a class that is not in the table of tasks, and for settings that would rename the
            outputs of its head or ask for outputs that it does not have.
    """
    facts = _task_file(model)
    if name is None and facts and facts["task"] not in TASKS:
        # A file must not decide which code is imported; the user may.
        hint = f"if you trust it, name it yourself: --task {facts['task']}"
        message = f"the model was fine-tuned for a task that is not built in: {facts['task']!r}"
        raise UserError(message, where=model, hint=hint)
    name = name or (facts["task"] if facts else None)
    if not name and _task_file(inner := str(local_folder(model) / "seed-0/model")):
        raise UserError("this is a run of finetune, not a model", where=model, hint=f"did you mean {inner}?")
    if not name and not local_folder(model).is_dir():
        hint = "give a fine-tuned model, OUT/seed-0/model; a model on the Hub needs --task"
        raise UserError("no such model folder", where=model, hint=hint)
    if not name:
        hint = "name one with --task, or give a fine-tuned model, OUT/seed-0/model"
        raise UserError("this model was not fine-tuned for a task", where=model, hint=hint)
    stored = facts["settings"] if facts and facts["task"] == name else {}
    task = find_task(name, merge(stored, settings))
    given = task.config.model_dump(mode="json")
    for key in HEAD_OUTPUTS & settings.keys() & stored.keys():
        if given[key] != stored[key]:
            message = f"task.{key} differs from that of the model, which would give its outputs other names"
            raise UserError(message, where=model, hint=f"leave task.{key} out, or fine-tune another model with it")
    if given.get("subtypes") and stored.get("subtypes") is False:
        hint = "leave task.subtypes out, or fine-tune another model with it"
        raise UserError("the model was fine-tuned without subtypes, and cannot predict them", where=model, hint=hint)
    if task.trains and facts and facts["task"] != name:
        hint = "leave out --task, or fine-tune a model for it"
        raise UserError(f"the model was fine-tuned for {facts['task']!r}, not {name!r}", where=model, hint=hint)
    return task, facts


def saved_head(task: Task, encoder: Encoder, model: str) -> Objective:
    """Load the head of a fine-tuned model.

    Raises:
        UserError: if there is none, or it does not fit the settings of the task.
    """
    saved = local_folder(model) / "head.safetensors"
    if not isinstance(task, SupervisedTask) or not saved.is_file():
        raise UserError(
            f"this model has no head for {task.name!r}",
            where=model,
            hint=f"fine-tune it first: paralign finetune --task {task.name}; the model is then OUT/seed-0/model",
        )
    head = task.head(encoder)
    try:
        weights = load_file(saved)
    except (OSError, SafetensorError) as error:
        hint = "fine-tune the model again, or restore the file"
        raise UserError("the file is damaged", where=saved, hint=hint) from error
    try:
        head.load_state_dict(weights)
    except RuntimeError as error:
        hint = "remove the task settings that change the head"
        raise UserError("the saved head does not fit these settings", where=saved, hint=hint) from error
    return head.to(encoder.device)


def _task_file(model: str) -> dict[str, Any] | None:
    """Return the facts that ``finetune`` stored with a model. None: the model is not fine-tuned.

    Raises:
        UserError: for a damaged file.
    """
    file = local_folder(model) / "task.json"
    if not file.is_file():
        return None
    check_model(model)
    try:
        facts: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        _TaskFile.model_validate(facts, strict=True)
    except (OSError, ValueError, RecursionError):
        hint = "fine-tune the model again, or restore the file"
        raise UserError("the file is damaged", where=file, hint=hint) from None
    return facts
