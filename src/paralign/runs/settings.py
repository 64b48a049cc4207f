"""The settings of a training run, composed from those of its parts: recipe < flags < ``--set``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, create_model, field_validator

from paralign.batches.views import ViewsConfig
from paralign.config import Config, did_you_mean, load_toml, merge, parse_override, resolve
from paralign.corpus.clean import FilterConfig
from paralign.encoder.tokenizer import TokenizerConfig
from paralign.errors import UserError
from paralign.objectives import OBJECTIVES, find_objective
from paralign.training import TrainingConfig
from paralign.words.base import find_aligner

__all__ = ["DictionaryConfig", "LinksConfig", "RunConfig", "load_recipe", "recipes", "run_settings", "task_section"]


class LinksConfig(Config):
    """How words are linked for the objectives that need it, where links are not given (``--links``)."""

    method: str = "hmm"
    """A word aligner that needs no file of links, or ``my_module:Class``; ``similarity`` uses the encoder as it is
    before the run."""
    symmetrise: str | None = None
    """How both directions are joined; ``grow-diag-final-and`` by default, for ``similarity`` its own way."""
    tokenised: bool = False
    """Words are what stands between spaces."""

    @field_validator("method")
    @classmethod
    def _method_is_known(cls, method: str) -> str:
        if "links" in find_aligner(method).requires:
            raise ValueError(f"{method!r} needs a file of links, which is given with --links")
        return method


class DictionaryConfig(Config):
    """How much of the dictionary is kept, for the objectives that need one; drawn once and kept with the run."""

    rate: float = Field(default=1.0, gt=0, le=1)
    """Share of the entries that is kept (of all pieces, for ``twins``)."""
    seed: int | None = None
    """Of that draw; the run's by default."""


class RunConfig(Config):
    """Base of a composed run: one section a part, and one for each objective, named as the objective is."""

    objectives: list[str] = Field(min_length=1)
    """What is minimized: names, or ``my_module:Class``."""
    method: str = ""
    """What tables call the result; the recipe's name by default."""
    control: bool = False
    """Whether tables compare the others with this one."""
    weights: Literal["fp32", "fp16"] = "fp32"
    """Of the encoder's file; fp16 halves it, loaded it is fp32 again."""
    tokenizer: TokenizerConfig = TokenizerConfig()
    links: LinksConfig = LinksConfig()
    dictionary: DictionaryConfig = DictionaryConfig()
    data: FilterConfig = FilterConfig()
    views: ViewsConfig = ViewsConfig()
    training: TrainingConfig = TrainingConfig()

    def section(self, name: str) -> Any:
        """The settings of an objective."""
        return getattr(self, _section(name))


def _section(objective: str) -> str:
    return find_objective(objective).name


def recipes() -> list[str]:
    """Names of the recipes that come with paralign."""
    folder = resources.files("paralign.recipes")
    return sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml"))


def load_recipe(name: str) -> dict[str, Any]:
    """A recipe by name or path; ``extends`` names the recipe it differs from.

    Raises:
        UserError: if there is none.
    """
    if name.endswith(".toml"):
        recipe = load_toml(Path(name))
    elif name in recipes():
        recipe = load_toml(Path(str(resources.files("paralign.recipes") / f"{name}.toml")))
    else:
        raise UserError(f"unknown recipe {name!r}", hint=f"{did_you_mean(name, recipes())} or a .toml file")
    base = recipe.pop("extends", None)
    if base is not None:
        recipe = merge(load_recipe(base), recipe)
    return recipe


def run_settings(recipe: str, flags: Mapping[str, Any], overrides: Sequence[str]) -> RunConfig:
    """Compose and validate the settings of a run.

    Args:
        recipe: name or path of a TOML file.
        flags: nested settings from the command line's own options; ``None`` says nothing.
        overrides: ``section.key=value``.

    Raises:
        UserError: for the first wrong setting, with a did-you-mean.
    """
    given = load_recipe(recipe)
    asked = merge(flags, *map(parse_override, overrides))
    names = asked.get("objectives", given.get("objectives"))
    if not isinstance(names, list) or not names:
        raise UserError("no objectives are named", where=recipe, hint='set objectives = ["tlm", "moco"]')
    found = {_section(name): find_objective(name) for name in names}
    if len(found) < len(names):
        raise UserError(f"objectives of one name twice: {', '.join(names)}")
    taken = [name for name in found if name in RunConfig.model_fields]
    if taken:
        raise UserError(f"an objective cannot be called {taken[0]!r}", hint="that is a section of the settings already")
    parts: dict[str, Any] = {
        name: (kind.Config, Field(default_factory=dict, validate_default=True)) for name, kind in found.items()
    }
    composed = create_model("Run", __base__=RunConfig, **parts)
    # A recipe that drops an objective of the one it extends need not repeat the rest of its section.
    usual = {k: v for k, v in given.items() if k in composed.model_fields or k not in OBJECTIVES}
    usual.setdefault("method", Path(recipe).stem)
    return resolve(composed, usual, asked)


def task_section(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a task where only those may be given.

    Raises:
        UserError: for any other section.
    """
    for name in asked:
        if name != "task":
            raise UserError(f"unknown setting {name!r}", hint="only task.KEY can be set here")
    return dict(asked.get("task", {}))
