"""Groups of sentence pairs of similar sizes, to be padded together."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

__all__ = ["group_similar_sizes"]

_MIN_PAIRS = 16
"""Sentence pairs of a group, if that needs no more than its cells."""
_MAX_PADDING = 1.25
"""Cells of a padded group, divided by those that are not padding."""


def group_similar_sizes(pairs: np.ndarray, m: np.ndarray, n: np.ndarray, most: int) -> Iterator[np.ndarray]:
    """Yield consecutive pairs that can be padded to a common size with little waste.

    Args:
        pairs: ``[k]`` indices into ``m`` and ``n``, sorted so that pairs of similar sizes are neighbors.
        m: number of rows of each pair.
        n: number of columns of each pair.
        most: cells of a padded group, unless it is a single pair.
    """
    start, most_rows, most_columns, unpadded = 0, 0, 0, 0
    for position, pair in enumerate(pairs.tolist()):
        rows, columns, cells = int(m[pair]), int(n[pair]), int(m[pair] * n[pair])
        padded = (position - start + 1) * max(most_rows, rows) * max(most_columns, columns)
        wasteful = padded > _MAX_PADDING * (unpadded + cells) and position - start >= _MIN_PAIRS
        if position > start and (padded > most or wasteful):
            yield pairs[start:position]
            start, most_rows, most_columns, unpadded = position, 0, 0, 0
        most_rows, most_columns = max(most_rows, rows), max(most_columns, columns)
        unpadded += cells
    yield pairs[start:]
