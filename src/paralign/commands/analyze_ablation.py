"""Which layers does transfer need? Fine-tune with some drawn anew, and compare."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from paralign.analyses.ablation import AblationCell, ablation_cells
from paralign.commands.finetune import finetune
from paralign.console import echo
from paralign.encoder import Encoder
from paralign.encoder.layers import configure_layers, format_layers, layer_stacks, parse_layers
from paralign.errors import UserError
from paralign.formats.lines import write_lines
from paralign.runs.finetune import FinetuneConfig, FinetuneData, finetune_settings, identity
from paralign.runs.folder import RunFolder
from paralign.runs.groups import begin, command_line, each, results_of
from paralign.sources.specs import parse_text
from paralign.tasks.base import read_data

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
    draws. Other tasks, encoders, sources, layers, or more seeds may be added in the same folder with ``resume``; all
    cells of a task are trained and tested alike.

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
    known, config = _check(models, task, train, eval, overrides, lenient)
    out = Path(out)
    wanted = []
    for one in known:
        sets = [parse_layers(name, one.depth) for name in layers or neighbours(one.depth, width)]
        wanted.append(list(dict.fromkeys(map(format_layers, sets))))
    note = begin(out, resume, quiet)
    names = _names(known, out / task)
    _same(out / task, config, task, train, eval, limit)
    cells = [(one.model, name, source, reset) for one, name, some in zip(known, names, wanted, strict=True)
             for source in train for reset in ("", *some)]  # fmt: skip
    failed: list[tuple[str, UserError]] = []
    for number, (model, name, source, reset) in enumerate(cells, 1):
        language = parse_text(source).language
        what = f"layers {reset} anew" if reset else "no reset"
        note(f"{number}/{len(cells)}  {task}  {name}  from {language}  {what}")
        run = out / task / name / language / (f"reset-{reset}" if reset else "whole")
        options = [*each("--eval", eval), "--seeds", seeds, *each("--set", overrides), "--no-keep-models"]
        options += ["--reset-layers", reset] * bool(reset) + ["--lenient"] * lenient
        options += ["--limit", limit] if limit is not None else []
        try:
            finetune(
                model, task=task, train=source, eval=eval, out=run, seeds=seeds, overrides=overrides, limit=limit,
                settings={"layers": {"reset": reset}} if reset else None, keep_models=False, lenient=lenient,
                resume=True, quiet=quiet,
                command=command_line("finetune", "--model", model, "--task", task, "--train", source, *options,
                                     "--out", run, "--resume"),
            )  # fmt: skip
        except UserError as error:  # the other cells are worth having
            echo(f"WARNING {run}: {error}", quiet=quiet)
            failed.append((str(run), error))
    if not any((out / task).rglob("results.jsonl")):
        raise failed[0][1]
    cells_found = _tell(out / task, out / f"ablation-{task}", [one.digest for one in known], command, quiet)
    if failed:
        raise UserError(f"{len(failed)} of {len(cells)} cells failed, the first: {failed[0][1].message}",
                        where=failed[0][0], hint="the others are told; fix it and --resume")  # fmt: skip
    return cells_found


def neighbours(depth: int, width: int) -> list[str]:
    """``0-1``, ``2-3``, ...; a last set may be smaller."""
    return [format_layers(range(first, min(first + width, depth))) for first in range(0, depth, width)]


@dataclass(frozen=True)
class _Known:
    """An encoder that is to be looked into."""

    model: str
    digest: str
    depth: int
    """Layers that are used."""


def _check(
    models: Sequence[str], task: str, train: Sequence[str], eval: Sequence[str], overrides: Sequence[str], lenient: bool
) -> tuple[list[_Known], FinetuneConfig]:
    """Everything that can be seen to be wrong before hours of fine-tuning; the encoders, and the settings."""
    if not models or not train or not eval:
        what = "encoder is given" if not models else "training data" if not train else "test data"
        raise UserError(f"no {what}", hint="--model ENCODER --train LANG=PATH --eval LANG=PATH")
    config, work = finetune_settings(task, None, None, overrides)
    if config.layers.reset:
        raise UserError("layers.reset is set for every cell", hint="name the layers with --layers")
    for spec in (*train, *eval):
        read_data(work, spec, lenient, 1)
    sources = [parse_text(source).language for source in train]
    if len(set(sources)) < len(sources):
        raise UserError("two sources of one language", hint="each --train is a source by itself; see paralign finetune")
    known = []
    for model in dict.fromkeys(models):
        encoder = Encoder.from_pretrained(model)
        digest = encoder.digest()
        configure_layers(encoder, config.layers)
        layer_stacks(encoder.model)  # refuses shared layers
        known.append(_Known(model, digest, encoder.layers))
    return known, config


def _same(
    runs: Path, config: FinetuneConfig, task: str, train: Sequence[str], eval: Sequence[str], limit: int | None
) -> None:
    """Refuse to add cells of other settings than those that are there: the two could not be compared."""
    for source in train:
        began = identity(config, task, FinetuneData([source], eval, limit=limit))
        for file in sorted(runs.glob(f"*/{parse_text(source).language}/*/run.json")):
            RunFolder(file.parent, "finetune", resume=True).check_settings({k: began[k] for k in ("data", "training")})


def _names(known: Sequence[_Known], folder: Path) -> list[str]:
    """A folder's name for each encoder: ``runs/ppa/encoder`` is ``ppa``; another encoder of that name ``ppa-2``."""
    out: list[str] = []
    for one in known:
        path = Path(one.model)
        base = path.parent.name if path.name in ("encoder", "model") and path.parent.name else path.name
        base = re.sub(r"[^\w.-]", "_", base)
        free = (name for name in _numbered(base) if name not in out and _holds(folder / name) in (None, one.digest))
        out.append(next(free))
    return out


