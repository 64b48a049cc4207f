"""Measure an encoder as it is, or a fine-tuned model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch

from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.results import Measurement, Seeds, read_results, write_results
from paralign.tasks import find_task
from paralign.training import best_device
from paralign.verbs.folder import RunFolder
from paralign.verbs.measure import measure, read_data, saved_head, say_dropped, say_scores

__all__ = ["evaluate"]


def evaluate(
    model: str,
    *,
    task: str,
    data: Sequence[str],
    out: str | Path,
    limit: int | None = None,
    split: str = "test",
    system: str | None = None,
    layer: int | None = None,
    lenient: bool = False,
    quiet: bool = False,
    command: str | None = None,
) -> list[Measurement]:
    """Measure an encoder, or a fine-tuned model, on a task.

    Rows are added to ``out/results.jsonl``; those of an earlier measurement of the same thing are replaced.

    Args:
        model: an encoder, or a fine-tuned ``seed-K/model`` for tasks with a head.
        task: name of a task.
        data: ``LANG=PATH`` or ``SRC-TGT=PATH``, several.
        out: the run's folder; may exist if it is a run of ``evaluate``.
        layer: hidden state to read, for tasks that read one.

    The other arguments and errors are those of :func:`finetune`.
    """
    work = find_task(task)
    if layer is not None:
        if not hasattr(work, "layer"):
            raise UserError(f"the task {task!r} reads no single layer")
        work.layer = layer
    if not data:
        raise UserError("nothing to evaluate on", mend="--data LANG=PATH")
    read = [read_data(work, spec, lenient, limit) for spec in data]
    say_dropped(sum((dropped for _, dropped in read), Counter()), quiet)
    folder = RunFolder(Path(out), "evaluate", resume=(Path(out) / "run.json").exists(), command=command)
    encoder = Encoder.from_pretrained(model).to(best_device())
    head, about, train = saved_head(work, encoder, model, system)
    facts = {k: about[k] for k in ("method", "control", "model_hash", "parent")}
    folder.begin({"model": model, "task": task, "data": list(data)}, **facts)
    measured = []
    seeds = Seeds(**about["seeds"])
    try:
        for spec, (test, _) in zip(data, read, strict=True):
            measured += measure(work, encoder, head, test, spec, about, folder.name, seeds, split=split, train=train)
    except BaseException:
        folder.abandon()
        raise
    write_results(folder.path, measured)
    folder.save(
        status="done",
        parameters=encoder.parameter_count(),
        device=encoder.device.type,
        threads=torch.get_num_threads(),
    )
    keys = {row.key() for row, _ in measured}
    rows = [row for row in read_results(folder.path / "results.jsonl") if row.key() in keys]
    say_scores(rows, quiet)
    return rows
