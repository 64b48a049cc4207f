"""Which layers does transfer need? Fine-tune with some drawn anew, and compare."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from paralign.analysis.ablation import AblationCell, ablation_cells
from paralign.encoder import Encoder
from paralign.encoder.layers import chosen_layers
from paralign.errors import UserError
from paralign.text import parse_text
from paralign.text.lines import write_lines
from paralign.verbs.finetune import finetune, finetune_settings
from paralign.verbs.folder import RunFolder, say
from paralign.verbs.measure import read_data
from paralign.verbs.several import begin, command_line, each, results_of

__all__ = ["analyze_ablation"]


def analyze_ablation(
    models: Sequence[str],
    *,
    task: str,
    train: Sequence[str],
    eval: Sequence[str],
    out: str | Path,
    layers: Sequence[str] = (),
    width: int = 2,
    seeds: int = 1,
    overrides: Sequence[str] = (),
    lenient: bool = False,
    limit: int | None = None,
    resume: bool = False,
    quiet: bool = False,
    command: str | None = None,
) -> list[AblationCell]:
    """Fine-tune encoders with layers drawn anew, and without, from every source to every target (Muller et al. 2021).

    Every cell is a run of :func:`paralign.finetune`, without its weights, in ``out/TASK/ENCODER/SOURCE/``; a cell costs
    what its fine-tuning costs. Then ``out/ablation-TASK/``: ``ablation.tsv`` and the figure that ``paralign report``
    draws. Other tasks, encoders, layers, or more seeds may be added in the same folder with ``resume``.

    Args:
        models: encoders.
        task: one that trains.
        train: ``LANG=PATH``, several: each a source by itself.
        eval: ``LANG=PATH``, several: targets; the sources among them say what a reset costs without transfer.
        out: folder for everything.
        layers: sets of layers, ``0-1``; by default all of ``width`` neighbours: 0-1, 2-3, ...
        width: layers drawn anew together, where no sets are given.
        seeds: fine-tuning seeds; each draws its layers by itself.
        overrides: ``training.key=value``, ``task.key=value``, ``layers.freeze=...`` of every fine-tuning.
        lenient: drop and count items that cannot be read.
        limit: first so many items of every set.
        resume: go on with what is in ``out``.
        quiet: say nothing.
        command: recorded with the analysis.

    Raises:
        UserError: for input and settings that cannot be used, before anything is trained.
    """
    depths = _check(models, task, train, eval, overrides, lenient)
    out = Path(out)
    wanted = [list(layers) or neighbours(depth, width) for depth in depths]
    for depth, some in zip(depths, wanted, strict=True):
        for name in some:
            chosen_layers(name, depth)
    note = begin(out, resume, quiet)
    names = _names(models)
    cells = [(model, names[model], source, reset) for model, some in zip(models, wanted, strict=True)
             for source in train for reset in ("", *some)]  # fmt: skip
    runs = []
    for number, (model, name, source, reset) in enumerate(cells, 1):
        language = parse_text(source).language
        note(
            f"{number}/{len(cells)}  {task}  {name}  from {language}  {f'layers {reset} anew' if reset else 'no reset'}"
        )
        runs.append(out / task / name / language / (f"reset-{reset}" if reset else "whole"))
        options = [*each("--eval", eval), "--seeds", seeds, *each("--set", overrides), "--no-keep-models"]
        options += ["--reset-layers", reset] * bool(reset) + ["--lenient"] * lenient
        options += ["--limit", limit] if limit is not None else []
        finetune(
            model, task=task, train=source, eval=eval, out=runs[-1], seeds=seeds, overrides=overrides, limit=limit,
            settings={"layers": {"reset": reset}} if reset else None, keep_models=False, lenient=lenient, resume=True,
            quiet=quiet,
            command=command_line("finetune", "--model", model, "--task", task, "--train", source, *options, "--out",
                                 runs[-1], "--resume"),
        )  # fmt: skip
    return _tell(out / task, out / f"ablation-{task}", command, quiet)


def neighbours(depth: int, width: int) -> list[str]:
    """``0-1``, ``2-3``, ...; a last set may be smaller."""
    sets = [(first, min(first + width, depth) - 1) for first in range(0, depth, width)]
    return [str(first) if first == last else f"{first}-{last}" for first, last in sets]


def _check(
    models: Sequence[str], task: str, train: Sequence[str], eval: Sequence[str], overrides: Sequence[str], lenient: bool
) -> list[int]:
    """Everything that can be seen to be wrong before hours of fine-tuning; the encoders' depths."""
    if not models or not train or not eval:
        what = "encoder is given" if not models else "training data" if not train else "test data"
        raise UserError(f"no {what}", mend="--model ENCODER --train LANG=PATH --eval LANG=PATH")
    _, work = finetune_settings(task, None, None, overrides)
    for spec in (*train, *eval):
        read_data(work, spec, lenient, 1)
    sources = [parse_text(source).language for source in train]
    if len(set(sources)) < len(sources):
        raise UserError("two sources of one language", mend="each --train is a source by itself; see paralign finetune")
    return [Encoder.from_pretrained(model).layers for model in models]


def _names(models: Sequence[str]) -> dict[str, str]:
    """A folder's name for each encoder: ``runs/ppa/encoder`` is ``ppa``."""
    out: dict[str, str] = {}
    for model in models:
        path = Path(model)
        base = path.parent.name if path.name in ("encoder", "model") and path.parent.name else path.name
        base = re.sub(r"[^\w.-]", "_", base)
        taken = set(out.values())
        out.setdefault(model, next(n for n in _numbered(base) if n not in taken))
    return out


def _numbered(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name}-{number}"
        number += 1


def _tell(runs: Path, out: Path, command: str | None, quiet: bool) -> list[AblationCell]:
    """Bring the cells of all runs together."""
    rows, torn = results_of([runs])
    cells, notes = ablation_cells(rows)
    notes = torn + notes
    folder = RunFolder(out, "analyze", resume=(out / "run.json").exists(), command=command)
    folder.begin({"runs": [str(runs)]})
    known = [
        {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in asdict(cell).items()} for cell in cells
    ]
    names = list(asdict(cells[0])) if cells else []
    lines = ["\t".join("" if row[name] is None else str(row[name]) for name in names) for row in known]
    write_lines(out / "ablation.tsv", ["\t".join(names), *lines])
    (out / "figures").mkdir(exist_ok=True)
    told = {"schema": 1, "kind": "ablation", "cells": known, "notes": notes}
    write_lines(out / "figures" / "ablation.json", [json.dumps(told, ensure_ascii=False)])
    folder.save(status="done", alarms=notes)
    for cell in cells:
        gap = "" if math.isnan(cell.difference) else f" ({100 * cell.difference:+.1f})"
        what = f"layers {cell.reset} anew" if cell.reset else "no reset"
        score = f"{100 * cell.score:.1f}"
        say(f"{cell.task} {cell.system} {cell.source} to {cell.target}, {what}: {score}{gap}", quiet=quiet)
    for text in notes:
        say(f"WARNING {text}", quiet=quiet)
    return cells
