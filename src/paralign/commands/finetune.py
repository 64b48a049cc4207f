"""Fine-tune a task's head on one or several languages, score it on others, over several seeds."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field, create_model
from safetensors.torch import save_file

from paralign.config import Config, find_class, load_toml, merge, parse_override, resolve
from paralign.console import echo
from paralign.device import best_device, processes
from paralign.encoder import Encoder
from paralign.encoder.hf import set_dropout
from paralign.encoder.layers import LayersConfig, chosen_layers, layer_hashes, prepare_layers, reset_layers
from paralign.errors import UserError
from paralign.folders import atomic_folder
from paralign.objectives import Batches
from paralign.results import Measurement, Seeds, read_results, write_results
from paralign.rng import seed_for
from paralign.runs.folder import RunFolder
from paralign.runs.measure import (
    about_model,
    dataset_names,
    measure,
    recorded,
    say_cut,
    say_dropped,
    say_scores,
    say_summary,
)
from paralign.runs.warnings import SEEN, known_text, warn_of_data, warn_of_scores
from paralign.tasks import Task
from paralign.tasks.base import TASKS, TaskConfig, read_data
from paralign.tasks.dataset import Dataset
from paralign.tasks.supervised import Head, Supervised
from paralign.tasks.training_sets import read_transfer
from paralign.training import Learner, Outcome, Stopped, Trainer, TrainingConfig
from paralign.training.memory import check_memory
from paralign.training.track import check_trackers

__all__ = ["FinetuneConfig", "finetune", "finetune_settings", "settled"]

_HEAD, _RESET = 41, 42
_TELLING = {"batch", "epochs", "steps", "learning_rate", "warmup", "weight_decay", "betas", "eps", "clip", "dropout",
            "temperature"}  # fmt: skip
"""Settings of the loop that make a score another one; rows tell those that are not the task's own."""


class FinetuneTraining(TrainingConfig):
    """The loop's settings with the usual defaults of fine-tuning (Devlin et al. 2019)."""

    batch: int = Field(default=32, ge=1)
    epochs: float = Field(default=3, gt=0)
    learning_rate: float = Field(default=5e-5, gt=0)


class FinetuneConfig(Config):
    """Settings of fine-tuning; the section ``[task]`` is the task's own."""

    training: FinetuneTraining = FinetuneTraining()
    layers: LayersConfig = LayersConfig()
    task: TaskConfig = TaskConfig()


