"""``paralign evaluate``: evaluate an encoder without a head, or a fine-tuned model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import torch

from paralign.commands.applied_maps import AppliedMap, check_maps_used, fitted_on, load_maps, use_maps
from paralign.commands.arguments import one_or_several
from paralign.config import merge, parse_override
from paralign.console import echo, echo_dropped
from paralign.device import best_device
from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.objectives import Objective
from paralign.results import Items, Measurement, Seeds, read_results, write_results
from paralign.runs.dataset_names import dataset_names
from paralign.runs.earlier_evaluation import EarlierEvaluation
from paralign.runs.evaluation_warnings import fine_tuned_on, seen_texts, warn_of_data, warn_of_scores
from paralign.runs.folder import RunFolder
from paralign.runs.inputs import data_files, model_files
from paralign.runs.layer_choice import ChosenLayer, at_choice, choose_layer, with_settings
from paralign.runs.measure import RowContext, echo_scores, echo_truncated, measure, recorded_settings
from paralign.runs.model_folder import (
    describe_encoder,
    describe_fine_tuned,
    fine_tuning_settings,
    saved_head,
    saved_task,
)
from paralign.runs.settings import task_section
from paralign.tasks import Task
from paralign.tasks.base import read_data

__all__ = ["check_dev", "evaluate", "evaluation_settings"]


@one_or_several
def evaluate(
    model: str,
    *,
    task: str | None = None,
    data: str | Sequence[str],
    out: str | Path,
    dev: str | Sequence[str] = (),
    overrides: str | Sequence[str] = (),
    limit: int | None = None,
    split: str = "test",
    system: str | None = None,
    dataset: str | None = None,
    layer: float | None = None,
    maps: str | Sequence[str | Path] = (),
    lenient: bool = False,
    quiet: bool = False,
    command: str | None = None,
) -> list[Measurement]:
    """Evaluate an encoder or a fine-tuned model on a task.

    Results are added to ``out/results.jsonl``; those of an earlier evaluation of the same model, data,
    layer and pooling are replaced. If that had other settings or maps, a note says so; another ``out`` keeps both.

    Args:
        model: folder or hub name of an encoder, or a fine-tuned ``seed-K/model`` for tasks with a head. ``retrieval``,
            ``mining`` and ``alignment`` also measure causal language models.
        task: name of a task (``paralign list tasks``). None: the task of a fine-tuned model.
        data: test data, each as ``LANG=PATH`` or ``SRC-TGT=PATH``.
        out: output folder; an existing one must belong to a run of ``evaluate``.
        dev: development data, given as ``data``: every layer and pooling (for ``lexicon`` also static vectors) is
            evaluated on it, and the one with the best main metric on the test data. For ``retrieval``, ``lexicon`` and
            ``alignment``. Empty: nothing is chosen.
        overrides: settings of the task as ``task.key=value``.
        limit: number of items used of every set, the first ones. None: all.
        split: name of the split, recorded with the results.
        system: name of the system in tables. None: the method of the encoder.
        dataset: name of the data in tables, such as ``Tatoeba``. None: from the names of the files.
        layer: hidden state to use, for tasks that use one: 0 is the embeddings, k the output of layer k, 0.67 two
            thirds of the depth. Short for ``task.layer``. None: the default of the task.
        maps: folders of linear maps (:func:`paralign.make_map`), at most one for each language.
        lenient: drop and count items that cannot be read instead of raising.
        quiet: print nothing.
        command: recorded with the run. None: the command line, or the call from Python.

    Returns:
        The rows of this evaluation.

    Raises:
        UserError: for input or settings that cannot be used.

    Example:
        >>> import paralign
        >>> rows = paralign.evaluate(
        ...     "paralign-mini", task="retrieval", data="en-de=smallworld:0-50", out="runs/retrieval", quiet=True
        ... )
        >>> sorted({(row.language, row.where.pool, row.where.direction) for row in rows})[:2]
        [('de', 'cls', 'de-en'), ('de', 'cls', 'en-de')]
    """
    settings = task_section(merge(*map(parse_override, overrides), {"task": {"layer": layer}}))
    task_instance, facts = saved_task(task, model, settings)
    if not data:
        raise UserError("nothing to evaluate on", hint="--data LANG=PATH")
    check_dev(task_instance, settings, dev)
    names = dataset_names(data, dataset)
    read = [read_data(task_instance, spec, lenient, limit) for spec in data]
    tests = [(spec, name, items) for spec, name, (items, _) in zip(data, names, read, strict=True)]
    read_dev = [read_data(task_instance, spec, lenient, limit) for spec in dev]
    echo_dropped(sum((dropped for _, dropped in [*read, *read_dev]), Counter()), "items", quiet=quiet)
    folder = RunFolder(Path(out), "evaluate", resume=(Path(out) / "run.json").exists(), command=command)
    with folder:
        folder.claim()
        encoder = Encoder.from_pretrained(model, allow_causal=task_instance.measures_causal(), quiet=quiet)
        encoder.to(best_device())
        head = saved_head(task_instance, encoder, model) if task_instance.trains else None
        files = [data_files([spec]) for spec in data]
        inputs = {"eval": list(chain.from_iterable(files)), "model": model_files(model), "dev": data_files(dev)}
        applied = load_maps(maps)
        model_facts, mapped = _model_facts(encoder, model, system, facts, task_instance.trains, applied)
        head_facts = facts if facts and task_instance.trains else {}
        recorded = recorded_settings(task_instance) | ({"maps": mapped} if mapped else {})
        if head_facts:
            recorded |= fine_tuning_settings(head_facts["made_by"], model_facts["method"])
        context = RowContext(
            model_facts,
            folder.name,
            Seeds(**model_facts["seeds"]),
            split,
            head_facts.get("train"),
            recorded,
        )
        chosen_on = [(f"the development data {spec}", items) for spec, (items, _) in zip(dev, read_dev, strict=True)]
        seen = seen_texts(encoder, facts["of"]["model"] if facts else model, task_instance, chosen_on)
        seen += fine_tuned_on(model) if facts else []
        warnings = [warn_of_data(task_instance, encoder, [(spec, items)], seen) for spec, _, items in tests]
        choice = choose_layer(task_instance, encoder, [items for items, _ in read_dev]) if dev else None
        encoder.languages_mapped.clear()  # by other layers, to choose one
        measured = _measure(task_instance, encoder, head, tests, context, choice, quiet)
        check_maps_used(applied, encoder, choice)
        rows = [[row for row, _ in pairs] for pairs in measured]
        earlier = EarlierEvaluation(folder)
        folder.facts["datasets"] = earlier.datasets(data, names, files, rows)
        folder.facts["inputs"] = earlier.inputs(inputs)
        # Only now, so that the previous content of the folder stays if the evaluation fails.
        folder.begin(
            {
                "maps": mapped,
                "model": model,
                **evaluation_settings(task_instance, data, limit, split, lenient, dataset, dev),
            },
            **{k: model_facts[k] for k in ("method", "control", "model_hash", "parent")},
        )
        for found, entries, scores in zip(warnings, files, rows, strict=True):
            found += fitted_on(applied, entries) + warn_of_scores(scores)
        folder.save(  # before the results, so that there are none without their warnings
            parameters=encoder.parameter_count(),
            device=encoder.device.type,
            threads=torch.get_num_threads(),
            **earlier.alarms(data, warnings, rows),
        )
        if folder.main:
            if note := earlier.note_of_replaced(chain.from_iterable(rows)):
                echo(note, quiet=quiet)
            write_results(folder.path, list(chain.from_iterable(measured)))
        folder.save(status="done")
    written = list(chain.from_iterable(rows))
    if folder.main:
        keys = {row.key() for row in written}
        written = [row for row in read_results(folder.path / "results.jsonl") if row.key() in keys]
    echo_scores(written, quiet)
    for warning in dict.fromkeys(chain.from_iterable(warnings)):
        echo(f"WARNING {warning}", quiet=quiet)
    return written


def check_dev(task: Task, settings: Mapping[str, Any], dev: Sequence[str]) -> None:
    """Check that development data can choose the layer of a task.

    Raises:
        UserError: if a layer is given too, or the task has a head.
    """
    if dev and "layer" in settings:
        raise UserError("--layer and --dev exclude each other: development data choose the layer", hint="omit one")
    if dev and task.trains:
        raise UserError(f"the task {task.name!r} has no layer to choose", hint="leave --dev out")


def evaluation_settings(
    task: Task,
    data: Sequence[str],
    limit: int | None,
    split: str,
    lenient: bool,
    dataset: str | None = None,
    dev: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the settings of an evaluation that decide its result, as ``config.toml`` records them."""
    return {
        "task": task.name,
        "data": list(data),
        "read": {"limit": limit, "split": split, "lenient": lenient, "dataset": dataset},
        "settings": task.config.model_dump(mode="json"),
        "dev": list(dev),
    }


