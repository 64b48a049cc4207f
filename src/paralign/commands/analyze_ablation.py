"""``analyze ablation``: fine-tune with some layers reinitialized, and compare."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from paralign.analyses.ablation import AblationCell, ablation_result
from paralign.commands.analysis_folder import write_analysis
from paralign.commands.arguments import one_or_several
from paralign.commands.finetune import finetune
from paralign.config import load_toml
from paralign.console import echo
from paralign.encoder import Encoder
from paralign.encoder.layers import configure_layers, format_layers, layer_stacks, parse_layers
from paralign.errors import UserError
from paralign.results import check_results
from paralign.runs.cells import Cell, run_cells
from paralign.runs.finetune_settings import FinetuneConfig, FinetuneData, finetune_settings, identity
from paralign.runs.folder import RunFolder
from paralign.runs.groups import begin, results_of, run_recorded
from paralign.runs.inputs import check_inputs, data_files, finetune_inputs
from paralign.sources.specs import check_readable_again, parse_text
from paralign.tasks.base import read_data

__all__ = ["analyze_ablation"]


@one_or_several
def analyze_ablation(
    models: str | Sequence[str],
    *,
    task: str,
    train: str | Sequence[str],
    eval: str | Sequence[str],
    out: str | Path,
    layers: str | Sequence[str] = (),
    width: int = 2,
    seeds: int = 1,
    overrides: str | Sequence[str] = (),
    lenient: bool = False,
    limit: int | None = None,
    resume: bool = False,
    quiet: bool = False,
    command: str | None = None,
) -> list[AblationCell]:
    """Fine-tune encoders with and without reinitialized layers, from every source to every target (Muller et al. 2021).

    Each cell is a run of :func:`paralign.finetune` in ``out/TASK/ENCODER/SOURCE/`` that does not keep its weights; it
    costs what its fine-tuning costs. The comparison is written to ``out/ablation-TASK/``: ``ablation.tsv``, and the
    figure that ``paralign report`` draws. With ``resume``, other tasks, encoders, sources, layers or more seeds can be
    added to the same folder; all cells of a task must have the same settings and data.

    Args:
        models: encoders.
        task: a task that is fine-tuned.
        train: ``LANG=PATH``, each a source on its own.
        eval: ``LANG=PATH``, the targets. Sources among them show what a reset costs without transfer.
        out: folder for all runs.
        layers: sets of layers, such as ``0-1``. Empty: all sets of ``width`` neighbors: 0-1, 2-3, ...
        width: number of layers reinitialized together, if no sets are given.
        seeds: number of fine-tuning seeds. Each reinitializes the layers with its own values.
        overrides: ``training.key=value``, ``task.key=value``, ``layers.freeze=...`` for every fine-tuning.
        lenient: drop and count items that cannot be read.
        limit: use only the first items of every data set. ``None``: all.
        resume: continue with what is in ``out``.
        quiet: print nothing.
        command: recorded with the analysis. ``None``: the command line, or the call from Python.

    Returns:
        a cell for each encoder, source, target and reset.

    Raises:
        UserError: for input and settings that cannot be used, before anything is trained; and after all runs, if some
            of them failed.
    """
    encoders, config = _check(models, task, train, eval, overrides, lenient)
    out = Path(out)
    resets = [_reset_sets(encoder.depth, layers, width) for encoder in encoders]
    note = begin(out, resume, quiet)
    names = _folder_names(encoders, out / task)
    _check_same_settings(out / task, config, task, train, eval, limit)
    _check_same_encoders(out / task, encoders)
    cells = [
        _Run(encoder.model, name, source, reset)
        for encoder, name, own_resets in zip(encoders, names, resets, strict=True)
        for source in train
        for reset in ("", *own_resets)
    ]
    failed: list[tuple[str, Exception]] = []
    shared = {"task": task, "eval": list(eval), "seeds": seeds, "overrides": list(overrides), "limit": limit,
              "lenient": lenient, "quiet": quiet}  # fmt: skip
    to_run = [Cell(cell.title(task), _finetune, {"cell": cell, "out": out / task / cell.folder, **shared}, cell.name)
              for cell in cells]  # fmt: skip
    for outcome in run_cells(to_run, note, catch=(UserError,)):  # the other runs are still useful
        if outcome.error is not None:
            where = outcome.cell.options["out"]
            echo(f"WARNING {where}: {outcome.error}", quiet=quiet)
            failed.append((str(where), outcome.error))
    if not any((out / task).rglob("results.jsonl")):
        raise failed[0][1]
    compared = _write_comparison(out / task, out / f"ablation-{task}", [e.digest for e in encoders], command, quiet)
    if failed:
        where, first_error = failed[0]
        raise UserError(
            f"{len(failed)} of {len(cells)} runs failed, the first: {first_error}",
            where=where,
            hint="the others are compared; fix the error and continue with --resume",
        )
    return compared


def _reset_sets(depth: int, layers: Sequence[str], width: int) -> list[str]:
    """Return the sets of layers to reinitialize in an encoder of a depth, each once and in one spelling."""
    neighbors = [format_layers(range(first, min(first + width, depth))) for first in range(0, depth, width)]
    return list(dict.fromkeys(format_layers(parse_layers(text, depth)) for text in layers or neighbors))


@dataclass(frozen=True)
class _Run:
    """One fine-tuning: an encoder, a source, and the layers that are reinitialized."""

    model: str
    name: str
    source: str
    reset: str

    @property
    def language(self) -> str:
        return parse_text(self.source).language

    def title(self, task: str) -> str:
        reset = f"layers {self.reset} reset" if self.reset else "no reset"
        return f"{task}  {self.name}  from {self.language}  {reset}"

    @property
    def folder(self) -> Path:
        return Path(self.name, self.language, f"reset-{self.reset}" if self.reset else "whole")


def _finetune(
    cell: _Run,
    out: Path,
    task: str,
    eval: list[str],
    seeds: int,
    overrides: list[str],
    limit: int | None,
    lenient: bool,
    quiet: bool,
) -> None:
    run_recorded(
        finetune,
        model=cell.model,
        task=task,
        train=cell.source,
        eval=eval,
        seeds=seeds,
        overrides=[*overrides, *([f"layers.reset={cell.reset}"] if cell.reset else [])],
        limit=limit,
        keep_models=False,
        lenient=lenient,
        out=out,
        resume=True,
        quiet=quiet,
    )


@dataclass(frozen=True)
class _AblatedEncoder:
    model: str
    digest: str
    depth: int
    """Number of layers that are used."""


def _check(
    models: Sequence[str], task: str, train: Sequence[str], eval: Sequence[str], overrides: Sequence[str], lenient: bool
) -> tuple[list[_AblatedEncoder], FinetuneConfig]:
    """Find all mistakes that can be detected before hours of fine-tuning; return encoders and settings."""
    if not models or not train or not eval:
        what = "encoder is given" if not models else "training data" if not train else "test data"
        raise UserError(f"no {what}", hint="--model ENCODER --train LANG=PATH --eval LANG=PATH")
    paths = (spec.partition("=")[2].strip() for spec in (*train, *eval))
    check_readable_again(paths, "every run of an ablation reads its data")
    config, head_task = finetune_settings(task, None, overrides)
    if config.layers.reset:
        raise UserError("layers.reset cannot be set: each run resets other layers", hint="name them with --layers")
    for spec in (*train, *eval):
        read_data(head_task, spec, lenient, 1)
    sources = [parse_text(source).language for source in train]
    if len(set(sources)) < len(sources):
        hint = "each --train is a source on its own; to train on several files see paralign finetune"
        raise UserError("two sources have the same language", hint=hint)
    encoders = []
    for model in dict.fromkeys(models):
        encoder = Encoder.from_pretrained(model, quiet=True)  # its runs load it again, with notes
        digest = encoder.digest()
        configure_layers(encoder, config.layers)
        layer_stacks(encoder.model)  # refuses shared layers
        encoders.append(_AblatedEncoder(model, digest, encoder.layers))
    return encoders, config


def _check_same_settings(
    runs: Path, config: FinetuneConfig, task: str, train: Sequence[str], eval: Sequence[str], limit: int | None
) -> None:
    """Refuse to add runs with other settings than those in the folder, as they could not be compared."""
    for source in train:
        settings = identity(config, task, FinetuneData([source], eval, limit=limit))
        compared = {key: settings[key] for key in ("data", "training")}
        for file in sorted(runs.glob(f"*/{parse_text(source).language}/*/run.json")):
            folder = RunFolder(file.parent, "finetune", resume=True)
            folder.check_settings(compared)
            check_inputs(folder, **finetune_inputs([source], eval))
    others = {"eval": data_files(eval)}  # targets are the same for all sources
    for file in sorted(runs.glob("*/*/*/run.json")):
        check_inputs(RunFolder(file.parent, "finetune", resume=True), **others)
        check_results(file.parent)


def _check_same_encoders(runs: Path, encoders: Sequence[_AblatedEncoder]) -> None:
    """Refuse an encoder that changed since its other runs, which would be compared under the same name."""
    digests = {encoder.model: encoder.digest for encoder in encoders}
    for file in sorted(runs.glob("*/*/*/run.json")):
        config = file.with_name("config.toml")
        model = str(load_toml(config).get("model")) if config.is_file() else ""
        model_hash = RunFolder(file.parent, "finetune", resume=True).before.get("model_hash")
        if model_hash not in (None, digests.get(model, model_hash)):
            message = f"the encoder changed since {file.parent} was fine-tuned from it"
            raise UserError(message, where=model, hint="restore it, or use another --out")


def _folder_names(encoders: Sequence[_AblatedEncoder], folder: Path) -> list[str]:
    """Return a folder name for each encoder: ``ppa`` for ``runs/ppa/encoder``, ``ppa-2`` for another one of that
    name."""
    names: list[str] = []
    for encoder in encoders:
        path = Path(encoder.model)
        base = path.parent.name if path.name in ("encoder", "model") and path.parent.name else path.name
        base = re.sub(r"[^\w.-]", "_", base)
        free = (
            name
            for name in _numbered(base)
            if name not in names and _encoder_in(folder / name) in (None, encoder.digest)
        )
        names.append(next(free))
    return names


def _encoder_in(folder: Path) -> str | None:
    """Return the fingerprint of the encoder whose runs are in a folder."""
    for file in sorted(folder.glob("*/*/run.json")):
        model_hash = RunFolder(file.parent, "finetune", resume=True).before.get("model_hash")
        if model_hash:
            return str(model_hash)
    return None


def _numbered(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name}-{number}"
        number += 1


def _write_comparison(runs: Path, out: Path, order: list[str], command: str | None, quiet: bool) -> list[AblationCell]:
    """Compare the cells of all runs in a folder, and write the analysis; encoders come in a given order."""
    rows, notes = results_of([runs])
    result = ablation_result(rows, notes, order)
    result.warnings = [*result.warnings, *_warnings_of(runs)]
    folder = RunFolder(out, "analyze ablation", command=command, fresh=True)
    with folder:
        folder.begin({"runs": [str(runs)]})
        write_analysis(folder, "ablation", result, quiet)
    cells: list[AblationCell] = result.value
    return cells


def _warnings_of(runs: Path) -> list[str]:
    """Return the warnings of all runs in a folder, each once, with the number of runs that raised it."""
    raised: dict[str, list[str]] = {}
    files = sorted(runs.rglob("run.json"))
    for file in files:
        try:
            facts = json.loads(file.read_text(encoding="utf-8"))
        except (ValueError, RecursionError):
            continue  # of a run that failed or has no results; results were read before
        alarms = facts.get("alarms") if isinstance(facts, dict) else None
        for text in dict.fromkeys(map(str, alarms if isinstance(alarms, list) else ())):
            raised.setdefault(text, []).append(str(file.parent.relative_to(runs)))
    return [f"{text} ({len(names)} of {len(files)} runs, first {names[0]})" for text, names in raised.items()]
