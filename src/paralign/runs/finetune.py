"""A fine-tuning run: for each seed a head is trained and evaluated."""

from __future__ import annotations

import gc
import json
import shutil
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from paralign.config import resolve
from paralign.console import echo
from paralign.device import best_device, processes, uses_cuda
from paralign.digests import file_digest, write_digests
from paralign.encoder import Encoder
from paralign.encoder.hf import set_dropout
from paralign.encoder.layers import configure_layers, layer_hashes, parse_layers, reinitialize_layers
from paralign.encoder.loading import check_model
from paralign.encoder.precision import choose_precision
from paralign.errors import Stopped, UserError
from paralign.folders import atomic_file, atomic_folder
from paralign.results import Items, Measurement, Seeds, check_results, read_results, write_results
from paralign.rng import seed_for
from paralign.runs.dataset_names import dataset_names
from paralign.runs.evaluation_warnings import SEEN, seen_texts, warn_of_data, warn_of_languages, warn_of_scores
from paralign.runs.finetune_cost import FinetuneCost
from paralign.runs.finetune_settings import FinetuneConfig, FinetuneData, FinetuneTraining, identity
from paralign.runs.folder import RunFolder
from paralign.runs.inputs import check_inputs, finetune_inputs, model_files
from paralign.runs.measure import (
    RowContext,
    content_digest,
    echo_scores,
    echo_summary,
    echo_truncated,
    measure,
    recorded_settings,
)
from paralign.runs.model_folder import describe_model, fine_tuning_settings
from paralign.runs.options import RunOptions
from paralign.runs.training_lineage import NOT_DECISIVE
from paralign.tasks.head import TaskHead
from paralign.tasks.supervised import SupervisedTask
from paralign.tasks.training_mixture import TrainingMixture
from paralign.training import Callback, DevelopmentScore, Learner, Trainer
from paralign.training.alarms import Alarms
from paralign.training.memory import check_memory
from paralign.training.trackers import Trackers, check_trackers

__all__ = ["FinetuneRun"]

_HEAD, _RESET = 41, 42
"""Streams of random numbers."""


