"""The dependency tree with the highest sum of arc scores: a maximum spanning arborescence with one root word."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["spanning_tree"]

Ints = npt.NDArray[np.int64]
Complexes = npt.NDArray[np.complex128]


def spanning_tree(scores: npt.ArrayLike) -> Ints:
    """Return the heads of the tree with the greatest sum of scores among trees with exactly one root word.

    Uses Chu-Liu-Edmonds (McDonald et al., 2005) in O(n²), and only if the best heads of all words do not form such a
    tree. One root word is enforced exactly: subtracting a constant from every root arc changes all trees with one root
    word equally and, if it is large enough, makes trees with more root words worse (Stanojević and Cohen, 2021). Here
    the constant is infinite: weights are pairs compared lexicographically, root arcs first and scores second, which
    neither rounds nor overflows.

    Args:
        scores: [n, n + 1]; row ``d`` has the scores of the heads (0 the root, 1..n the words) of word ``d + 1``. The
            score of a word as its own head is ignored. ``-inf`` forbids an arc.

    Returns:
        [n] heads in 0..n. Of several best trees, always the same one.

    Raises:
        ValueError: for another shape, scores that are NaN or ``+inf``, or if every tree has a forbidden arc.
    """
    table = np.array(scores, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != len(table) + 1:
        raise ValueError(f"scores must be [n, n + 1], not {list(table.shape)}")
    words = np.arange(len(table))
    table[words, words + 1] = -np.inf
    if np.isnan(table).any() or np.isposinf(table).any():
        raise ValueError("scores must not be NaN or +inf")
    heads: Ints = table.argmax(axis=1)
    if not _is_tree(heads):
        heads = _chu_liu_edmonds(_weights(table))
    if len(table) and (np.isneginf(table[words, heads]).any() or np.count_nonzero(heads == 0) != 1):
        raise ValueError("every tree with one root word has an arc with score -inf")
    return heads


def _is_tree(heads: Ints) -> bool:
    """Return whether there is one root word and no cycle: after 2^k >= n steps upwards every word is at the root."""
    above = np.concatenate([np.zeros(1, np.int64), heads])
    for _ in range(len(heads).bit_length()):
        above = above[above]
    return bool(np.count_nonzero(heads == 0) == 1 and not above.any())


def _weights(table: npt.NDArray[np.float64]) -> Complexes:
    """Return weights [n + 1, n + 1]; row 0 (the root as a dependent) is unused.

    NumPy orders complex numbers by their real part, then by their imaginary part, and adds both parts. The imaginary
    part is the score, the real part minus the cost of an arc. Root arcs and forbidden arcs cost 1, so that trees with
    the minimum cost of 1 have one root word and no forbidden arc. -inf means that there is no arc.
    """
    weights = np.full((len(table) + 1, len(table) + 1), complex(-np.inf, 0))
    allowed = np.isfinite(table)
    cost = np.where(allowed, 0, 1)
    cost[:, 0] += 1
    weights[1:] = -cost + 1j * np.where(allowed, table, 0)
    np.fill_diagonal(weights, complex(-np.inf, 0))
    return weights


def _chu_liu_edmonds(weights: Complexes) -> Ints:
    """Return the heads [n] of the maximum spanning arborescence from node 0, with any number of root words.

    A path follows best heads upwards. Where it meets itself, the cycle is contracted to one node at the index of its
    first member. Where it meets the root or a finished path, it is finished. There are O(n) steps of O(n) each.

    Args:
        weights: [n + 1, n + 1], the weight of the arc to dependent ``d`` from head ``h``; overwritten.
    """
    size = len(weights)
    # The original arc (dependent and head in one number) of each arc between nodes.
    arcs = np.arange(size * size).reshape(size, size)
    node = list(range(size))  # the node at each index; contracted cycles are numbered from size
    parent: list[int] = [-1] * size  # the contracted cycle that contains a node
    best: list[int] = [-1] * size  # the original arc to a node
    done = [index == 0 for index in range(size)]
    for start in range(1, size):
        path: list[int] = []
        current = start
        while not done[current] and node[current] >= 0:
            if current in path:
                cycle = path[path.index(current) :]
                del path[path.index(current) :]
                _contract(weights, arcs, cycle)
                for member in cycle:
                    parent[node[member]] = len(parent)
                    node[member] = -1
                node[current] = len(parent)
                parent.append(-1)
                best.append(-1)
            path.append(current)
            head = int(weights[current].argmax())
            best[node[current]] = int(arcs[current, head])
            current = head
        for member in path:
            done[member] = True
    # A cycle is entered at one word: that arc replaces the cycle's own arc to the nodes that contain the word.
    for cycle_node in range(len(parent) - 1, size - 1, -1):
        inner = best[cycle_node] // size
        while parent[inner] != cycle_node:
            inner = parent[inner]
        best[inner] = best[cycle_node]
    return np.array(best[1:size], dtype=np.int64) % size


def _contract(weights: Complexes, arcs: Ints, cycle: list[int]) -> None:
    """Contract a cycle to one node at the index of its first member; its other indices become unused."""
    first, others = cycle[0], cycle[1:]
    # Entering the cycle at a member removes the cycle's own arc to that member.
    rows = weights[cycle] - weights[cycle].max(axis=1, keepdims=True)
    enter = rows.argmax(axis=0)
    weights[first] = rows[enter, np.arange(len(weights))]
    arcs[first] = arcs[cycle][enter, np.arange(len(weights))]
    leave = weights[:, cycle].argmax(axis=1)
    weights[:, first] = weights[:, cycle][np.arange(len(weights)), leave]
    arcs[:, first] = arcs[:, cycle][np.arange(len(weights)), leave]
    weights[first, first] = -np.inf
    weights[:, others] = -np.inf
