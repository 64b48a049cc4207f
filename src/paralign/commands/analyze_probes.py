"""``analyze probes``: what a linear classifier reads from each layer of a frozen encoder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from paralign.analyses.probes import ProbeData, ProbesConfig, find_probed_task, probe_encoders
from paralign.commands.analyzed_encoders import load_analyzed, write_encoder_analysis
from paralign.commands.arguments import check_encoders, one_or_several
from paralign.config import check_sections, merge, parse_override, resolve, section
from paralign.console import echo, echo_dropped
from paralign.errors import UserError
from paralign.results import Measurement
from paralign.runs.dataset_names import dataset_names
from paralign.runs.folder import RunFolder
from paralign.tasks.base import read_data

__all__ = ["analyze_probes"]


@one_or_several
def analyze_probes(
    models: str | Sequence[str],
    *,
    task: str,
    train: str | Sequence[str],
    eval: str | Sequence[str],
    out: str | Path,
    overrides: str | Sequence[str] = (),
    limit: int | None = None,
    split: str = "test",
    lenient: bool = False,
    quiet: bool = False,
    command: str | None = None,
) -> list[Measurement]:
    """Train a linear probe on each hidden state of frozen encoders, and score it in other languages.

    Each data set is encoded once for all layers. The probes are multinomial logistic regressions on whitened states
    (:func:`paralign.metrics.linear_probe.fit_linear_probe`), which have one solution: no seed, no learning rate. With
    several encoders, each is also compared with the first one, layer by layer, on the same test items.

    Args:
        models: encoders or fine-tuned models, the one before training first; for tasks with one label per row also
            causal language models.
        task: a tagging or classification task: ``pos``, ``ner``, ``nli``, ``paraphrase``, ``topics``, or
            ``my_module:Class``.
        train: training data, each as ``LANG=PATH``; several sets are trained on together.
        eval: test data, each as ``LANG=PATH``.
        out: the run folder; a rerun with the same settings replaces its content.
        overrides: ``probes.key=value`` (:class:`paralign.analyses.probes.ProbesConfig`), ``task.key=value``.
        limit: use only the first items of every data set. ``None``: all.
        split: name of the split, recorded with the results.
        lenient: drop and count items that cannot be read.
        quiet: print nothing.
        command: recorded with the run. ``None``: the command line, or the call from Python.

    Returns:
        the rows of ``results.jsonl``, one for each encoder, data set, layer and metric.

    Raises:
        UserError: for a task without a linear head, and data, settings or encoders that cannot be used.
    """
    check_encoders(models)
    if not train or not eval:
        what = "training data" if not train else "test data"
        raise UserError(f"no {what}", hint="--model ENCODER --train LANG=PATH --eval LANG=PATH")
    settings = merge(*map(parse_override, overrides))
    check_sections(settings, "probes", "task")
    config = resolve(ProbesConfig, section(settings, "probes"), section="probes")
    kind = find_probed_task(task)
    probed = kind(resolve(kind.Config, section(settings, "task"), section="task"))
    sets = []
    for spec in (*train, *eval):
        data, dropped = read_data(probed, spec, lenient, limit)
        echo_dropped(dropped, "items", quiet=quiet)
        sets.append(data)
    probed.fit(sets[: len(train)])
    names = dataset_names(list(eval))
    folder = RunFolder(Path(out), "analyze probes", command=command, fresh=True)
    recorded: dict[str, Any] = {"models": list(models), "task": task, "train": list(train), "eval": list(eval)}
    recorded |= {"limit": limit, "split": split, "lenient": lenient}
    recorded |= {"probes": config.model_dump(mode="json"), "settings": probed.config.model_dump(mode="json")}
    folder.check_rerun(recorded)
    encoders = load_analyzed(models, allow_causal=probed.accepts_causal, quiet=quiet)
    result = probe_encoders(
        encoders,
        ProbeData(probed, sets[: len(train)], list(zip(names, sets[len(train) :], strict=True)), split),
        config,
        run=folder.name,
        progress=lambda line: echo(line, quiet=quiet),
    )
    write_encoder_analysis(folder, "probes", result, recorded, encoders, quiet=quiet)
    return list(result.rows)
