"""The objectives of a run: what they need, checks against encoder and inputs, and their creation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import torch

from paralign.batches.views import check_all_joint
from paralign.encoder import Encoder
from paralign.encoder.loading import check_weights
from paralign.errors import UserError
from paralign.languages.dictionary import Dictionary
from paralign.objectives import Objective, find_objective
from paralign.rng import seed_for
from paralign.runs.settings import RunConfig

__all__ = [
    "NEW_WEIGHTS",
    "check_objectives",
    "make_objective",
    "make_objectives",
    "needs_dictionary",
    "needs_links",
    "objective_classes",
]

NEW_WEIGHTS = 31
"""Stream of random numbers."""


def objective_classes(config: RunConfig) -> list[type[Objective]]:
    """Return the classes of the objectives of a run, in the order of the settings."""
    return [find_objective(name) for name in config.objectives]


def needs_links(config: RunConfig) -> bool:
    """Return whether a run uses word links."""
    masked = config.views.avoid_double_mask
    return any(kind.needs_links or (masked and "joint" in kind.reads) for kind in objective_classes(config))


def needs_dictionary(config: RunConfig) -> bool:
    """Return whether a run uses a bilingual dictionary."""
    return any(kind.needs_dictionary or kind.needs_translations for kind in objective_classes(config))


def check_objectives(
    config: RunConfig, encoder: Encoder, *, base: str, links: Sequence[str], dictionary: Sequence[str]
) -> None:
    """Check that encoder, views and inputs fit the objectives.

    Args:
        config: settings of the run.
        encoder: the encoder to train.
        base: its name, for messages.
        links: files of word links that were given.
        dictionary: bilingual dictionaries that were given.

    Raises:
        UserError: if one does not fit.
    """
    if links and not needs_links(config):
        raise UserError("no objective of this run uses word links", hint="remove --links, or use --recipe alignlm")
    kinds = objective_classes(config)
    for kind in kinds:
        kind.check(encoder)
        section = getattr(config, kind.name)
        encoder.layer_number(getattr(section, "layer", -1))  # refuses a missing layer
        for model in kind.encoders(section):
            check_weights(model)
    if any("joint" in kind.reads and (config.views.avoid_double_mask or kind.needs_links) for kind in kinds):
        check_all_joint(config.views)
    if config.views.restart_positions and not encoder.accepts_positions:
        message = f"positions cannot restart in {encoder.family} models, which use relative positions"
        raise UserError(message, where=base, hint="remove views.restart_positions")
    views = sorted({view for kind in kinds for view in kind.reads if view != "text"})
    if config.views.pack is not None and views:
        message = f"views.pack cannot be combined with an objective that reads the view {views[0]!r}"
        raise UserError(message, hint="remove views.pack, or train mlm alone")
    if dictionary and not needs_dictionary(config):
        raise UserError("no objective of this run uses a dictionary", hint="remove --dictionary")


def make_objectives(
    config: RunConfig,
    encoder: Encoder,
    dictionary: Dictionary | None = None,
    made: Mapping[str, Objective] = MappingProxyType({}),
) -> dict[str, Objective]:
    """Create the objectives of a run.

    Args:
        config: settings of the run.
        encoder: the encoder to train.
        dictionary: dictionary for objectives that need one. None: no objective needs one.
        made: objectives that exist already, by their names in the settings.

    Returns:
        The objectives by their own names, in the order of the settings.
    """
    objectives = [
        made[name] if name in made else make_objective(name, config, encoder, dictionary) for name in config.objectives
    ]
    return {objective.name: objective for objective in objectives}


def make_objective(name: str, config: RunConfig, encoder: Encoder, dictionary: Dictionary | None = None) -> Objective:
    """Create an objective of a run; the run's seed initializes its new weights. Arguments as :func:`make_objectives`.

    Raises:
        UserError: for settings that do not fit the encoder, and other encoders that cannot be loaded.
    """
    kind = find_objective(name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(config.training.seed, NEW_WEIGHTS))
        extra = {"dictionary": dictionary} if kind.needs_dictionary else {}
        return kind(getattr(config, kind.name), encoder, **extra)
