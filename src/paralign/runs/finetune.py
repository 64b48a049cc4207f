"""A fine-tuning run: one head per seed, trained and scored in turn."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field, create_model
from safetensors.torch import save_file

from paralign.config import Config, load_toml, merge, parse_override, resolve
from paralign.console import echo
from paralign.device import best_device, processes
from paralign.encoder import Encoder
from paralign.encoder.hf import set_dropout
from paralign.encoder.layers import LayersConfig, configure_layers, layer_hashes, parse_layers, reinitialize_layers
from paralign.errors import UserError
from paralign.folders import atomic_folder
from paralign.results import Measurement, Seeds, read_results, write_results
from paralign.rng import seed_for
from paralign.runs.dataset_names import dataset_names
from paralign.runs.evaluation_warnings import SEEN, seen_texts, warn_of_data, warn_of_scores
from paralign.runs.folder import RunFolder
from paralign.runs.measure import RowContext, echo_scores, echo_summary, echo_truncated, measure, recorded_settings
from paralign.runs.model_folder import about_model
from paralign.runs.options import RunOptions
from paralign.tasks.base import TaskConfig, find_task_class
from paralign.tasks.head import TaskHead
from paralign.tasks.supervised import SupervisedTask
from paralign.tasks.training_mixture import TrainingMixture
from paralign.training import Callback, DevelopmentScore, Learner, Outcome, Stopped, Trainer, TrainingConfig
from paralign.training.alarms import Alarms
from paralign.training.memory import check_memory
from paralign.training.trackers import Trackers, check_trackers

__all__ = ["FinetuneConfig", "FinetuneData", "FinetuneRun", "finetune_settings", "identity"]

_HEAD, _RESET = 41, 42
"""Streams of random numbers."""
_RECORDED = {"batch", "epochs", "steps", "learning_rate", "warmup", "weight_decay", "betas", "eps", "clip", "dropout",
             "temperature"}  # fmt: skip
"""Settings of the loop that affect the score; rows record those that differ from the task's defaults."""


class FinetuneTraining(TrainingConfig):
    """Settings of the loop with the usual defaults of fine-tuning (Devlin et al. 2019)."""

    batch: int = Field(default=32, ge=1)
    """Number of records per optimizer step, summed over processes and accumulation steps."""
    epochs: float = Field(default=3, gt=0)
    """Number of passes over the data; ignored if ``steps`` is set."""
    learning_rate: float = Field(default=5e-5, gt=0)
    """Peak learning rate of the linear schedule."""


class FinetuneConfig(Config):
    """Settings of fine-tuning; the section ``[task]`` belongs to the task."""

    training: FinetuneTraining = FinetuneTraining()
    layers: LayersConfig = LayersConfig()
    task: TaskConfig = TaskConfig()


@dataclass(frozen=True)
class FinetuneData:
    """What a fine-tuning run reads; the fields are arguments of :func:`paralign.finetune`."""

    train: Sequence[str]
    eval: Sequence[str]
    dev: str | None = None
    code_switch: bool = False
    target_examples: int | None = None
    limit: int | None = None
    split: str = "test"
    system: str | None = None


def finetune_settings(
    task: str, recipe: str | None, settings: Mapping[str, Any] | None, overrides: Sequence[str]
) -> tuple[FinetuneConfig, SupervisedTask]:
    """Compose the settings of a fine-tuning run, and create its task.

    Raises:
        UserError: for a task without a head, and for settings that are not valid.
    """
    kind = find_task_class(task)
    if not issubclass(kind, SupervisedTask):
        raise UserError(f"the task {task!r} has no head to fine-tune", hint="use paralign evaluate")
    composed = create_model(
        "Finetune", __base__=FinetuneConfig, task=(kind.Config, Field(default_factory=dict, validate_default=True))
    )
    from_recipe = load_toml(Path(recipe)) if recipe else {}
    overriding = merge(settings or {}, *map(parse_override, overrides))
    config = resolve(composed, {"training": kind.training}, from_recipe, overriding, where=recipe)
    return config, kind(config.task)


