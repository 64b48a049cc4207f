"""Compiled loops that apply given parameters; see :mod:`paralign.words.compiled` for their common arguments."""

from __future__ import annotations

from typing import Any

import numpy as np

from paralign.words.compiled import MAX_LENGTH, compiled, fill_diagonal

__all__ = ["fill_lexical", "fill_posteriors", "hmm_posteriors", "ibm_posteriors"]


@compiled
def fill_lexical(
    words: tuple[Any, Any], starts: Any, cells: Any, tables: tuple[Any, Any, Any, Any], others: tuple[Any, Any],
    same: tuple[Any, float], first: int, stop: int, forward: Any, backward: Any,
) -> None:  # fmt: skip
    """Look up the lexical probabilities of sentence pairs in the tables of a saved aligner.

    Args:
        words: int64 ``[tokens]`` of the source and of the target side, numbers in the tables; -1 for unknown words.
        starts: int64 ``[2, pairs + 1]``, of the source and of the target side.
        cells: int64 ``[pairs + 1]``.
        tables: int64 ``[source words + 1]``, where the word pairs of each source word begin; int32 ``[word pairs]``,
            their target words, in ascending order; float32 ``[word pairs]``, their probabilities in both directions.
        others: float32 ``[source words + 1]`` and ``[target words + 1]``, the probability of a pair that is not in the
            tables, given its source and given its target word; the last is for unknown words.
        same: int32 ``([source tokens], [target tokens])`` stacked as one array, equal for words that are spelled alike;
            the factor of their probability.
        first, stop: the sentence pairs.
        forward, backward: float32, filled for the cells of these pairs.
    """
    rows, targets, forward_table, backward_table = tables
    spelling, factor = same
    offset = starts[0, -1]
    for k in range(first, stop):
        n = starts[1, k + 1] - starts[1, k]
        for position in range(starts[0, k], starts[0, k + 1]):
            word = words[0][position]
            cell = cells[k] - cells[first] + (position - starts[0, k]) * n
            for j in range(n):
                other = words[1][starts[1, k] + j]
                forward[cell + j], backward[cell + j] = others[0][word], others[1][other]
                if word >= 0 and other >= 0:
                    low, high = rows[word], rows[word + 1]
                    while low < high:
                        middle = (low + high) // 2
                        if targets[middle] < other:
                            low = middle + 1
                        else:
                            high = middle
                    if low < rows[word + 1] and targets[low] == other:
                        forward[cell + j], backward[cell + j] = forward_table[low], backward_table[low]
                if spelling[position] == spelling[offset + starts[1, k] + j]:
                    forward[cell + j] *= factor
                    backward[cell + j] *= factor


@compiled
def ibm_posteriors(
    lexical: Any, null: Any, starts: Any, cells: Any, by_row: bool, prior: Any, first: int, stop: int, out: Any
) -> None:
    """Fill in the posteriors of IBM model 2 with a diagonal prior.

    Args:
        lexical: float32, p(generated | generating) of the cells of these pairs.
        null: float32 ``[generated tokens]``, p(generated | null), from the first token of these pairs.
        starts, cells, by_row: see :mod:`paralign.words.compiled`.
        prior: (probability of null, tension).
        first, stop: the sentence pairs.
        out: float32, filled for the cells of these pairs.
    """
    diagonal = np.empty(MAX_LENGTH)
    share, tension = prior
    for k in range(first, stop):
        m, n = starts[0, k + 1] - starts[0, k], starts[1, k + 1] - starts[1, k]
        step = n if by_row else 1
        for j in range(n if m > 0 else 0):
            cell = cells[k] - cells[first] + (j if by_row else j * m)
            scale = (1 - share) / fill_diagonal(m, n, j, tension, diagonal)
            total = share * null[starts[1, k] - starts[1, first] + j]
            for i in range(m):
                diagonal[i] *= scale * lexical[cell + i * step]
                total += diagonal[i]
            for i in range(m):
                out[cell + i * step] = diagonal[i] / total


