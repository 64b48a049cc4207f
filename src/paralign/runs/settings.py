"""Settings of a training run: the recipe, overridden by ``--set`` and its short forms."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationInfo, create_model, field_validator

from paralign.batches.views import ViewsConfig
from paralign.config import Config, check_sections, load_named_toml, merge, parse_override, resolve, section, toml_files
from paralign.corpus.clean import FilterConfig
from paralign.encoder.tokenizer import TokenizerConfig
from paralign.errors import UserError
from paralign.objectives import OBJECTIVES, find_objective
from paralign.training import TrainingConfig
from paralign.words.base import find_aligner
from paralign.words.symmetrization import check_symmetrization

__all__ = [
    "DictionaryConfig",
    "LinksConfig",
    "RunConfig",
    "check_epochs",
    "load_recipe",
    "recipes",
    "run_settings",
    "task_section",
]

_CONTROL = "mlm"
"""The objective of a control."""


class LinksConfig(Config):
    """Settings under ``[links]``: how words are aligned for objectives that need links, without ``--links``."""

    method: str = "hmm"
    """Word aligner, or ``my_module:Class``; ``similarity`` uses the encoder before it is trained."""
    symmetrize: str | None = None
    """How the two directions are combined. None: the default of the aligner (``posterior`` for
    ``hmm`` and ``ibm``, ``intersect`` for ``similarity``, otherwise ``grow-diag-final-and``)."""
    learn_from: int = Field(default=1_000_000, ge=1)
    """Maximum number of pairs of each language pair that ``hmm`` and ``ibm`` learn from. If there are more, that many
    are chosen, evenly spaced, and all are then aligned block by block with what was learned from these."""
    tokenized: bool = False
    """Whether words are separated by spaces; a store (``--corpus``) must have been built with ``--tokenized``."""

    @field_validator("method")
    @classmethod
    def _method_is_known(cls, method: str) -> str:
        if "links" in find_aligner(method).requires:
            raise ValueError(f"{method!r} needs a file of links: use --links instead")
        return method

    @field_validator("symmetrize")
    @classmethod
    def _symmetrization_is_known(cls, symmetrize: str | None, info: ValidationInfo) -> str | None:
        if symmetrize is not None and "method" in info.data:  # otherwise the method is wrong
            check_symmetrization(symmetrize, find_aligner(info.data["method"]).more_symmetrizations)
        return symmetrize


class DictionaryConfig(Config):
    """Settings under ``[dictionary]``: the sample of the dictionary that is used; stored with the run."""

    rate: float = Field(default=1.0, gt=0, le=1)
    """Fraction of the entries that are used."""
    seed: int | None = None
    """Random seed of the sample. None: that of the run."""


class RunConfig(Config):
    """Settings of a run outside of any section. Each objective of the run adds a section with its name."""

    objectives: list[str] = Field(min_length=1)
    """Objectives to minimize: names, or ``my_module:Class``."""
    method: str = ""
    """Name of the method in tables. Empty: the name of the recipe."""
    control: bool = False
    """Whether this is the control that tables compare other methods with."""
    weights: Literal["fp32", "fp16"] = "fp32"
    """Precision of the saved weights; fp16 halves the file, which is loaded as fp32."""
    tokenizer: TokenizerConfig = TokenizerConfig()
    links: LinksConfig = LinksConfig()
    dictionary: DictionaryConfig = DictionaryConfig()
    data: FilterConfig = FilterConfig()
    views: ViewsConfig = ViewsConfig()
    training: TrainingConfig = TrainingConfig()


def _section(objective: str) -> str:
    return find_objective(objective).name


def recipes() -> list[str]:
    """Return the names of the built-in recipes."""
    return list(toml_files("paralign.recipes"))


def load_recipe(name: str, extended_by: tuple[str, ...] = ()) -> dict[str, Any]:
    """Load a recipe by name or path, merged with the recipe that ``extends`` names.

    Args:
        name: name of a recipe, or path of a TOML file.
        extended_by: the recipes that extend this one, from the first.

    Raises:
        UserError: for an unknown recipe, a file that cannot be read, and recipes that extend each other in a circle.
    """
    if name in extended_by:
        circle = " -> ".join((*extended_by[extended_by.index(name) :], name))
        raise UserError(f"the recipe extends itself: {circle}", where=extended_by[-1], hint="remove 'extends' from one")
    recipe = load_named_toml("recipe", name, "paralign.recipes")
    base = recipe.pop("extends", None)
    if base is not None:
        if not isinstance(base, str):
            raise UserError(f"'extends' must be the name of a recipe, not {base!r}", where=name)
        if base.endswith(".toml"):  # next to the recipe that extends it
            base = os.path.normpath(Path(name).parent / Path(base).expanduser())
        recipe = merge(_without_name(load_recipe(base, (*extended_by, name)), recipe), recipe)
    return recipe


def _without_name(recipe: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recipe without ``method`` and ``control``, which do not hold for other objectives, if these change."""
    objectives = recipe.get("objectives")
    if changes.get("objectives", objectives) == objectives:
        return recipe
    return {key: value for key, value in recipe.items() if key not in ("method", "control")}