def identity(config: FinetuneConfig, task: str, data: FinetuneData) -> dict[str, Any]:
    """Return the settings that must not change when a run is resumed, without those of the task itself."""
    return {
        "data": {"name": task, **{k: list(v) if k in ("train", "eval") else v for k, v in asdict(data).items()}},
        "training": config.training.model_dump(mode="json"),
        "layers": config.layers.model_dump(mode="json"),
    }


class FinetuneRun:
    """A fine-tuning run before its first step: everything is read and checked.

    Args:
        options: how it is run.
        model: the encoder.
        task: name of the task, and the task.
        config: its settings.
        data: what it reads.
        sets: the training sets.
        tests: the test sets, in the order of ``data.eval``.
        seeds: number of fine-tuning seeds.

    Raises:
        UserError: for a folder that is in use, other settings than the run began with, or an encoder that cannot be
            used.
    """

    def __init__(
        self,
        options: RunOptions,
        model: str,
        task: tuple[str, SupervisedTask],
        config: FinetuneConfig,
        data: FinetuneData,
        sets: TrainingMixture,
        tests: Sequence[Any],
        seeds: int,
    ) -> None:
        self.options, self.model, self.config, self.data, self.sets = options, model, config, data, sets
        self.task_name, self.task = task
        self.tests = list(zip(data.eval, tests, dataset_names(data.eval), strict=True))
        self.folder = RunFolder(options.out, "finetune", resume=options.resume, command=options.command)
        self._rows = self.folder.path / "results.jsonl"
        self._settings = identity(config, self.task_name, data)
        self._settings["task"] = config.task.model_dump(mode="json") | self.task.config.model_dump(mode="json")
        self.folder.check_settings(self._settings)
        self.seeds = range(config.training.seed, config.training.seed + seeds)
        self._done = {row.seeds.finetune for row in read_results(self._rows)} if self._rows.exists() else set()
        check_trackers(options.track)
        self.encoder = Encoder.from_pretrained(model, chunk_cost=config.training.chunk_cost)
        check_memory(self.encoder, best_device(), parts=processes() if config.training.shard else 1)
        self.about = about_model(self.encoder, model) | ({"method": data.system} if data.system else {})
        before = self.folder.before.get("model_hash", self.about["model_hash"])
        if self.folder.resumed and before != self.about["model_hash"]:
            message = "the encoder is not the encoder this run began with"
            raise UserError(message, where=self.folder.path, hint="use another --out")
        self._notes: set[str] = set()

    @property
    def finished(self) -> bool:
        """Whether every seed is done."""
        return self.folder.finished and self._done.issuperset(self.seeds)

    def run(self, *, keep_models: bool = True) -> list[Measurement]:
        """Train and score every seed that is not done.

        Args:
            keep_models: whether the fine-tuned models are kept.

        Returns:
            All rows of the run.

        Raises:
            Stopped: after Ctrl-C or SIGTERM, with a checkpoint saved.
            UserError: at the end, if a seed failed.
        """
        if self.finished:
            echo(f"{self.options.out} is finished", quiet=self.options.quiet)
            return read_results(self._rows)
        folder = self.folder
        self.begin()
        failed: dict[int, Exception] = {}
        rows: list[Measurement] = []
        try:
            self._check_data()
            for seed in self.seeds:
                if seed in self._done:
                    echo(f"{folder.name}: seed {seed} is done", quiet=self.options.quiet)
                    continue
                try:
                    rows += self._run_seed(seed, keep_models)
                except _SeedFailed as failure:
                    failed[seed] = failure.error
                    echo(f"seed {seed} failed: {failure.error}", quiet=self.options.quiet)
            if failed and not rows and not self._done:
                raise next(iter(failed.values()))
        except Stopped:
            folder.save(status="stopped")
            raise
        except BaseException:
            folder.abandon()
            raise
        folder.save(
            status="failed" if failed else "done",
            device=str(self.encoder.device.type),
            threads=torch.get_num_threads(),
            parameters=self.encoder.parameter_count(),
        )
        if folder.main:  # other processes may get here before the first one has written
            rows = read_results(self._rows)
        echo_summary(rows, self.options.quiet)
        _raise_failed(failed, len(self.seeds), folder.path)
        return rows

    def begin(self) -> None:
        """Prepare the layers and write the first facts of the run."""
        config, folder, about = self.config, self.folder, self.about
        if config.training.dropout is not None:
            set_dropout(self.encoder.model, config.training.dropout)
        configure_layers(self.encoder, config.layers)
        layers = config.layers
        changed = {"layers": {"of": about["method"], **layers.model_dump(mode="json")}} if layers.description else {}
        if changed and self.data.system is None:
            about["method"] = f"{about['method']}, {layers.description}"
        folder.begin(
            {"model": self.model, **self._settings},
            **{k: about[k] for k in ("method", "control", "model_hash", "parent")},
        )
        self._recorded = recorded_settings(self.task) | changed | {"training": self._recorded_training()}
        self._weights = {name: value.clone() for name, value in self.encoder.state_dict().items()}
        self._cost = _Cost(folder)
        self._hashes = folder.before.get("layer_hashes", {"encoder": layer_hashes(self.encoder)} if changed else {})
        self._changed = bool(changed)
        if folder.resumed:  # keep what the run recorded before
            folder.save(**self._cost.facts, **({"layer_hashes": self._hashes} if self._hashes else {}))

    def prepare_seed(self, seed: int) -> tuple[TaskHead, Trainer]:
        """Reset the encoder, create a head, and set up the training loop of a seed.

        Raises:
            UserError: for training data that cannot be used, which is the same for every seed.
        """
        self.encoder.load_state_dict(self._weights)
        layers = parse_layers(self.config.layers.reset, self.encoder.layers)
        reinitialize_layers(self.encoder, layers, seed=seed_for(seed, _RESET))
        if self._changed:
            self._hashes[f"seed {seed}"] = layer_hashes(self.encoder)
            self.folder.save(layer_hashes=self._hashes)
        training = self.config.training.model_copy(update={"seed": seed})
        sets = self.sets.sampled_sets(seed)
        batches = self.task.batches(self.encoder, sets, training, switch_with=self.sets.originals)
        echo_truncated(self.task, "training", self._notes, self.options.quiet)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_for(seed, _HEAD))
            head = self.task.head(self.encoder)
        training = training.model_copy(update={"batch": batches.size})
        settings = training.model_dump(mode="json")
        settings |= {"base": self.about["model_hash"], "dev": self.sets.dev is not None}
        trainer = Trainer(
            Learner(self.encoder, {head.name: head}),
            batches,
            training,
            run=self._seed_folder(seed),
            settings=settings,
            title=f"{self.folder.name} seed {seed}",
            quiet=self.options.quiet,
            callbacks=self._callbacks(head),
        )
        return head, trainer

    def _callbacks(self, head: TaskHead) -> list[Callback]:
        callbacks: list[Callback] = [Alarms()]
        dev = self.sets.dev
        if dev is not None:

            def score() -> float:
                value = self.task.evaluate(self.encoder, head, dev)[0].value
                self.task.cut.clear()  # the development set is evaluated after every epoch
                return value

            callbacks.append(DevelopmentScore(score))
        if self.options.track:
            callbacks.append(Trackers(self.options.track))
        return callbacks

    def _run_seed(self, seed: int, keep_models: bool) -> list[Measurement]:
        head, trainer = self.prepare_seed(seed)
        try:
            outcome = trainer.train(resume=self.options.resume)
            rows = self._score(seed, head, keep_models)
        except Stopped:
            raise
        except Exception as error:
            raise _SeedFailed(error) from error
        echo_scores(rows, self.options.quiet)
        self._cost.warn([*outcome.alarms, *warn_of_scores(rows)], self.options.quiet)
        self._cost.add(outcome)
        if outcome.signal:
            raise Stopped(outcome.signal, outcome.steps)
        return rows

    def _score(self, seed: int, head: TaskHead, keep_models: bool) -> list[Measurement]:
        """Score a trained seed on every test set, and write its model and rows."""
        seeds = Seeds(**self.about["seeds"] | {"finetune": seed})
        name, split, train = self.folder.name, self.data.split, self.sets.language
        context = RowContext(self.about, name, seeds, split, train, self._recorded)
        measured = []
        for spec, test, dataset in self.tests:
            measured += measure(self.task, self.encoder, head, test, dataset, context)
            echo_truncated(self.task, spec, self._notes, self.options.quiet)
        if self.folder.main:
            if keep_models:
                of = self.about | {"seeds": seeds.model_dump()}
                self._save_model(self._seed_folder(seed) / "model", head, {"train": self.sets.language, "of": of})
            write_results(self.folder.path, measured)  # last: a seed that has rows is finished
            shutil.rmtree(self._seed_folder(seed) / "checkpoints", ignore_errors=True)
        return [row for row, _ in measured]

    def _save_model(self, folder: Path, head: TaskHead, facts: Mapping[str, Any]) -> None:
        with atomic_folder(folder, replace=True) as part:
            self.encoder.save_pretrained(part)
            save_file({k: v.contiguous() for k, v in head.state_dict().items()}, part / "head.safetensors")
            about = {"task": self.task_name, "settings": self.task.config.model_dump(mode="json"), **facts}
            (part / "task.json").write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8")

    def _seed_folder(self, seed: int) -> Path:
        return self.folder.path / f"seed-{seed}"

    def _check_data(self) -> None:
        """Warn about the test data, and keep keys of the texts that the run has seen."""
        seen = seen_texts(self.encoder, self.model, self.task, self.sets.named_sets(self.seeds[0]))
        if self.folder.main:
            np.save(self.folder.path / SEEN, np.unique(np.concatenate([keys for _, keys in seen])))
        tests = [(spec, test) for spec, test, _ in self.tests]
        self._cost.warn(warn_of_data(self.task, self.encoder, tests, seen), self.options.quiet)

    def _recorded_training(self) -> dict[str, Any]:
        """Return what rows record about training: the sets, and settings that differ from the task's defaults."""
        usual = resolve(FinetuneTraining, self.task.training).model_dump(mode="json")
        now = self.config.training.model_dump(mode="json")
        other = {name: now[name] for name in sorted(_RECORDED) if now[name] != usual[name]}
        limit = {} if self.data.limit is None else {"limit": self.data.limit}
        return {"sets": dataset_names(self.data.train), **other, **limit}


