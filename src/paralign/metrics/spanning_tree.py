"""The best dependency tree under scores of arcs: a maximum spanning arborescence with one root word."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["spanning_tree"]

Ints = npt.NDArray[np.int64]
Complexes = npt.NDArray[np.complex128]


def spanning_tree(scores: npt.ArrayLike) -> Ints:
    """Heads of the tree with the greatest sum of scores among those with exactly one word at the root.

    Chu-Liu-Edmonds (McDonald et al., 2005) in O(n²), run only where the best head of every word does not already
    make such a tree. One root word is enforced exactly: taking a constant from every root arc changes all trees of
    one root word alike and, if it is larger than what arcs can differ by in sum, leaves no tree of more root words
    as good (Stanojević and Cohen, 2021). Here the constant is infinite: weights are pairs compared lexicographically,
    root arcs first and scores second, which rounds nothing and cannot overflow.

    Args:
        scores: [n, n + 1], of head ``h`` (0 the root, 1..n the words) for the dependent word ``d + 1`` in row ``d``.
            A word's score as its own head is ignored. ``-inf`` forbids an arc.

    Returns:
        [n] heads in 0..n. Of trees with equal sums one is chosen, always the same.

    Raises:
        ValueError: if the shape is another, a score is NaN or ``+inf``, or every such tree has a forbidden arc.
    """
    table = np.array(scores, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != len(table) + 1:
        raise ValueError(f"scores must be [n, n + 1], not {list(table.shape)}")
    words = np.arange(len(table))
    table[words, words + 1] = -np.inf
    if np.isnan(table).any() or np.isposinf(table).any():
        raise ValueError("scores must be numbers below infinity")
    heads: Ints = table.argmax(axis=1)
    if not _is_tree(heads):
        heads = _chu_liu_edmonds(_weights(table))
    if len(table) and (np.isneginf(table[words, heads]).any() or np.count_nonzero(heads == 0) != 1):
        raise ValueError("no tree with one root word avoids the arcs of score -inf")
    return heads


def _is_tree(heads: Ints) -> bool:
    """Whether there is one root word, and no cycle: after 2^k >= n steps upwards every word is at the root."""
    above = np.concatenate([np.zeros(1, np.int64), heads])
    for _ in range(len(heads).bit_length()):
        above = above[above]
    return bool(np.count_nonzero(heads == 0) == 1 and not above.any())


def _weights(table: npt.NDArray[np.float64]) -> Complexes:
    """[n + 1, n + 1] weights, row 0 (the root as a dependent) unused.

    numpy orders complex numbers by their real part, then the imaginary one, and adds them part by part: a score is
    the imaginary part, minus the price of an arc the real one. A root arc costs 1 and a forbidden one too: trees of
    price 1, the least there is, have one root word and nothing forbidden. -inf is no arc at all.
    """
    weights = np.full((len(table) + 1, len(table) + 1), complex(-np.inf, 0))
    allowed = np.isfinite(table)
    price = np.where(allowed, 0, 1)
    price[:, 0] += 1
    weights[1:] = -price + 1j * np.where(allowed, table, 0)
    np.fill_diagonal(weights, complex(-np.inf, 0))
    return weights


def _chu_liu_edmonds(weights: Complexes) -> Ints:
    """[n] heads of the maximum spanning arborescence from node 0, whatever its number of root words.

    A path follows best heads upwards. Where it meets itself the cycle becomes one node, in the place of one of its
    own; where it meets the root, or a path that did, it is done. Every step costs O(n) and there are O(n) of them.

    Args:
        weights: [n + 1, n + 1], of the arc to dependent ``d`` from head ``h``; overwritten.
    """
    size = len(weights)
    # The original arc, dependent and head in one number, that stands behind each arc between nodes.
    arcs = np.arange(size * size).reshape(size, size)
    node = list(range(size))  # in each place; cycles are numbered on from size
    parent: list[int] = [-1] * size  # the cycle a node has gone into
    best: list[int] = [-1] * size  # the original arc by which a node is reached
    done = [place == 0 for place in range(size)]
    for start in range(1, size):
        path: list[int] = []
        place = start
        while not done[place] and node[place] >= 0:
            if place in path:
                cycle = path[path.index(place) :]
                del path[path.index(place) :]
                _contract(weights, arcs, cycle)
                for member in cycle:
                    parent[node[member]] = len(parent)
                    node[member] = -1
                node[place] = len(parent)
                parent.append(-1)
                best.append(-1)
            path.append(place)
            head = int(weights[place].argmax())
            best[node[place]] = int(arcs[place, head])
            place = head
        for member in path:
            done[member] = True
    # A cycle is entered at one word. The nodes in it that hold the word are reached by that arc, not by the cycle's.
    for cycle_node in range(len(parent) - 1, size - 1, -1):
        inner = best[cycle_node] // size
        while parent[inner] != cycle_node:
            inner = parent[inner]
        best[inner] = best[cycle_node]
    return np.array(best[1:size], dtype=np.int64) % size


def _contract(weights: Complexes, arcs: Ints, cycle: list[int]) -> None:
    """Make a cycle one node in the place of its first member; the other places fall empty."""
    first, others = cycle[0], cycle[1:]
    # Entering the cycle at a member gives up the arc by which the cycle reaches that member.
    rows = weights[cycle] - weights[cycle].max(axis=1, keepdims=True)
    enter = rows.argmax(axis=0)
    weights[first] = rows[enter, np.arange(len(weights))]
    arcs[first] = arcs[cycle][enter, np.arange(len(weights))]
    leave = weights[:, cycle].argmax(axis=1)
    weights[:, first] = weights[:, cycle][np.arange(len(weights)), leave]
    arcs[:, first] = arcs[:, cycle][np.arange(len(weights)), leave]
    weights[first, first] = -np.inf
    weights[:, others] = -np.inf
