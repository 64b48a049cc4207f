"""Combining two directed word alignments (Och and Ney 2003; Koehn, Och and Marcu 2003)."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heapify, heappop, heappush

import numpy as np
import numpy.typing as npt

from paralign.config import did_you_mean
from paralign.errors import UserError

__all__ = ["SYMMETRIZATIONS", "check_symmetrization", "symmetrize"]

Mask = npt.NDArray[np.bool_]
SYMMETRIZATIONS = ("intersect", "union", "grow-diag", "grow-diag-final", "grow-diag-final-and")
_NEIGHBORS = ((-1, 0), (0, -1), (1, 0), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1))


def check_symmetrization(name: str, more: Sequence[str] = ()) -> None:
    """Check a name that a user gave.

    Args:
        name: the name.
        more: names that are allowed besides ``SYMMETRIZATIONS``.

    Raises:
        UserError: for another name.
    """
    known = (*more, *SYMMETRIZATIONS)
    if name not in known:
        raise UserError(f"unknown symmetrization {name!r}", hint=did_you_mean(name, known))


def symmetrize(forward: Mask, backward: Mask, method: str = "grow-diag-final-and") -> Mask:
    """Combine the links of both directions, for several sentence pairs at once.

    * ``intersect``: links of both directions.
    * ``union``: links of either direction.
    * ``grow-diag`` starts with the intersection. For each link, including added ones, in the order of source and target
      word, it adds those of the eight neighbors that are in the union and have a word without a link. It repeats this
      until nothing is added.
    * ``grow-diag-final`` then adds the links of the forward, then of the backward direction that have a word without a
      link.
    * ``grow-diag-final-and`` adds only those of which both words have no link.

    >>> forward, backward = np.array([[[True, False], [False, True]]]), np.array([[[True, True], [False, False]]])
    >>> symmetrize(forward, backward, "intersect").astype(int).tolist()
    [[[1, 0], [0, 0]]]

    Args:
        forward: links of the direction in which each target word has at most one.
        backward: links of the direction in which each source word has at most one.
        method: one of ``SYMMETRIZATIONS``.

    Shapes:
        forward, backward: ``[k, m, n]``
        returns: ``[k, m, n]``
    """
    if method == "intersect":
        return forward & backward
    if method == "union":
        return forward | backward
    if method not in SYMMETRIZATIONS:
        raise ValueError(f"{method!r} is none of {', '.join(SYMMETRIZATIONS)}")
    links = forward & backward
    rows, columns = np.any(links, 2), np.any(links, 1)
    candidates = (forward | backward) & ~links & ~_outer_and(rows, columns)
    for k in np.flatnonzero(candidates.any((1, 2))).tolist():
        _grow(links[k], candidates[k], rows[k], columns[k])
    if method != "grow-diag":
        both = method == "grow-diag-final-and"
        for direction in (forward, backward):
            free = ~_outer_and(rows, columns) if not both else _outer_and(~rows, ~columns)
            for k, i, j in np.argwhere(direction & ~links & free).tolist():
                if (rows[k, i] or columns[k, j]) if both else (rows[k, i] and columns[k, j]):
                    continue
                links[k, i, j] = rows[k, i] = columns[k, j] = True
    return links


def _outer_and(rows: Mask, columns: Mask) -> Mask:
    """Return ``[k, m, n]``: where both the row and the column are marked."""
    return np.logical_and(np.expand_dims(rows, 2), np.expand_dims(columns, 1))


def _grow(links: Mask, candidates: Mask, rows: Mask, columns: Mask) -> None:
    """Run ``grow-diag`` for one sentence pair, in place.

    A candidate that was rejected once is always rejected, because words only gain links. So each link's neighbors are
    examined once, in the order of (round, link, neighbor). A link that is added is visited in the same round if it
    comes later.

    Args:
        links: ``[m, n]`` links.
        candidates: ``[m, n]`` links that may be added.
        rows: ``[m]`` source words that have a link.
        columns: ``[n]`` target words that have a link.
    """
    remaining = set(zip(*(index.tolist() for index in np.nonzero(candidates)), strict=True))
    m, n = links.shape
    queue = []
    for i, j in remaining:
        for neighbor, (di, dj) in enumerate(_NEIGHBORS):
            a, b = i - di, j - dj
            if 0 <= a < m and 0 <= b < n and links[a, b]:
                queue.append((0, a, b, neighbor))
    heapify(queue)
    has_row, has_column = rows.tolist(), columns.tolist()
    while queue:
        iteration, i, j, neighbor = heappop(queue)
        di, dj = _NEIGHBORS[neighbor]
        new = (a, b) = (i + di, j + dj)
        if new not in remaining or (has_row[a] and has_column[b]):
            continue
        remaining.discard(new)
        links[a, b] = has_row[a] = has_column[b] = True
        next_iteration = iteration + (new < (i, j))
        for neighbor, (di, dj) in enumerate(_NEIGHBORS):
            if (a + di, b + dj) in remaining:
                heappush(queue, (next_iteration, a, b, neighbor))
    rows[:], columns[:] = has_row, has_column