class FinetuneRun:
    """A fine-tuning run: its data and settings have been read and checked, its encoder is loaded.

    Args:
        options: options that do not affect the results.
        model: folder or hub name of the encoder.
        task: name of the task, and the task.
        config: settings of the run.
        data: the data as given by the user.
        sets: the training sets.
        tests: the test sets, in the order of ``data.eval``.
        seeds: number of fine-tuning seeds.

    Raises:
        UserError: for a folder that is not empty, settings that differ from those the run began with, or an encoder
            that cannot be used.
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
        self.tests = list(zip(data.eval, tests, dataset_names(data.eval, data.dataset), strict=True))
        self.folder = RunFolder(options.out, "finetune", resume=options.resume, command=options.command)
        self._results = self.folder.path / "results.jsonl"
        self._settings = identity(config, self.task_name, data, self.task)
        self.folder.check_settings(self._settings)
        inputs = finetune_inputs(data.train, data.eval, data.dev)
        check_inputs(self.folder, **inputs, model=model_files(model))
        self.seeds = range(config.training.seed, config.training.seed + seeds)
        self._done = {row.seeds.finetune for row in check_results(self.folder.path) if row.seeds.finetune is not None}
        check_trackers(options.track)
        self.encoder = Encoder.from_pretrained(model, chunk_cost=config.training.chunk_cost, quiet=options.quiet)
        check_memory(self.encoder, best_device(), parts=processes() if config.training.shard else 1)
        self.model_facts = describe_model(self.encoder, model) | ({"method": data.system} if data.system else {})
        self.folder.check_encoder("model_hash", self.model_facts["model_hash"])
        self._notes: set[str] = set()

    @property
    def finished(self) -> bool:
        """Whether every seed is done."""
        return self.folder.finished and self._done.issuperset(self.seeds)

    def run(self, *, keep_models: bool = True) -> list[Measurement]:
        """Train and evaluate every seed that is not done.

        Args:
            keep_models: whether to save the fine-tuned models.

        Returns:
            All results of the run.

        Raises:
            Stopped: after Ctrl-C or SIGTERM, with a checkpoint saved.
            UserError: if models are to be kept and that of a finished seed was not; if a seed failed, after the others
                have ended.
        """
        for seed in sorted(self._done & set(self.seeds)):
            check_model(self._seed_folder(seed) / "model")
            if keep_models and not (self._seed_folder(seed) / "model").is_dir():
                hint = "add --no-keep-models, or use another --out to train it again"
                raise UserError(
                    "the seed is done, but its model was not kept", where=self._seed_folder(seed), hint=hint
                )
        if self.finished:
            echo(f"{self.options.out} is finished", quiet=self.options.quiet)
            return read_results(self._results)
        folder = self.folder
        failed: dict[int, Exception] = {}
        rows: list[Measurement] = []
        try:
            self.begin()
            self._check_data()
            for seed in self.seeds:
                if seed in self._done:
                    echo(f"{folder.name}: seed {seed} is done", quiet=self.options.quiet)
                    self._remove_checkpoints(seed)  # of a run that was killed before it did
                    continue
                try:
                    rows += self._run_seed(seed, keep_models)
                except _SeedFailed as failure:
                    failed[seed] = failure.error
                    _free(failure)
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
        if folder.main:  # other processes may arrive here before the first one has written the file
            rows = read_results(self._results)
        echo_summary(rows, self.options.quiet)
        _raise_failed(failed, len(self.seeds), folder.path)
        return rows

    def begin(self) -> None:
        """Prepare the layers of the encoder, and create the folder of the run."""
        config, folder, model_facts = self.config, self.folder, self.model_facts
        if config.training.dropout is not None:
            set_dropout(self.encoder.model, config.training.dropout)
        configure_layers(self.encoder, config.layers)
        self.task.autocast(self.encoder)  # refuses bf16 before a seed is trained
        changed = config.layers.description
        if changed and self.data.system is None:
            model_facts["method"] = f"{model_facts['method']}, {changed}"
        folder.begin(
            {"model": self.model, **self._settings},
            **{k: model_facts[k] for k in ("method", "control", "model_hash", "parent")},
        )
        self._made_by = self._describe_training()
        self._recorded = recorded_settings(self.task) | fine_tuning_settings(self._made_by, model_facts["method"])
        self._weights = {name: value.clone() for name, value in self.encoder.state_dict().items()}
        self._cost = FinetuneCost(folder)
        self._layer_hashes = folder.before.get(
            "layer_hashes", {"encoder": layer_hashes(self.encoder)} if changed else {}
        )
        self._changed = bool(changed)

    def prepare_seed(self, seed: int) -> tuple[TaskHead, Trainer]:
        """Reset the encoder, create a head, and set up the training loop of a seed.

        Raises:
            UserError: for training data that cannot be used with any seed.
        """
        self.encoder.load_state_dict(self._weights)
        layers = parse_layers(self.config.layers.reset, self.encoder.layers)
        reinitialize_layers(self.encoder, layers, seed=seed_for(seed, _RESET))
        if self._changed:
            self._layer_hashes[f"seed {seed}"] = layer_hashes(self.encoder)
            self.folder.save(layer_hashes=self._layer_hashes)
        training = self.config.training.model_copy(update={"seed": seed})
        sets = self.sets.sampled_sets(seed)
        batches = self.task.batches(self.encoder, sets, training, switch_with=self.sets.originals)
        echo_truncated(self.task, "training", self._notes, self.options.quiet)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_for(seed, _HEAD))
            head = self.task.head(self.encoder)
        training = training.model_copy(update={"batch": batches.size})
        settings = training.model_dump(mode="json")
        settings |= {"base": self.model_facts["model_hash"], "dev": self.sets.dev is not None}
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
        callbacks: list[Callback] = [Alarms(trained=True)]
        dev = self.sets.dev
        if dev is not None:

            def score() -> float:
                with self.task.autocast(self.encoder):
                    main = self.task.evaluate(self.encoder, head, dev)[0]
                self.task.cut.clear()  # the development set is evaluated after every epoch
                best.lower_is_better = main.metric in self.task.info.lower_is_better
                return main.value

            best = DevelopmentScore(score)
            callbacks.append(best)
        if self.options.track:
            callbacks.append(Trackers(self.options.track))
        return callbacks

    def _run_seed(self, seed: int, keep_models: bool) -> list[Measurement]:
        head, trainer = self.prepare_seed(seed)
        self._cost.begin_seed(seed)
        try:
            outcome = trainer.train(resume=self.options.resume)
            measured = self._score(seed, head)
            rows = [row for row, _ in measured]
            # Before the results: a seed with results is finished, and nothing is added to it when the run is resumed.
            self._cost.add(seed, outcome)
            self._cost.warn([*outcome.alarms, *warn_of_scores(rows)], self.options.quiet)
            self._write(seed, head, measured, keep_models)
        except Exception as error:
            raise _SeedFailed(error) from error
        echo_scores(rows, self.options.quiet)
        if outcome.signal:
            raise Stopped(outcome.signal, outcome.steps)
        return rows

    def _score(self, seed: int, head: TaskHead) -> list[tuple[Measurement, Items | None]]:
        """Evaluate a trained seed on every test set."""
        name, split, train = self.folder.name, self.data.split, self.sets.language
        context = RowContext(self.model_facts, name, self._seeds(seed), split, train, self._recorded)
        measured = []
        for spec, test, dataset in self.tests:
            measured += measure(self.task, self.encoder, head, test, dataset, context)
            echo_truncated(self.task, spec, self._notes, self.options.quiet)
        return measured

    def _seeds(self, seed: int) -> Seeds:
        return Seeds(**self.model_facts["seeds"] | {"finetune": seed})

    def _write(
        self, seed: int, head: TaskHead, measured: Sequence[tuple[Measurement, Items | None]], keep_models: bool
    ) -> None:
        """Write model and results of a seed."""
        if self.folder.main:
            if keep_models:
                of = self.model_facts | {"seeds": self._seeds(seed).model_dump()}
                self._save_model(self._seed_folder(seed) / "model", head, {"train": self.sets.language, "of": of})
            write_results(self.folder.path, measured)  # last: a seed with results is finished
            self._remove_checkpoints(seed)

    def _remove_checkpoints(self, seed: int) -> None:
        if self.folder.main:
            shutil.rmtree(self._seed_folder(seed) / "checkpoints", ignore_errors=True)

    def _save_model(self, folder: Path, head: TaskHead, facts: Mapping[str, Any]) -> None:
        with atomic_folder(folder, replace=True) as part:
            self.encoder.save_pretrained(part)
            save_file({k: v.contiguous() for k, v in head.state_dict().items()}, part / "head.safetensors")
            task_facts = {
                "task": self.task_name,
                "settings": self.task.config.model_dump(mode="json"),
                "made_by": self._made_by,
                **facts,
            }
            (part / "task.json").write_text(json.dumps(task_facts, ensure_ascii=False), encoding="utf-8")
            write_digests(part)

    def _seed_folder(self, seed: int) -> Path:
        return self.folder.path / f"seed-{seed}"

    def _check_data(self) -> None:
        """Warn about the data, and store keys of the training texts."""
        seeds = sorted(self._done.union(self.seeds))  # few-shot examples differ between seeds, other sets do not
        own = [*{id(data): (name, data) for seed in seeds for name, data in self.sets.named_sets(seed)}.values()]
        seen = seen_texts(self.encoder, self.model, self.task, own)
        if self.folder.main:
            file = self.folder.path / SEEN
            with atomic_file(file) as out:
                names = {name for name, _ in own}
                np.save(out, np.unique(np.concatenate([keys for name, keys in seen if name in names])))
            self.folder.save(seen_digest=file_digest(file))
        read = [*self.sets.sets, self.sets.originals, self.sets.dev]
        languages = warn_of_languages(self.task, [(data.name, data) for data in read if data is not None])
        self._cost.warn(languages, self.options.quiet)
        tests = [(spec, test) for spec, test, _ in self.tests]
        self._cost.warn(warn_of_data(self.task, self.encoder, tests, seen), self.options.quiet)

    def _describe_training(self) -> dict[str, Any]:
        """Return what seeds of a fine-tuned encoder have in common, apart from its base and the task."""
        inputs, sets = self.folder.facts["inputs"], self.sets
        data = {"train": [*sets.sets, sets.originals], "dev": [sets.dev]}
        return {
            "training": self._recorded_training(),
            "layers": self.config.layers.model_dump(mode="json"),
            "dev": dataset_names([self.data.dev] if self.data.dev else []),
            "digests": {name: [file["blake2b"] for file in inputs.get(name, [])] for name in ("train", "dev")},
            "content": {name: [content_digest(self.task, one) for one in data[name] if one] for name in data},
        }

    def _recorded_training(self) -> dict[str, Any]:
        """Return what results record about training: the sets, settings that differ from the task's defaults, and bf16
        if it is used."""
        defaults = resolve(FinetuneTraining, self.task.training).model_dump(mode="json") | {"precision": "fp32"}
        training = self.config.training
        settings = training.model_dump(mode="json")
        settings["precision"] = choose_precision(training.precision, [self.encoder], quiet=True)
        recorded = sorted(settings.keys() - NOT_DECISIVE)
        changed = {name: settings[name] for name in recorded if settings[name] != defaults[name]}
        limit = {} if self.data.limit is None else {"limit": self.data.limit}
        return {"sets": dataset_names(self.data.train), **changed, **limit}


def _free(failure: BaseException) -> None:
    """Free the memory of a failed seed: the frames of its traceback have its trainer and its activations."""
    error: BaseException | None = failure
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
    gc.collect()
    if uses_cuda():
        torch.cuda.empty_cache()


class _SeedFailed(Exception):
    """Training or evaluation of a seed failed; the other seeds continue."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


def _raise_failed(failed: Mapping[int, Exception], seeds: int, folder: Path) -> None:
    """Raise an error if seeds failed.

    Raises:
        UserError: if the first failure is one; otherwise that failure itself.
    """
    if not failed:
        return
    seed, error = next(iter(failed.items()))
    if not isinstance(error, UserError):
        raise error
    raise UserError(
        f"{len(failed)} of {seeds} seeds failed, the results of the others are kept; seed {seed}: {error}",
        where=folder,
        hint="--resume repeats the failed seeds",
    )
