"""Scores of classification that are no ratio of sums."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["macro_f1"]


def macro_f1(gold: npt.ArrayLike, predicted: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Mean of the F1 of each label, along the last axis.

    Labels that occur neither in ``gold`` nor in ``predicted`` are left out; a label that is never right counts as 0.

    Shapes:
        gold, predicted: [..., n] numbers of labels
        result: [...]; NaN without items

    Raises:
        ValueError: if the shapes differ.

    >>> round(float(macro_f1([0, 0, 1, 2], [0, 1, 1, 1])), 4)
    0.3889
    """
    a, b = np.asarray(gold, np.float64), np.asarray(predicted, np.float64)
    if a.shape != b.shape:
        raise ValueError(f"the sides must have one shape, not {list(a.shape)} and {list(b.shape)}")
    total, labels = np.zeros(a.shape[:-1]), np.zeros(a.shape[:-1])
    for label in np.unique([a, b]):
        occurs_in_gold, occurs_in_predicted = a == label, b == label
        occurrences = occurs_in_gold.sum(-1) + occurs_in_predicted.sum(-1)
        right = (occurs_in_gold & occurs_in_predicted).sum(-1)
        total += 2 * right / np.maximum(occurrences, 1)
        labels += occurrences > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(total / labels)
