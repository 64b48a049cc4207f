"""Equation 3 of PPA and the moving average of equation 1, in Python numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

Vector = Sequence[float]


def dot(a: Vector, b: Vector) -> float:
    """Inner product."""
    return sum(x * y for x, y in zip(a, b, strict=True))


def equation_3(query: Vector, key: Vector, queue: Sequence[Vector], temperature: float) -> float:
    """-log of exp(q k+ / t) over the sum of exp(q k / t) over the queue alone, as printed."""
    below = sum(math.exp(dot(query, k) / temperature) for k in queue)
    return -math.log(math.exp(dot(query, key) / temperature) / below)


def equation_1(key: Vector, query: Vector, momentum: float) -> list[float]:
    """m times the key encoder's parameters plus 1 - m times the query encoder's."""
    return [momentum * k + (1 - momentum) * q for k, q in zip(key, query, strict=True)]