def finetune(
    model: str,
    *,
    task: str,
    train: str | Sequence[str],
    eval: Sequence[str],
    out: str | Path,
    dev: str | None = None,
    code_switch: bool = False,
    target_examples: int | None = None,
    seeds: int = 1,
    recipe: str | None = None,
    settings: Mapping[str, Any] | None = None,
    overrides: Sequence[str] = (),
    limit: int | None = None,
    split: str = "test",
    system: str | None = None,
    keep_models: bool = True,
    lenient: bool = False,
    resume: bool = False,
    quiet: bool = False,
    command: str | None = None,
    track: Sequence[str] = (),
    look: Callable[[Trainer, Supervised], None] | None = None,
) -> list[Measurement]:
    """Fine-tune a task's head and the encoder, and score them on other languages.

    One training set in English is zero-shot transfer; its translations are translate-train; several are trained on
    together. Every seed's rows are written as soon as it ends; a seed that fails does not stop the others.

    Args:
        model: the encoder; its folder is left as it is.
        task: name of a task that trains, or ``my_module:Class``.
        train: ``LANG=PATH``, or several.
        eval: ``LANG=PATH``, several; English among them gives the gap.
        out: the run's folder: ``seed-K/`` holds each seed's log and model, ``results.jsonl`` all rows.
        dev: ``LANG=PATH``: measured after each epoch, the weights of the best are the result (English by custom).
        code_switch: train on code-switched twins of each set and its originals, the English set among ``train``
            (the first where none is English), which is not trained on itself (Pan et al. 2021, section 2.4).
        target_examples: few-shot: of the sets in other languages than the first only so many items, drawn by seed.
        seeds: fine-tuning seeds 0, 1, ...
        recipe: TOML file with ``[training]``, ``[layers]`` and ``[task]``.
        settings: nested settings that win over the recipe.
        overrides: ``training.key=value``, ``layers.key=value`` (:class:`paralign.encoder.layers.LayersConfig`: layers
            drawn anew, frozen, left out), ``task.key=value``.
        limit: first so many items of every set.
        split: recorded with the rows.
        system: what tables call the encoder; its own method by default.
        keep_models: keep each seed's fine-tuned encoder and head.
        lenient: drop and count items that cannot be read.
        resume: go on with the run in ``out``; finished seeds are not repeated.
        look: called when the first seed is ready, instead of training.

    Returns:
        All rows.

    Raises:
        UserError: for input or settings that cannot be used, and at the end if a seed failed.
    """
    config, work = finetune_settings(task, recipe, settings, overrides)
    if not eval:
        raise UserError("nothing to evaluate on", hint="--eval LANG=PATH")
    specs = [train] if isinstance(train, str) else list(train)
    transfer, dropped = read_transfer(work, specs, dev, code_switch, target_examples, lenient, limit)
    datasets = dataset_names(eval)
    tests = [read_data(work, spec, lenient, limit) for spec in eval]
    say_dropped(sum((some for _, some in tests), dropped), quiet)
    work.fit(transfer.sets)
    folder = RunFolder(Path(out), "finetune", resume=resume, command=command)
    rows = folder.path / "results.jsonl"
    given = {"code_switch": code_switch, "target_examples": target_examples, "limit": limit, "split": split}
    chosen = settled(config, task, specs, eval, dev=dev, system=system, **given)
    chosen["task"] = config.task.model_dump(mode="json") | work.config.model_dump(mode="json")
    folder.agree(chosen)
    had = {row.seeds.finetune for row in read_results(rows)} if rows.exists() else set()
    wanted = range(config.training.seed, config.training.seed + seeds)
    check_trackers(track)
    encoder = Encoder.from_pretrained(model, chunk_cost=config.training.chunk_cost)
    check_memory(encoder, best_device(), parts=processes() if config.training.shard else 1)
    about = about_model(encoder, model) | ({"method": system} if system else {})
    if folder.resumed and folder.before.get("model_hash", about["model_hash"]) != about["model_hash"]:
        raise UserError("the encoder is not the one the run began with", where=folder.path, hint="another --out")
    if folder.finished and had.issuperset(wanted):
        echo(f"{out} is finished", quiet=quiet)
        return read_results(rows)
    if config.training.dropout is not None:
        set_dropout(encoder.model, config.training.dropout)
    prepare_layers(encoder, config.layers)
    changed = {"layers": {"of": about["method"], **config.layers.model_dump(mode="json")}} if config.layers.said else {}
    if changed and system is None:
        about["method"] = f"{about['method']}, {config.layers.said}"
    folder.begin({"model": model, **chosen}, **{k: about[k] for k in ("method", "control", "model_hash", "parent")})
    told = recorded(work) | changed | {"training": _told(config, work, specs, limit)}
    start = {name: value.clone() for name, value in encoder.state_dict().items()}
    cost, found = _Cost(folder), list[Measurement]()
    hashes = folder.before.get("layer_hashes", {"encoder": layer_hashes(encoder)} if changed else {})
    if folder.resumed:  # what it knew stays known
        folder.save(**cost.facts, **({"layer_hashes": hashes} if hashes else {}))
    failed: dict[int, Exception] = {}
    said: set[str] = set()
    named = [(spec, data) for spec, (data, _) in zip(eval, tests, strict=True)]
    try:
        seen = known_text(encoder, model, work, transfer.texts(wanted[0]))
        if folder.main:
            np.save(folder.path / SEEN, np.unique(np.concatenate([keys for _, keys in seen])))
        cost.warn(warn_of_data(work, encoder, named, seen), quiet)
        for seed in wanted:
            if seed in had:
                echo(f"{folder.name}: seed {seed} is done", quiet=quiet)
                continue
            encoder.load_state_dict(start)
            reset_layers(encoder, chosen_layers(config.layers.reset, encoder.layers), seed=seed_for(seed, _RESET))
            if changed:
                hashes[f"seed {seed}"] = layer_hashes(encoder)
                folder.save(layer_hashes=hashes)
            training = config.training.model_copy(update={"seed": seed})
            place = folder.path / f"seed-{seed}"
            # What is wrong with the data is wrong for every seed: this may raise.
            batches = work.batches(encoder, transfer.drawn(seed), training, switch_with=transfer.originals)
            say_cut(work, "training", said, quiet)
            try:
                head, trainer = _head_trainer(
                    work, encoder, batches, transfer.dev, training, place, about, quiet, track,
                    f"{folder.name} seed {seed}",
                )  # fmt: skip
                if look is not None:
                    look(trainer, work)
                    return []
                outcome = trainer.train(resume=resume)
                seeds_of = Seeds(**about["seeds"] | {"finetune": seed})
                measured = []
                for (spec, test), dataset in zip(named, datasets, strict=True):
                    measured += measure(
                        work, encoder, head, test, dataset, about, folder.name, seeds_of,
                        split=split, train=transfer.language, settings=told,
                    )  # fmt: skip
                    say_cut(work, spec, said, quiet)
                if keep_models and folder.main:
                    facts = {"train": transfer.language, "of": about | {"seeds": seeds_of.model_dump()}}
                    _save(place / "model", task, work, encoder, head, facts)
                if folder.main:
                    write_results(folder.path, measured)  # last: what has rows is finished
                    shutil.rmtree(place / "checkpoints", ignore_errors=True)
            except Exception as error:
                if isinstance(error, Stopped):
                    raise
                failed[seed] = error
                echo(f"seed {seed} failed: {error}", quiet=quiet)
                continue
            found += [row for row, _ in measured]
            say_scores([row for row, _ in measured], quiet)
            cost.warn([*outcome.alarms, *warn_of_scores([row for row, _ in measured])], quiet)
            cost.add(outcome)
            if outcome.signal:
                raise Stopped(outcome.signal, outcome.steps)
        if failed and not found and not had:
            raise next(iter(failed.values()))
    except Stopped:
        folder.save(status="stopped")
        raise
    except BaseException:
        folder.abandon()
        raise
    folder.save(
        status="failed" if failed else "done",
        device=str(encoder.device.type),
        threads=torch.get_num_threads(),
        parameters=encoder.parameter_count(),
    )
    if folder.main:  # the others may come before the first has written
        found = read_results(rows)
    say_summary(found, quiet)
    _raise_failed(failed, len(wanted), folder.path)
    return found