class _SeedFailed(Exception):
    """A seed failed in training or scoring; the other seeds continue."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class _Cost:
    """The cost of a run over all its seeds and resumptions, written as each seed ends."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        names = ("seconds", "steps", "pairs_seen", "tokens_seen", "padding")
        self.facts: dict[str, Any] = {name: folder.before.get(name, 0) for name in names}
        self.facts["alarms"] = list(folder.before.get("alarms", []))

    def add(self, outcome: Outcome) -> None:
        """Add the cost of a seed."""
        facts = self.facts
        facts["seconds"] = round(facts["seconds"] + outcome.seconds, 2)
        facts["steps"] += outcome.steps
        facts["pairs_seen"] += outcome.records_seen
        facts["tokens_seen"] += outcome.pieces_seen
        facts["padding"] = max(facts["padding"], round(outcome.padding, 4))
        self.folder.save(**facts)

    def warn(self, texts: Sequence[str], quiet: bool) -> None:
        """Print and keep the warnings that are new."""
        for text in texts:
            if text not in self.facts["alarms"]:
                echo(f"WARNING {text}", quiet=quiet)
                self.facts["alarms"].append(text)
        self.folder.save(alarms=self.facts["alarms"])


def _raise_failed(failed: Mapping[int, Exception], seeds: int, folder: Path) -> None:
    """Raise if seeds failed, after the results of the others are safe.

    Raises:
        UserError: if the user can fix the cause; otherwise the error itself.
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
