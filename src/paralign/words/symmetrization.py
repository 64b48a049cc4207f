"""Two directed alignments made one (Och and Ney 2003; Koehn, Och and Marcu 2003)."""

from __future__ import annotations

from heapq import heapify, heappop, heappush

import numpy as np
import numpy.typing as npt

__all__ = ["METHODS", "symmetrise"]

Mask = npt.NDArray[np.bool_]
METHODS = ("intersect", "union", "grow-diag", "grow-diag-final", "grow-diag-final-and")
_NEIGHBOURS = ((-1, 0), (0, -1), (1, 0), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1))


def symmetrise(forward: Mask, backward: Mask, method: str = "grow-diag-final-and") -> Mask:
    """Join the links of both directions, of many sentence pairs at once.

    ``grow-diag`` begins with the links both have. It goes through the links by source and target word, added ones too,
    and adds of their eight neighbours those that either direction has and one of whose words has no link yet, again
    until nothing is added. ``final`` then adds the links of the forward, then of the backward direction one of whose
    words has none; ``final-and`` those of which neither has.

    Args:
        forward: [k, m, n] links of the direction in which each target word has at most one.
        backward: [k, m, n] those of the other.
        method: one of ``METHODS``.

    Returns:
        [k, m, n].
    """
    if method == "intersect":
        return forward & backward
    if method == "union":
        return forward | backward
    if method not in METHODS:
        raise ValueError(f"{method!r} is none of {', '.join(METHODS)}")
    links = forward & backward
    rows, columns = np.any(links, 2), np.any(links, 1)
    wanted = (forward | backward) & ~links & ~_cross(rows, columns)
    for k in np.flatnonzero(wanted.any((1, 2))).tolist():
        _grow(links[k], wanted[k], rows[k], columns[k])
    if method != "grow-diag":
        both = method == "grow-diag-final-and"
        for direction in (forward, backward):
            free = ~_cross(rows, columns) if not both else _cross(~rows, ~columns)
            for k, i, j in np.argwhere(direction & ~links & free).tolist():
                if (rows[k, i] or columns[k, j]) if both else (rows[k, i] and columns[k, j]):
                    continue
                links[k, i, j] = rows[k, i] = columns[k, j] = True
    return links


def _cross(rows: Mask, columns: Mask) -> Mask:
    """[k, m, n] where both the row and the column are marked."""
    return np.logical_and(np.expand_dims(rows, 2), np.expand_dims(columns, 1))


def _grow(links: Mask, wanted: Mask, rows: Mask, columns: Mask) -> None:
    """``grow-diag`` of one pair, in place.

    A link that was refused once is refused for ever (words only gain links), so each link's neighbours are looked at
    once, in the order of (round, link, neighbour); a link that is added is visited in the same round if it lies ahead.
    """
    open_ = set(zip(*(index.tolist() for index in np.nonzero(wanted)), strict=True))
    m, n = links.shape
    queue = []
    for i, j in open_:
        for turn, (di, dj) in enumerate(_NEIGHBOURS):
            a, b = i - di, j - dj
            if 0 <= a < m and 0 <= b < n and links[a, b]:
                queue.append((0, a, b, turn))
    heapify(queue)
    has_row, has_column = rows.tolist(), columns.tolist()
    while queue:
        turn_of, i, j, turn = heappop(queue)
        di, dj = _NEIGHBOURS[turn]
        new = (a, b) = (i + di, j + dj)
        if new not in open_ or (has_row[a] and has_column[b]):
            continue
        open_.discard(new)
        links[a, b] = has_row[a] = has_column[b] = True
        later = turn_of + (new < (i, j))
        for turn, (di, dj) in enumerate(_NEIGHBOURS):
            if (a + di, b + dj) in open_:
                heappush(queue, (later, a, b, turn))
    rows[:], columns[:] = has_row, has_column
