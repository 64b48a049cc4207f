"""Fine-tune a task's head on one language, score it on others, over several seeds."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from safetensors.torch import save_file

from paralign.config import Config, load_toml, merge, parse_override, resolve
from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.objectives import Objective
from paralign.results import Measurement, Seeds, read_results, write_results
from paralign.tasks import Task, find_task
from paralign.text.draws import seed_for
from paralign.training import Learner, Outcome, Stopped, Trainer, TrainingConfig
from paralign.training.checkpoint import beside
from paralign.verbs.folder import RunFolder, say
from paralign.verbs.measure import about_encoder, measure, read_data, say_dropped, say_scores

__all__ = ["FinetuneConfig", "finetune"]

_HEAD = 41


class FinetuneTraining(TrainingConfig):
    """The loop's settings with the usual defaults of fine-tuning (Devlin et al. 2019)."""

    batch: int = Field(default=32, ge=1)
    epochs: float = Field(default=3, gt=0)
    learning_rate: float = Field(default=5e-5, gt=0)


class FinetuneConfig(Config):
    """Settings of fine-tuning."""

    training: FinetuneTraining = FinetuneTraining()


def finetune(
    model: str,
    *,
    task: str,
    train: str,
    eval: Sequence[str],
    out: str | Path,
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
) -> list[Measurement]:
    """Fine-tune a task's head and the encoder on one language, score it on others (zero-shot).

    Args:
        model: the encoder; its folder is left as it is.
        task: name of a task that trains.
        train: ``LANG=PATH``.
        eval: ``LANG=PATH``, several; the training language among them gives the gap.
        out: the run's folder: ``seed-K/`` holds each seed's log and model, ``results.jsonl`` all rows.
        seeds: fine-tuning seeds 0, 1, ...
        recipe: TOML file with ``[training]``.
        settings: nested settings that win over the recipe.
        overrides: ``training.key=value``.
        limit: first so many training and test sentences.
        split: recorded with the rows.
        system: what tables call the encoder; its own method by default.
        keep_models: keep each seed's fine-tuned encoder and head.
        lenient: drop and count items that cannot be read.
        resume: go on with the run in ``out``; finished seeds are not repeated.

    Returns:
        All rows.

    Raises:
        UserError: for input or settings that cannot be used.
    """
    given = load_toml(Path(recipe)) if recipe else {}
    config = resolve(FinetuneConfig, given, merge(settings or {}, *map(parse_override, overrides)), where=recipe)
    work = find_task(task)
    if not work.trains:
        raise UserError(f"the task {task!r} is not trained", mend="use paralign evaluate")
    if not eval:
        raise UserError("nothing to evaluate on", mend="--eval LANG=PATH")
    data, dropped = read_data(work, train, lenient, limit)
    tests = [read_data(work, spec, lenient, limit)[0] for spec in eval]
    say_dropped(dropped, quiet)
    folder = RunFolder(Path(out), "finetune", resume=resume, command=command)
    rows, language = folder.path / "results.jsonl", work.language(data)
    folder.agree({"task": task, "train": train, "eval": list(eval), **config.model_dump(mode="json")})
    had = {row.seeds.finetune for row in read_results(rows)} if rows.exists() else set()
    if folder.finished and had.issuperset(range(config.training.seed, config.training.seed + seeds)):
        say(f"{out} is finished", quiet=quiet)
        return read_results(rows)
    encoder = Encoder.from_pretrained(model, padding=config.training.padding)
    about = about_encoder(encoder, model, system)
    folder.begin({"model": model, "task": task, "train": train, "eval": list(eval), **config.model_dump(mode="json")},
                 **{k: about[k] for k in ("method", "control", "model_hash", "parent")})  # fmt: skip
    if folder.resumed and folder.before.get("model_hash", about["model_hash"]) != about["model_hash"]:
        raise UserError("the encoder is not the one the run began with", where=folder.path, mend="another --out")
    start = {name: value.clone() for name, value in encoder.state_dict().items()}
    outcomes: list[Outcome] = []
    before = folder.before if folder.before.get("status") == "done" else {}
    try:
        for seed in range(config.training.seed, config.training.seed + seeds):
            if seed in had:
                say(f"{folder.name}: seed {seed} is done", quiet=quiet)
                continue
            encoder.load_state_dict(start)
            training = config.training.model_copy(update={"seed": seed})
            place = folder.path / f"seed-{seed}"
            head, outcome = _train_head(work, encoder, data, training, place, about, resume, quiet, folder.name)
            outcomes.append(outcome)
            seeds_of = Seeds(**about["seeds"], finetune=seed)
            measured = []
            for spec, test in zip(eval, tests, strict=True):
                measured += measure(
                    work, encoder, head, test, spec, about, folder.name, seeds_of, split=split, train=language
                )
            if keep_models and folder.main:
                with beside(place / "model") as part:
                    encoder.save_pretrained(part)
                    save_file({k: v.contiguous() for k, v in head.state_dict().items()}, part / "head.safetensors")
                    (part / "task.json").write_text(
                        json.dumps({"task": task, "train": language, "of": about | {"seeds": seeds_of.model_dump()}}),
                        encoding="utf-8",
                    )
            if folder.main:
                write_results(folder.path, measured)  # last: what has rows is finished
                shutil.rmtree(place / "checkpoints", ignore_errors=True)
            say_scores([row for row, _ in measured], quiet)
    except Stopped:
        folder.save(status="stopped")
        raise
    except BaseException:
        folder.abandon()
        raise
    folder.save(
        status="done",
        seconds=round(before.get("seconds", 0) + sum(o.seconds for o in outcomes), 2),
        steps=before.get("steps", 0) + sum(o.steps for o in outcomes),
        pairs_seen=before.get("pairs_seen", 0) + sum(o.records_seen for o in outcomes),
        tokens_seen=before.get("tokens_seen", 0) + sum(o.pieces_seen for o in outcomes),
        alarms=[alarm for o in outcomes for alarm in o.alarms],
        device=str(encoder.device.type),
        threads=torch.get_num_threads(),
        parameters=encoder.parameter_count(),
    )
    return read_results(rows)


def _train_head(
    work: Task,
    encoder: Encoder,
    data: Any,
    training: TrainingConfig,
    place: Path,
    about: Mapping[str, Any],
    resume: bool,
    quiet: bool,
    title: str,
) -> tuple[Objective, Outcome]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(training.seed, _HEAD))
        head = work.head(encoder)
    batches = work.batches(encoder, data, training)
    training = training.model_copy(update={"batch": batches.size})
    settings = training.model_dump(mode="json") | {"base": about["model_hash"]}
    learner = Learner(encoder, {head.name: head})
    trainer = Trainer(
        learner,
        batches,
        training,
        run=place,
        settings=settings,
        title=f"{title} seed {training.seed}",
        quiet=quiet,
    )
    return head, trainer.train(resume=resume)