def settled(
    config: FinetuneConfig, task: str, train: Sequence[str], eval: Sequence[str], **given: Any
) -> dict[str, Any]:
    """What a run must keep to when it goes on, but for the task's own settings, which its data complete."""
    data = {"dev": None, "code_switch": False, "target_examples": None, "limit": None, "split": "test", "system": None}
    return {
        "data": {"name": task, "train": list(train), "eval": list(eval), **data, **given},
        "training": config.training.model_dump(mode="json"),
        "layers": config.layers.model_dump(mode="json"),
    }


def _told(config: FinetuneConfig, work: Supervised, train: Sequence[str], limit: int | None) -> dict[str, Any]:
    """What rows say of their training: the sets, and what is not the task's usual way."""
    usual = resolve(FinetuneTraining, work.training).model_dump(mode="json")
    now = config.training.model_dump(mode="json")
    other = {name: now[name] for name in sorted(_TELLING) if now[name] != usual[name]}
    return {"sets": dataset_names(train), **other, **({} if limit is None else {"limit": limit})}


class _Cost:
    """What a run amounted to over all its seeds and resumptions, written as each seed ends."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        names = ("seconds", "steps", "pairs_seen", "tokens_seen", "padding")
        self.facts: dict[str, Any] = {name: folder.before.get(name, 0) for name in names}
        self.facts["alarms"] = list(folder.before.get("alarms", []))

    def add(self, outcome: Outcome) -> None:
        """A seed has ended."""
        facts = self.facts
        facts["seconds"] = round(facts["seconds"] + outcome.seconds, 2)
        facts["steps"] += outcome.steps
        facts["pairs_seen"] += outcome.records_seen
        facts["tokens_seen"] += outcome.pieces_seen
        facts["padding"] = max(facts["padding"], round(outcome.padding, 4))
        self.folder.save(**facts)

    def warn(self, texts: Sequence[str], quiet: bool) -> None:
        """Say and keep what was not said before."""
        for text in texts:
            if text not in self.facts["alarms"]:
                echo(f"WARNING {text}", quiet=quiet)
                self.facts["alarms"].append(text)
        self.folder.save(alarms=self.facts["alarms"])


def finetune_settings(
    task: str, recipe: str | None, settings: Mapping[str, Any] | None, overrides: Sequence[str]
) -> tuple[FinetuneConfig, Supervised]:
    """The settings of a fine-tuning, and its task.

    Raises:
        UserError: for a task that does not train, and settings that cannot be.
    """
    kind = find_class("task", task, TASKS, Task)  # type: ignore[type-abstract]
    if not issubclass(kind, Supervised):
        raise UserError(f"the task {task!r} is not trained", hint="use paralign evaluate")
    composed = create_model(
        "Finetune", __base__=FinetuneConfig, task=(kind.Config, Field(default_factory=dict, validate_default=True))
    )
    given = load_toml(Path(recipe)) if recipe else {}
    asked = merge(settings or {}, *map(parse_override, overrides))
    config = resolve(composed, {"training": kind.training}, given, asked, where=recipe)
    return config, kind(config.task)


def _head_trainer(
    work: Supervised,
    encoder: Encoder,
    batches: Batches,
    dev: Dataset[Any] | None,
    training: TrainingConfig,
    place: Path,
    about: Mapping[str, Any],
    quiet: bool,
    track: Sequence[str],
    title: str,
) -> tuple[Head, Trainer]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(training.seed, _HEAD))
        head = work.head(encoder)
    training = training.model_copy(update={"batch": batches.size})
    settings = training.model_dump(mode="json") | {"base": about["model_hash"], "dev": dev is not None}

    def score() -> float:
        assert dev is not None
        value = work.evaluate(encoder, head, dev)[0].value
        work.cut.clear()  # the development set is looked at every epoch
        return value

    trainer = Trainer(
        Learner(encoder, {head.name: head}),
        batches,
        training,
        run=place,
        settings=settings,
        title=title,
        quiet=quiet,
        score=None if dev is None else score,
        track=track,
    )
    return head, trainer


def _save(folder: Path, task: str, work: Supervised, encoder: Encoder, head: Head, facts: Mapping[str, Any]) -> None:
    with atomic_folder(folder, replace=True) as part:
        encoder.save_pretrained(part)
        save_file({k: v.contiguous() for k, v in head.state_dict().items()}, part / "head.safetensors")
        about = {"task": task, "settings": work.config.model_dump(mode="json"), **facts}
        (part / "task.json").write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8")


def _raise_failed(failed: Mapping[int, Exception], seeds: int, folder: Path) -> None:
    """Say which seeds failed, when the others are safe.

    Raises:
        UserError: if what failed was the user's to fix; else the error itself.
    """
    if not failed:
        return
    seed, error = next(iter(failed.items()))
    if not isinstance(error, UserError):
        raise error
    raise UserError(
        f"{len(failed)} of {seeds} seeds failed, the others are kept; seed {seed}: {error}",
        where=folder,
        hint="--resume repeats them",
    )