def _holds(folder: Path) -> str | None:
    """The encoder whose cells lie in a folder, by its fingerprint."""
    for file in sorted(folder.glob("*/*/run.json")):
        found = json.loads(file.read_text(encoding="utf-8")).get("model_hash")
        if found:
            return str(found)
    return None


def _numbered(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name}-{number}"
        number += 1


def _tell(runs: Path, out: Path, order: Sequence[str], command: str | None, quiet: bool) -> list[AblationCell]:
    """Bring the cells of all runs together, the encoders in their order."""
    rows, torn = results_of([runs])
    cells, notes = ablation_cells(rows)
    cells.sort(key=lambda cell: order.index(cell.model_hash) if cell.model_hash in order else len(order))
    notes = torn + notes
    folder = RunFolder(out, "analyze ablation", command=command, fresh=True)
    folder.begin({"runs": [str(runs)]})
    names = [field.name for field in fields(AblationCell)]
    if folder.main:
        lines = ["\t".join(_shown(getattr(cell, name)) for name in names) for cell in cells]
        write_lines(out / "ablation.tsv", ["\t".join(names), *lines])
    folder.figure("ablation", "ablation", cells=cells, notes=notes)
    folder.save(status="done", alarms=notes)
    for cell in cells:
        gap = "" if math.isnan(cell.difference) else f" ({round(100 * cell.difference, 1) + 0.0:+.1f})"
        what = f"layers {cell.reset} anew" if cell.reset else "no reset"
        score = f"{100 * cell.score:.1f}"
        target = f"{cell.targets} targets, mean" if cell.targets > 1 else cell.target
        echo(f"{cell.task} {cell.system} {cell.source} to {target}, {what}: {score}{gap}", quiet=quiet)
    for text in notes:
        echo(f"WARNING {text}", quiet=quiet)
    return cells


def _shown(value: object) -> str:
    return "" if isinstance(value, float) and math.isnan(value) else str(value)