def run_settings(recipe: str, overrides: Sequence[str] = (), *, control: bool = False) -> RunConfig:
    """Merge and validate the settings of a run.

    Args:
        recipe: name of a recipe, or path of a TOML file.
        overrides: settings as ``section.key=value`` that override the recipe, later ones earlier ones.
        control: whether to return the settings of the control: masked LM instead of the objectives, everything else
            as it is. Settings of the objectives that are replaced are ignored.

    Raises:
        UserError: for the first invalid setting, with a suggestion.
    """
    from_recipe = load_recipe(recipe)
    overriding = merge(*map(parse_override, overrides))
    names = overriding.get("objectives", from_recipe.get("objectives"))
    if names is not None and not isinstance(names, list):
        hint = """write a list: --set 'objectives=["tlm", "moco"]'"""
        raise UserError(f"objectives is {names!r:.60}, not a list of names", hint=hint)
    if not names:
        raise UserError("no objectives are set", where=recipe, hint='set objectives = ["tlm", "moco"]')
    if not all(isinstance(name, str) for name in names):
        raise UserError(f"objectives must be names, not {names!r:.60}", where=recipe)
    if control:
        replaced = {_section(name) for name in names} - {_CONTROL}
        from_recipe, overriding = (
            {k: v for k, v in part.items() if k not in replaced} for part in (from_recipe, overriding)
        )
        one_loss = {"training": {"gradient_cosine_every": 0}}
        overriding = merge({"method": "MLM control"}, overriding, {"objectives": [_CONTROL], "control": True}, one_loss)
        names = [_CONTROL]
    classes = {_section(name): find_objective(name) for name in names}
    if len(classes) < len(names):
        raise UserError(f"two objectives have the same name: {', '.join(names)}")
    reserved = [name for name in classes if name in RunConfig.model_fields]
    if reserved:
        raise UserError(
            f"an objective cannot be called {reserved[0]!r}", hint="a section of the settings has this name"
        )
    sections: dict[str, Any] = {
        name: (kind.Config, Field(default_factory=dict, validate_default=True)) for name, kind in classes.items()
    }
    absent = [name for name in overriding if name in OBJECTIVES and name not in classes]
    if absent:
        message = f"settings of {absent[0]!r}, which is not an objective of this run"
        raise UserError(message, hint=f"its objectives are {', '.join(names)}; --set objectives=[...] changes them")
    check_epochs(from_recipe, overriding, recipe)
    composed = create_model("Run", __base__=RunConfig, **sections)
    # A recipe that removes an objective of its base still has the section of that objective.
    defaults = {k: v for k, v in from_recipe.items() if k in composed.model_fields or k not in OBJECTIVES}
    defaults = _without_name({"method": Path(recipe).stem, **defaults}, overriding)
    defaults.setdefault("method", " + ".join(names))  # of other objectives
    return resolve(composed, defaults, overriding)


def check_epochs(recipe: Mapping[str, Any], overriding: Mapping[str, Any], where: str | None = None) -> None:
    """Refuse a number of epochs where the recipe sets the number of steps, which takes precedence.

    Raises:
        UserError: naming both.
    """
    steps, chosen = section(recipe, "training").get("steps"), section(overriding, "training")
    if steps is not None and "epochs" in chosen and "steps" not in chosen:
        message = f"training.epochs has no effect: the recipe sets training.steps to {steps}"
        raise UserError(message, where=where, hint="--set training.steps=N")


def task_section(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the section ``[task]`` of settings that must have no other.

    Raises:
        UserError: for any other section.
    """
    check_sections(settings, "task")
    return dict(section(settings, "task"))