def _measure(
    task: Task,
    encoder: Encoder,
    head: Objective | None,
    tests: Sequence[tuple[str, str, Any]],
    context: RowContext,
    choice: ChosenLayer | None,
    quiet: bool,
) -> list[list[tuple[Measurement, Items | None]]]:
    """Score each data set, given by path, name and contents, at the chosen layer if there is one."""
    measured = []
    notes: set[str] = set()
    used = task if choice is None else with_settings(task, choice.settings)
    for spec, name, items in tests:
        measured.append(measure(used, encoder, head, items, name, context))
        echo_truncated(task, spec, notes, quiet)
    if choice is None:
        return measured
    echo(f"{task.name}: {choice.label} chosen on development data ({100 * choice.score:.1f})", quiet=quiet)
    return [at_choice(rows, choice) for rows in measured]


def _model_facts(
    encoder: Encoder,
    model: str,
    system: str | None,
    facts: Mapping[str, Any] | None,
    trains: bool,
    maps: Sequence[AppliedMap],
) -> tuple[dict[str, Any], list[str]]:
    """Return what rows record about the model, and descriptions of its maps."""
    model_facts = describe_encoder(encoder, model, system)
    mapped = use_maps(encoder, model_facts["model_hash"], maps)
    if facts:
        # Scores with a head belong to the encoder before fine-tuning; scores without it to the fine-tuned encoder.
        of = dict(facts["of"]) | ({"method": system} if system else {})
        fine_tuned = {k: of[k] for k in ("method", "control", "seeds")} | describe_fine_tuned(facts)
        model_facts = of if trains else model_facts | fine_tuned
    if mapped and system is None:
        model_facts = model_facts | {"method": f"{model_facts['method']}, mapped"}
    return model_facts, mapped
