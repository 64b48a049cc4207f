"""Suite files: which tasks ``paralign suite`` runs, on which data, with which settings and seeds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field, field_validator

from paralign.config import Config, load_named_toml, resolve, toml_files
from paralign.errors import UserError
from paralign.formats.hub import is_hub
from paralign.sources.specs import expand_home, smallworld_range
from paralign.systems import SEED_IN_NAME

__all__ = ["SuiteConfig", "SuiteTask", "check_name", "load_suite", "suites"]

_LANGUAGE = "{language}"


class SuiteTask(Config):
    """A table ``[[task]]`` of a suite file. Other keys than the first four are parameters of ``paralign finetune``."""

    name: str = ""
    """Name of the task in the suite: of its folder, and in the report. Empty: the name of the kind of task."""
    task: str
    """Kind of task (``paralign list tasks``), or ``my_module:Class``."""
    languages: list[str] = Field(default=[])
    """Languages that replace ``{language}`` in an entry of ``train``, ``dev`` or ``eval``, which becomes one
    entry for each."""
    set: list[str] = Field(default=[])
    """Settings as ``section.key=value``, as with ``--set``."""
    train: list[str] = Field(default=[])
    """Training data, each as ``LANG=PATH``. Tasks without a head have none."""
    eval: list[str] = Field(default=[])
    """Test data, each as ``LANG=PATH`` or ``SRC-TGT=PATH``."""
    dev: list[str] = Field(default=[])
    """Development data. With a head, one data set: it is evaluated after each epoch, to keep the best one. Without a
    head, layer and pooling are chosen on it for each encoder."""
    recipe: str | None = None
    """Name of a recipe for fine-tuning, or path of a TOML file."""
    seeds: int | None = Field(default=None, ge=1)
    """Number of fine-tuning seeds. None: that of the suite."""
    code_switch: bool = False
    """Train on examples that combine each training set with its English original."""
    target_examples: int | None = Field(default=None, ge=1)
    """Number of examples used of each training set that is not in the language of the first (few-shot). None: all."""
    limit: int | None = Field(default=None, ge=1)
    """Number of items used of every data set, the first ones. None: all. With ``--limit``, the smaller holds."""
    lenient: bool = False
    """Drop and count items that cannot be read instead of refusing the file."""
    split: str = "test"
    """Name of the split, recorded with the results."""
    dataset: str | None = None
    """Name of the test data in tables, such as ``PUD``. None: from the names of the files."""

    @field_validator("dev", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value

    @property
    def only_dev(self) -> str | None:
        """The development data set of a task with a head."""
        return self.dev[0] if self.dev else None


class SuiteConfig(Config):
    """A suite file."""

    seeds: int = Field(default=1, ge=1)
    """Number of seeds of each task that does not set its own; they are consecutive."""
    first_seed: int = Field(default=0, ge=0)
    """The first seed. Seeds can be divided among machines: 0 to 2 on one, 3 and 4 on another."""
    keep_models: bool = False
    """Keep the fine-tuned models. They are as large as the encoders; scores do not need them."""
    task: list[SuiteTask] = Field(default=[])
    """The tasks, most important first."""


def suites() -> list[str]:
    """Return the names of the suites that come with paralign."""
    return list(toml_files("paralign.suites"))


def load_suite(
    name: str,
    data: Path | None = None,
    limit: int | None = None,
    seeds: int | None = None,
    first_seed: int | None = None,
) -> SuiteConfig:
    """Load a suite.

    Args:
        name: name of a suite that comes with paralign, or path of a TOML file.
        data: folder that relative paths of data start from. None: the current folder.
        limit: number of items used of every data set; for tasks with a limit of their own, the smaller one. None: all.
            It is not for ``twins``, which have no data set.
        seeds: number of seeds of each task that does not set its own. None: that of the file.
        first_seed: the first seed. None: that of the file.

    Returns:
        The suite, with a name for each task, languages filled in and paths in the data folder.

    Raises:
        UserError: for an unknown suite, a file that cannot be read, and wrong settings.
    """
    settings = load_named_toml("suite", name, "paralign.suites")
    if isinstance(settings.get("task"), dict):
        raise UserError("[task] is a single table", where=name, hint="write [[task]], for each task")
    if data is not None and not data.is_dir():
        raise UserError("no such data folder", where=data, hint="--data FOLDER")
    given = settings.get("task")
    for number, task in enumerate(given if isinstance(given, list) else [], 1):
        if isinstance(task, dict):
            named = repr(task["name"]) if isinstance(task.get("name"), str) else f"number {number}"
            resolve(SuiteTask, task, where=f"{name}: task {named}")
    config = resolve(SuiteConfig, settings, {"seeds": seeds, "first_seed": first_seed}, where=name)
    if not config.task:
        raise UserError("the suite has no task", where=name, hint="add a table [[task]]")
    tasks: dict[str, SuiteTask] = {}
    for task in config.task:
        filled = _filled(task, name, data, limit)
        if filled.name.casefold() in {name.casefold() for name in tasks}:
            hint = 'give one of them another name = "..."'
            message = f"two tasks have the name {filled.name!r}"
            if filled.name not in tasks:
                message += " if case is ignored, as some file systems do"
            raise UserError(message, where=name, hint=hint)
        tasks[filled.name] = filled
    return config.model_copy(update={"task": list(tasks.values())})


def check_name(name: str, what: str, where: str | None = None) -> str:
    """Return a name that becomes the name of a folder.

    Args:
        name: the name.
        what: what it names: ``task``, ``model``.
        where: file for the error message. None: it is not from a file.

    Raises:
        UserError: for a name that cannot be used.
    """
    if not re.fullmatch(r"\w[^/\\:*?\"<>|\x00-\x1f]*", name) or name.endswith((" ", ".")):
        hint = 'begin with a letter or digit, without / \\ : * ? " < > |'
        raise UserError(f"the {what} cannot have the name {name!r}", where=where, hint=hint)
    if SEED_IN_NAME.search(name):
        hint = "seeds are added to the names of folders"
        raise UserError(f"the name of the {what} {name!r} ends like a seed", where=where, hint=hint)
    return name


def _filled(task: SuiteTask, file: str, data: Path | None, limit: int | None) -> SuiteTask:
    """Return a task with its name, its languages filled in and paths in the data folder."""
    name = check_name(task.name or task.task.rpartition(":")[2], "task", file)
    where = f"{file}: task {name!r}"
    if not task.eval:
        raise UserError("no test data", where=where, hint='eval = ["LANG=PATH"]')
    placeholders = [entry for entry in (*task.train, *task.dev, *task.eval) if _LANGUAGE in entry]
    if placeholders and not task.languages:
        hint = 'languages = ["de", "fr"]'
        raise UserError(f"no languages for {placeholders[0]!r}", where=where, hint=hint)
    if task.languages and not placeholders:
        hint = f'"{_LANGUAGE}=data.{_LANGUAGE}.tsv"'
        raise UserError(f"no entry has {_LANGUAGE} for the languages", where=where, hint=hint)
    if any(text.replace(" ", "").startswith("training.seed=") for text in task.set):
        raise UserError("training.seed cannot be set: the suite sets it for each seed", where=where, hint="remove it")
    update = {
        "name": name,
        "languages": [],
        "train": [_in_folder(entry, data) for entry in _each_language(task.train, task.languages)],
        "dev": [_in_folder(entry, data) for entry in _each_language(task.dev, task.languages)],
        "eval": [_in_folder(entry, data) for entry in _each_language(task.eval, task.languages)],
        "limit": min((n for n in (task.limit, None if task.task == "twins" else limit) if n is not None), default=None),
    }
    return task.model_copy(update=update)


def _each_language(entries: Sequence[str], languages: Sequence[str]) -> list[str]:
    return [
        entry.replace(_LANGUAGE, language)
        for entry in entries
        for language in (languages if _LANGUAGE in entry else [""])
    ]


def _in_folder(spec: str, folder: Path | None) -> str:
    """Return ``LANG=PATH`` with its path in a folder; an absolute path, the small world and the hub are unchanged.

    >>> _in_folder("en-de=tatoeba.en,tatoeba.de", Path("data"))
    'en-de=data/tatoeba.en,data/tatoeba.de'
    """
    tags, equals, path = expand_home(spec).partition("=")
    path = path.strip()
    if folder is None or not equals or smallworld_range(path) is not None or is_hub(path):
        return spec
    parts = [path] if (folder / path).exists() else path.split(",")
    return f"{tags}={','.join(str(folder / part.strip()) for part in parts)}"
