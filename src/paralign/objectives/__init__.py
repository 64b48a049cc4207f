"""Objectives: what training minimizes. One file each; selected by name or as ``my_module:Class``."""

from paralign.objectives.base import (
    OBJECTIVES,
    Batches,
    LayerConfig,
    Objective,
    ObjectiveConfig,
    Step,
    find_objective,
    masked_loss,
)
from paralign.objectives.global_batch import GlobalObjective

__all__ = [
    "OBJECTIVES",
    "Batches",
    "GlobalObjective",
    "LayerConfig",
    "Objective",
    "ObjectiveConfig",
    "Step",
    "find_objective",
    "masked_loss",
]
