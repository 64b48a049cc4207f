"""Measure an encoder as it is, or a fine-tuned model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch

from paralign.commands.map import use_maps
from paralign.config import merge, parse_override
from paralign.console import echo
from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.results import Measurement, Seeds, read_results, write_results
from paralign.runs.folder import RunFolder
from paralign.runs.measure import (
    about_encoder,
    dataset_names,
    measure,
    recorded,
    saved_head,
    saved_task,
    say_cut,
    say_dropped,
    say_scores,
)
from paralign.runs.settings import task_section
from paralign.runs.warnings import fine_tuned_on, known_text, warn_of_data, warn_of_scores
from paralign.tasks.base import read_data
from paralign.training import best_device

__all__ = ["evaluate"]


def evaluate(
    model: str,
    *,
    task: str | None = None,
    data: Sequence[str],
    out: str | Path,
    overrides: Sequence[str] = (),
    limit: int | None = None,
    split: str = "test",
    system: str | None = None,
    layer: int | None = None,
    maps: Sequence[str | Path] = (),
    lenient: bool = False,
    quiet: bool = False,
    command: str | None = None,
) -> list[Measurement]:
    """Measure an encoder, or a fine-tuned model, on a task.

    Rows are added to ``out/results.jsonl``; those of an earlier measurement of the same thing are replaced.

    Args:
        model: an encoder, or a fine-tuned ``seed-K/model`` for tasks with a head.
        task: name of a task; a fine-tuned model's own by default.
        data: ``LANG=PATH`` or ``SRC-TGT=PATH``, several.
        out: the run's folder; may exist if it is a run of ``evaluate``.
        overrides: ``task.key=value``.
        layer: hidden state to read, for tasks that read one: short for ``task.layer``.
        maps: folders of linear maps (:func:`paralign.make_map`), one for each language that has one.

    The other arguments and errors are those of :func:`finetune`.
    """
    asked = merge(*map(parse_override, overrides), {"task": {"layer": layer}})
    work, facts = saved_task(task, model, task_section(asked))
    if not data:
        raise UserError("nothing to evaluate on", hint="--data LANG=PATH")
    datasets = dataset_names(data)
    read = [read_data(work, spec, lenient, limit) for spec in data]
    say_dropped(sum((dropped for _, dropped in read), Counter()), quiet)
    folder = RunFolder(Path(out), "evaluate", resume=(Path(out) / "run.json").exists(), command=command)
    encoder = Encoder.from_pretrained(model).to(best_device())
    head = saved_head(work, encoder, model) if work.trains else None
    about = about_encoder(encoder, model, system)
    mapped = use_maps(encoder, about["model_hash"], maps)
    if mapped and system is None:
        about["method"] = f"{about['method']}, mapped"
    if facts:
        # The head's rows are about the encoder it was put on; without it, about the fine-tuned one, whoever it was.
        of = facts["of"] | ({"method": system} if system else {})
        about = of if work.trains else about | {k: of[k] for k in ("method", "control", "seeds")}
    known = {k: about[k] for k in ("method", "control", "model_hash", "parent")}
    if mapped and facts and system is None:
        about = about | {"method": f"{about['method']}, mapped"}
    settings = {
        "maps": mapped,
        "model": model,
        "task": work.name,
        "data": list(data),
        "settings": work.config.model_dump(mode="json"),
    }
    folder.begin(settings, **known)
    measured, seeds, said = [], Seeds(**about["seeds"]), set[str]()
    try:
        seen = known_text(encoder, facts["of"]["model"] if facts else model, work, [])
        seen += fine_tuned_on(model) if facts else []
        warnings = warn_of_data(work, encoder, [(s, d) for s, (d, _) in zip(data, read, strict=True)], seen)
        for spec, dataset, (test, _) in zip(data, datasets, read, strict=True):
            measured += measure(
                work, encoder, head, test, dataset, about, folder.name, seeds,
                split=split, train=facts["train"] if facts and work.trains else None,
                settings=recorded(work) | ({"maps": mapped} if mapped else {}),
            )  # fmt: skip
            say_cut(work, spec, said, quiet)
    except BaseException:
        folder.abandon()
        raise
    warnings += warn_of_scores([row for row, _ in measured])
    if len(encoder.mapped) < len(mapped):
        folder.abandon()
        hint = "measure the layer and the language it was made for"
        raise UserError("a map was not used: no state of its language and layer was read", where=maps[0], hint=hint)
    if folder.main:
        write_results(folder.path, measured)
    folder.save(
        status="done",
        parameters=encoder.parameter_count(),
        device=encoder.device.type,
        threads=torch.get_num_threads(),
        alarms=list(dict.fromkeys([*folder.before.get("alarms", []), *warnings])),
    )
    keys = {row.key() for row, _ in measured}
    rows = [row for row, _ in measured]
    if folder.main:
        rows = [row for row in read_results(folder.path / "results.jsonl") if row.key() in keys]
    say_scores(rows, quiet)
    for warning in warnings:
        echo(f"WARNING {warning}", quiet=quiet)
    return rows
