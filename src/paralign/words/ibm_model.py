"""IBM model 2 with a diagonal prior and variational Bayes: the model of fast_align (Dyer, Chahuneau and Smith 2013)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from paralign.words.cells import AlignmentCells, Direction
from paralign.words.compiled import FLOOR
from paralign.words.ibm_kernels import estimate, expectation, expected_distance

__all__ = ["IbmParameters", "estimate_null", "fit_tension", "train_ibm"]

Floats = npt.NDArray[Any]
_MIN_TENSION, _MAX_TENSION = 0.1, 14.0
_STEPS, _LEARNING_RATE = 8, 20.0


@dataclass
class IbmParameters:
    """Parameters of one direction.

    Shapes:
        lexical: ``[distinct pairs]``
        null: ``[generated words]``

    Attributes:
        lexical: float32, p(generated word | generating word) of each distinct pair.
        null: float32, p(generated word | null).
        share: probability of null.
        tension: of the diagonal prior.
    """

    lexical: Floats
    null: Floats
    share: float
    tension: float

    @property
    def prior(self) -> tuple[float, float]:
        """Probability of null, and tension."""
        return self.share, self.tension


def train_ibm(
    cells: AlignmentCells, direction: Direction, *, iterations: int, alpha: float, share: float, tension: float
) -> IbmParameters:
    """Estimate the parameters of one direction by expectation maximization.

    Args:
        cells: the cells of the text.
        direction: one of ``cells.directions``.
        iterations: passes over the cells.
        alpha: Dirichlet prior of the variational-Bayes M-step; 0 is maximum likelihood.
        share: probability of null, fixed.
        tension: initial tension, re-estimated by gradient ascent after each pass but the first, within 0.1 and 14.
    """
    generated, size = direction.words[1], direction.sizes[1]
    model = IbmParameters(np.empty(0, np.float32), np.ones(size, np.float32), share, tension)
    shapes = direction.shapes()
    for step in range(iterations):
        counts = np.zeros(cells.distinct, np.float32)
        null = np.zeros(size)
        distance = expectation(
            generated, direction.starts, cells.cells, direction.by_row, cells.ids, model.lexical, model.null,
            model.prior, counts, null,
        )  # fmt: skip
        given = np.empty(0, np.int32) if direction.by_row else cells.target
        estimate(counts, cells.rows, given, np.zeros(direction.sizes[0]), alpha)
        model.lexical = counts
        model.null = estimate_null(null, alpha)
        if step:
            model.tension = fit_tension(distance / len(generated), shapes, model.tension)
    return model


def estimate_null(counts: Floats, alpha: float) -> Floats:
    """Return p(word | null) of every word.

    Args:
        counts: float64 ``[words]``, expected counts.
        alpha: see :func:`train_ibm`.
    """
    probabilities = counts.astype(np.float32)
    estimate(probabilities, np.array([0, len(counts)]), np.empty(0, np.int32), np.zeros(1), alpha)
    return np.maximum(probabilities, FLOOR, dtype=np.float32)


def fit_tension(distance: float, sizes: npt.NDArray[np.int64], tension: float) -> float:
    """Return a tension whose expected distance from the diagonal is closer to the observed one."""
    for _ in range(_STEPS):
        slope = expected_distance(sizes, tension) - distance
        tension = min(max(tension + _LEARNING_RATE * slope, _MIN_TENSION), _MAX_TENSION)
    return tension