@compiled
def hmm_posteriors(
    lexical: Any, null: Any, starts: Any, cells: Any, by_row: bool, share: float, jumps: Any, first: int, stop: int,
    out: Any,
) -> None:  # fmt: skip
    """Fill in the posteriors of a hidden Markov model; arguments as of :func:`ibm_posteriors`.

    Args:
        share: probability of null.
        jumps: float32 ``[2 · MAX_LENGTH + 3]``, probability of each jump, index 0 for ``-MAX_LENGTH - 1``.
    """
    for k in range(first, stop):
        m, n = starts[0, k + 1] - starts[0, k], starts[1, k + 1] - starts[1, k]
        begin = cells[k] - cells[first]
        given, found = np.empty((n, m)), np.empty((n, m), np.float32)
        for j in range(n):
            for i in range(m):
                given[j, i] = lexical[begin + (i * n + j if by_row else j * m + i)]
        token = starts[1, k] - starts[1, first]
        _forward_backward(given, null[token : token + n].astype(np.float64), jumps, share, found)
        for j in range(n):
            for i in range(m):
                out[begin + (i * n + j if by_row else j * m + i)] = found[j, i]


@compiled
def _forward_backward(lexical: Any, null: Any, jumps: Any, share: float, out: Any) -> None:
    """Fill in the posteriors of a hidden Markov model for one sentence pair (Vogel, Ney and Tillmann 1996).

    Word j is generated by position i with p = (1 - share) · jump(i - i') / Σ jump(· - i'), where i' is the position of
    the last word that null did not generate, or by null with p = share (Och and Ney 2003, section 2.1).

    Args:
        lexical: float64 ``[n, m]``, p(generated word j | generating word i).
        null: float64 ``[n]``, p(generated word j | null).
        jumps: float32 ``[2 · MAX_LENGTH + 3]``.
        share: probability of null.
        out: float32 ``[n, m]``, filled.
    """
    n, m = lexical.shape
    zero = MAX_LENGTH + 1
    # State m: no word has been generated by a position yet.
    scale, before, after = np.empty(m + 1), np.zeros((n, m)), np.ones(m + 1)
    # Copies in both orders: inner loops over consecutive numbers are vectorized.
    jump, reverse, moved = np.empty((m + 1, m)), np.empty((m, m + 1)), np.empty(m + 1)
    for i in range(m + 1):
        total = 0.0
        for k in range(m):
            jump[i, k] = reverse[k, i] = jumps[k - (i if i < m else -1) + zero]
            total += jump[i, k]
        scale[i] = (1 - share) / total
    state, factor = np.zeros(m + 1), np.empty(n)
    state[m] = 1
    stay = np.empty(m)
    for j in range(n):
        reached = before[j]
        for i in range(m + 1):
            value = state[i] * scale[i]
            if value > 1e-30:
                for k in range(m):
                    reached[k] += value * jump[i, k]
        total = 0.0
        for i in range(m):
            state[i] = reached[i] * lexical[j, i] + state[i] * share * null[j]
            total += state[i]
        state[m] *= share * null[j]
        total += state[m]
        factor[j] = 1 / total
        for i in range(m + 1):
            state[i] *= factor[j]
    for j in range(n - 1, -1, -1):
        for i in range(m):
            stay[i] = lexical[j, i] * after[i] * factor[j]
            out[j, i] = before[j, i] * stay[i]
        moved[:] = 0
        for k in range(m):
            for i in range(m + 1):
                moved[i] += stay[k] * reverse[k, i]
        for i in range(m + 1):
            after[i] = after[i] * share * null[j] * factor[j] + moved[i] * scale[i]


@compiled
def fill_posteriors(
    starts: Any, cells: Any, by_row: bool, entries: Any, position: Any, score: Any, scale: float, first: int,
    stop: int, out: Any,
) -> None:  # fmt: skip
    """Fill in the posteriors of candidate links.

    Args:
        starts, cells, by_row: see :mod:`paralign.words.compiled`.
        entries: int32 or int64 ``[generated tokens + 1]``, where the candidates of each generated token begin.
        position: uint16 ``[candidates]``, position of the generating word.
        score: unsigned ``[candidates]``.
        scale: 1 / the score of posterior 1.
        first, stop: the sentence pairs.
        out: float32, the cells of these pairs, zeros.
    """
    for k in range(first, stop):
        m, n = starts[0, k + 1] - starts[0, k], starts[1, k + 1] - starts[1, k]
        step = n if by_row else 1
        for j in range(n if m > 0 else 0):
            cell = cells[k] - cells[first] + (j if by_row else j * m)
            for entry in range(entries[starts[1, k] + j], entries[starts[1, k] + j + 1]):
                out[cell + position[entry] * step] = score[entry] * scale
