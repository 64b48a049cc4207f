"""The cells of a suite: a run of ``finetune`` or ``evaluate`` for each task, system and seed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from paralign.commands.evaluate import check_dev, evaluate, evaluation_settings
from paralign.commands.finetune import finetune
from paralign.config import merge, parse_override
from paralign.errors import UserError
from paralign.models import local_folder
from paralign.results import check_results, natural_sort_key
from paralign.runs.cells import Cell
from paralign.runs.dataset_names import dataset_names
from paralign.runs.finetune_settings import FinetuneData, finetune_settings, identity
from paralign.runs.finished import check_hub_model
from paralign.runs.folder import RunFolder
from paralign.runs.groups import command_line
from paralign.runs.inputs import check_inputs, data_files, finetune_inputs, model_files
from paralign.runs.settings import task_section
from paralign.runs.suite_file import SuiteConfig, SuiteTask
from paralign.sources.specs import check_readable_again
from paralign.tasks import Task, find_task
from paralign.tasks.base import find_task_class, read_data
from paralign.tasks.supervised import SupervisedTask
from paralign.tasks.training_mixture import read_training_mixture

__all__ = ["SEED", "SuiteCell", "check_task", "is_done", "other_seeds", "suite_cells"]

SEED = "{seed}"
"""In the folder of a model, this is the number of the seed: each seed of a task has an encoder of its own."""


@dataclass(frozen=True, eq=False)
class SuiteCell:
    """A system on a task, with one seed.

    Attributes:
        task: the task.
        trains: whether its head is fine-tuned.
        system: name of the system.
        model: folder or hub name of its encoder.
        seed: the seed. None: the task has no head, and the system has one encoder for all seeds.
        folder: folder of the run.
        keep_model: whether the fine-tuned model is kept.
    """

    task: SuiteTask
    trains: bool
    system: str
    model: str
    seed: int | None
    folder: Path
    keep_model: bool

    @property
    def name(self) -> str:
        """``pos ppa seed 0``."""
        return f"{self.task.name}  {self.system}" + ("" if self.seed is None else f"  seed {self.seed}")

    @property
    def overrides(self) -> list[str]:
        """The settings of the run, with its seed."""
        return [*self.task.set, *([f"training.seed={self.seed}"] if self.trains else [])]

    def as_cell(self, quiet: bool) -> Cell:
        """Return the run."""
        task = self.task
        options: dict[str, Any] = {"model": self.model, "task": task.task}
        if self.trains:
            options |= {
                "train": task.train,
                "dev": task.only_dev,
                "eval": task.eval,
                "recipe": task.recipe,
                "code_switch": task.code_switch,
                "target_examples": task.target_examples,
                "keep_models": self.keep_model,
                "resume": True,
            }
        else:
            options |= {"data": task.eval, "dev": task.dev}
        options |= {
            "overrides": self.overrides,
            "limit": task.limit,
            "split": task.split,
            "dataset": task.dataset,
            "system": self.system,
            "lenient": task.lenient,
            "out": str(self.folder),
            "quiet": quiet,
        }
        run: Callable[..., object] = finetune if self.trains else evaluate
        return Cell(self.name, run, options | {"command": command_line(run, options)}, task.name)


def suite_cells(config: SuiteConfig, models: Mapping[str, str], out: Path) -> list[SuiteCell]:
    """Return the cells in their order of priority: by seed, then by task, then by system.

    So all systems of the first task come first, then those of the next tasks, and only then the second seeds. Where a
    suite ends early, every system has been measured on the same tasks and seeds, up to the last ones.

    Args:
        config: the suite.
        models: folder or hub name of each system; ``{seed}`` in it is replaced by the seed.
        out: folder of the suite.
    """
    cells = []
    counts = [task.seeds or config.seeds for task in config.task]
    for number in range(max(counts)):
        seed = config.first_seed + number
        for task, seeds in zip(config.task, counts, strict=True):
            trains = find_task_class(task.task).trains
            for system, model in models.items():
                has_seeds = trains or SEED in model
                if number >= (seeds if has_seeds else 1):
                    continue
                folder = out / task.name / (f"{system}-seed{seed}" if has_seeds else system)
                own = model.replace(SEED, str(seed))
                cells.append(
                    SuiteCell(task, trains, system, own, seed if has_seeds else None, folder, config.keep_models)
                )
    return cells


def other_seeds(
    config: SuiteConfig, models: Mapping[str, str], out: Path, cells: Sequence[SuiteCell]
) -> list[SuiteCell]:
    """Return the finished cells in a folder whose tasks and systems are those of a suite, but not their seeds.

    Arguments as in :func:`suite_cells`, and the cells that it returns. Folders of encoders that are not on this machine
    are not compared.

    Raises:
        UserError: as :func:`is_done`.
    """
    given = {cell.folder for cell in cells}
    found = []
    for task in config.task:
        trains = find_task_class(task.task).trains
        for folder in sorted((out / task.name).glob("*-seed*"), key=lambda path: natural_sort_key(path.name)):
            system, _, number = folder.name.rpartition("-seed")
            if folder in given or system not in models or not re.fullmatch(r"0|[1-9][0-9]*", number):
                continue
            if trains or SEED in models[system]:
                own = models[system].replace(SEED, number)
                cell = SuiteCell(task, trains, system, own, int(number), folder, keep_model=False)  # it is only listed
                if is_done(cell, with_encoder=local_folder(own).is_dir()):
                    found.append(cell)
    return found


def check_task(task: SuiteTask, where: str) -> None:
    """Check settings and data of a task that would otherwise cause an error in each of its cells.

    Of training data and of the test data of tasks with a head, the first item is read.

    Raises:
        UserError: for the first that cannot be used.
    """
    try:
        instance = _task_of(task)
        dataset_names(task.eval, task.dataset)
        for spec in (*task.train, *task.dev, *task.eval):
            check_readable_again([spec.partition("=")[2].strip()], "every run of a suite reads its data")
            read_data(instance, spec, task.lenient, 1 if instance.trains else task.limit)
    except UserError as error:
        raise UserError(error.message, where=error.where or f"{where}: task {task.name!r}", hint=error.hint) from error


def _task_of(task: SuiteTask) -> Task:
    """Return the task with its settings.

    Raises:
        UserError: for an unknown task, wrong settings, and keys that do not fit the task.
    """
    if find_task_class(task.task).trains:
        if not task.train:
            raise UserError("no training data", hint='train = ["LANG=PATH"]')
        if len(task.dev) > 1:
            raise UserError("dev is one data set for tasks with a head", hint='dev = "en=PATH"')
        return finetune_settings(task.task, task.recipe, task.set)[1]
    given = ("train", "recipe", "code_switch", "target_examples")
    unused = [key for key in given if getattr(task, key)]
    if unused:
        raise UserError(f"the task {task.task!r} has no head to fine-tune", hint=f"remove {', '.join(unused)}")
    settings = task_section(merge(*map(parse_override, task.set)))
    found = find_task(task.task, settings)
    check_dev(found, settings, task.dev)
    return found


def is_done(cell: SuiteCell, *, with_encoder: bool = True) -> bool:
    """Return whether a cell is finished, after checking that it is the cell that would be run now.

    Args:
        cell: the cell.
        with_encoder: whether the files of the encoder are compared.

    Raises:
        UserError: naming the settings, data or encoder that changed since the cell began, or the file that is damaged;
            if the model is to be kept, and was not.
    """
    if not (cell.folder / "run.json").is_file():
        return False
    task = cell.task
    run = RunFolder(cell.folder, "finetune" if cell.trains else "evaluate", resume=True)
    if not run.resumed:
        return False
    if cell.trains:
        data = FinetuneData(
            train=task.train,
            eval=task.eval,
            dev=task.only_dev,
            code_switch=task.code_switch,
            target_examples=task.target_examples,
            limit=task.limit,
            split=task.split,
            system=cell.system,
            dataset=task.dataset,
        )
        config, _ = finetune_settings(task.task, task.recipe, cell.overrides)
        settings = identity(config, task.task, data, _fitted(task.model_dump_json()))
        inputs = finetune_inputs(task.train, task.eval, task.only_dev)
    else:
        settings = evaluation_settings(
            _task_of(task), task.eval, task.limit, task.split, task.lenient, task.dataset, task.dev
        )
        inputs = {"eval": data_files(task.eval)} | ({"dev": data_files(task.dev)} if task.dev else {})
    check_inputs(run, **inputs, **({"model": model_files(cell.model)} if with_encoder else {}))
    check_hub_model(run, cell.model)
    run.check_settings(settings)
    done = bool(check_results(cell.folder)) and run.finished
    if done and cell.trains and cell.keep_model and not (cell.folder / f"seed-{cell.seed}" / "model").is_dir():
        hint = "leave keep_models out, or remove this folder to train it again"
        raise UserError("the cell is done, but its model was not kept", where=cell.folder, hint=hint)
    return done


@lru_cache(maxsize=64)
def _fitted(task_json: str) -> SupervisedTask:
    """Return a task with what it reads from its training data; read once for all cells."""
    task = SuiteTask.model_validate_json(task_json)
    _, instance = finetune_settings(task.task, task.recipe, task.set)
    sets, _ = read_training_mixture(
        instance, task.train, task.only_dev, task.code_switch, task.target_examples, task.lenient, task.limit
    )
    instance.fit(sets.sets)
    return instance
