"""The deep biaffine parser of Dozat and Manning (2017), one logit at a time in Python numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

Vector = Sequence[float]
Matrix = Sequence[Vector]


def affine(weight: Matrix, bias: Vector, x: Vector) -> list[float]:
    return [sum(w * v for w, v in zip(row, x, strict=True)) + b for row, b in zip(weight, bias, strict=True)]


def represent(layer: tuple[Matrix, Vector], state: Vector) -> list[float]:
    """One layer with a leaky rectifier of slope 0.1 (equations 4 and 5)."""
    return [v if v > 0 else 0.1 * v for v in affine(*layer, state)]


def arc_score(head: Vector, dependent: Vector, u1: Matrix, u2: Vector) -> float:
    """Equation 6: head' U1 dependent + head' u2."""
    bilinear = sum(h * u1[i][j] * d for i, h in enumerate(head) for j, d in enumerate(dependent))
    return bilinear + sum(h * u for h, u in zip(head, u2, strict=True))


def relation_score(head: Vector, dependent: Vector, u1: Matrix, u2: tuple[Vector, Vector], b: float) -> float:
    """Equation 3 for one relation: head' U1 dependent + (head, dependent)' U2 + b."""
    bilinear = sum(h * u1[i][j] * d for i, h in enumerate(head) for j, d in enumerate(dependent))
    one_by_one = sum(h * u for h, u in zip(head, u2[0], strict=True)) + sum(
        d * u for d, u in zip(dependent, u2[1], strict=True)
    )
    return bilinear + one_by_one + b


def surprise(scores: Sequence[float], right: int, among: Sequence[int]) -> float:
    """Minus the log-probability of the right one among those given."""
    return math.log(sum(math.exp(scores[k]) for k in among)) - scores[right]
