"""Settings and data of a fine-tuning run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import Field, create_model

from paralign.config import Config, merge, parse_override, resolve
from paralign.encoder.layers import LayersConfig
from paralign.errors import UserError
from paralign.runs.settings import check_epochs, load_recipe, recipes
from paralign.tasks.base import TaskConfig, find_task_class
from paralign.tasks.supervised import SupervisedTask
from paralign.training import TrainingConfig

__all__ = ["UNUSED", "FinetuneConfig", "FinetuneData", "FinetuneTraining", "finetune_settings", "identity"]


UNUSED = ("temperature", "shuffle", "heldout_every", "head_steps")
"""Settings of training that only ``align`` and ``pretrain`` use."""


class FinetuneTraining(TrainingConfig):
    """Settings of training with the usual defaults of fine-tuning (Devlin et al. 2019)."""

    batch: int = Field(default=32, ge=1)
    """Number of records per optimizer step, summed over processes and accumulation steps."""
    epochs: float = Field(default=3, gt=0)
    """Number of passes over the data; ignored if ``steps`` is set."""
    learning_rate: float = Field(default=5e-5, gt=0)
    """Peak learning rate of the linear schedule."""
    checkpoint_every: int = Field(default=5000, ge=1)
    """Number of steps between checkpoints. A single process also writes one 15 minutes after the last."""


class FinetuneConfig(Config):
    """Settings of fine-tuning; the section ``[task]`` has the settings of the task."""

    training: FinetuneTraining = FinetuneTraining()
    layers: LayersConfig = LayersConfig()
    task: TaskConfig = TaskConfig()


@dataclass(frozen=True)
class FinetuneData:
    """The data of a fine-tuning run. The fields are parameters of :func:`paralign.finetune`."""

    train: Sequence[str]
    eval: Sequence[str]
    dev: str | None = None
    code_switch: bool = False
    target_examples: int | None = None
    limit: int | None = None
    split: str = "test"
    system: str | None = None
    dataset: str | None = None


def finetune_settings(
    task: str, recipe: str | None, overrides: Sequence[str] = ()
) -> tuple[FinetuneConfig, SupervisedTask]:
    """Merge and validate the settings of a fine-tuning run, and create its task.

    Args:
        task: name of the task, or ``my_module:Class``.
        recipe: name of a recipe, or path of a TOML file. None: the defaults of the task.
        overrides: settings as ``section.key=value`` that override the recipe.

    Raises:
        UserError: for a task without a head, invalid settings, and settings that have no effect in fine-tuning.
    """
    kind = find_task_class(task)
    if not issubclass(kind, SupervisedTask):
        raise UserError(f"the task {task!r} has no head to fine-tune", hint="use paralign evaluate")
    composed = create_model(
        "Finetune", __base__=FinetuneConfig, task=(kind.Config, Field(default_factory=dict, validate_default=True))
    )
    from_recipe = load_recipe(recipe) if recipe else {}
    if "objectives" in from_recipe:
        fitting = [name for name in recipes() if load_recipe(name).keys() <= composed.model_fields.keys()]
        hint = f"for finetune: {', '.join(fitting)}"
        raise UserError(f"the recipe {recipe!r} is for align and pretrain", hint=hint)
    overriding = merge(*map(parse_override, overrides))
    check_epochs(from_recipe, overriding, recipe)
    config = resolve(composed, {"training": kind.training}, from_recipe, overriding, where=recipe)
    unused = config.training.model_dump(include=set(UNUSED), exclude_defaults=True)
    for name in unused:
        where = None if name in overriding.get("training", {}) else recipe
        raise UserError(f"training.{name} has no effect in fine-tuning", where=where, hint="remove it")
    return config, kind(config.task)


def identity(
    config: FinetuneConfig, task: str, data: FinetuneData, fitted: SupervisedTask | None = None
) -> dict[str, Any]:
    """Return the settings that must not change when a run is resumed.

    Args:
        config: settings of the run.
        task: name of the task.
        data: the data as given by the user.
        fitted: the task, after :meth:`SupervisedTask.fit`. None: without the settings of the task.
    """
    of_task = {"task": config.task.model_dump(mode="json") | fitted.config.model_dump(mode="json")} if fitted else {}
    facts = asdict(data)
    if data.dataset is None:  # as in runs of versions without the option
        del facts["dataset"]
    return of_task | {
        "data": {"name": task, **{k: list(v) if k in ("train", "eval") else v for k, v in facts.items()}},
        "training": config.training.model_dump(mode="json"),
        "layers": config.layers.model_dump(mode="json"),
    }
