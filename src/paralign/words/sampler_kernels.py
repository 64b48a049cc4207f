"""Compiled loops of the sampler; see :mod:`paralign.words.compiled` for their common arguments."""

from __future__ import annotations

from typing import Any

import numpy as np

from paralign.words.compiled import MAX_LENGTH, compiled, fill_diagonal

__all__ = ["count_kept", "fill_candidates", "fill_frequencies", "initialize", "number_kept", "sweep"]


@compiled
def count_kept(kept: Any, starts: Any, cells: Any, by_row: bool, entries: Any) -> None:
    """Count the cells that are kept for each generated word.

    Args:
        kept: uint8 ``[cells]``.
        starts, cells, by_row: see :func:`expectation`.
        entries: int64 ``[generated tokens + 1]``, filled with where the candidates of each token begin.
    """
    for k in range(len(cells) - 1):
        m, n = starts[0, k + 1] - starts[0, k], starts[1, k + 1] - starts[1, k]
        step = n if by_row else 1
        for j in range(n):
            cell, token = cells[k] + (j if by_row else j * m), starts[1, k] + j
            number = 0
            for i in range(m):
                number += kept[cell + i * step]
            entries[token + 1] = entries[token] + number


@compiled
def number_kept(kept: Any, ids: Any, new: Any) -> int:
    """Number the distinct word pairs of the cells that are kept, from 1. Those with a single such cell share number 0.

    Args:
        kept: uint8 ``[cells]``.
        ids: uint32 ``[cells]``.
        new: uint32 ``[distinct pairs]``, zeros, filled with the new numbers.

    Returns:
        largest number.
    """
    for cell in range(len(ids)):
        if kept[cell]:
            new[ids[cell]] += 1
    number = 0
    for id in range(len(new)):
        if new[id] > 1:
            number += 1
            new[id] = number
        else:
            new[id] = 0
    return number


@compiled
def fill_candidates(
    generated: Any, starts: Any, cells: Any, by_row: bool, ids: Any, lexical: Any, null: Any, prior: Any, kept: Any,
    new: Any, entries: Any, position: Any, pair: Any, score: Any,
) -> None:  # fmt: skip
    """Store the candidates of each generated word: the cells that are kept.

    Args:
        generated, starts, cells, by_row, ids, lexical, null, prior: see :func:`expectation`.
        kept: uint8 ``[cells]``.
        new: uint32 ``[distinct pairs]``, see :func:`number_kept`.
        entries: int64 ``[generated tokens + 1]``, where the candidates of each token begin.
        position: uint16 ``[candidates]``, filled with the position of the generating word.
        pair: uint32 ``[candidates]``, filled with the new number of the word pair.
        score: uint8 ``[candidates]``, filled with the posterior under IBM model 2, in units of 1/255.
    """
    joint = np.empty(MAX_LENGTH)
    share, tension = prior
    for k in range(len(cells) - 1):
        m, n = starts[0, k + 1] - starts[0, k], starts[1, k + 1] - starts[1, k]
        step = n if by_row else 1
        for j in range(n if m > 0 else 0):
            token = starts[1, k] + j
            cell, entry = cells[k] + (j if by_row else j * m), entries[token]
            scale = (1 - share) / fill_diagonal(m, n, j, tension, joint)
            total = 0.0
            for i in range(m):
                joint[i] *= lexical[ids[cell + i * step]]
            for i in range(m):
                total += joint[i]
            scale *= 255 / (total * scale + share * null[generated[token]])
            for i in range(m):
                if kept[cell + i * step]:
                    position[entry] = i
                    pair[entry] = new[ids[cell + i * step]]
                    score[entry] = np.uint8(joint[i] * scale + 0.5)
                    entry += 1


@compiled
def _random(state: Any) -> float:
    """Return a random number in [0, 1) (xorshift64)."""
    x = state[0]
    x ^= x << np.uint64(13)
    x ^= x >> np.uint64(7)
    x ^= x << np.uint64(17)
    state[0] = x
    return float(x >> np.uint64(11)) / 9007199254740992.0


@compiled
def initialize(entries: Any, score: Any, chosen: Any, state: Any) -> None:
    """Sample a first alignment from the posteriors of IBM model 2.

    Args:
        entries: int64 ``[tokens + 1]``, where the candidates of each generated token begin.
        score: uint8 ``[candidates]``, their posteriors in units of 1/255; the rest is null.
        chosen: int32 ``[tokens]``, filled with the candidate of each token, from 0, or -1.
        state: uint64 ``[1]``, of the random numbers.
    """
    for token in range(len(chosen)):
        left = _random(state) * 255
        chosen[token] = -1
        for entry in range(entries[token], entries[token + 1]):
            left -= score[entry]
            if left < 0:
                chosen[token] = entry - entries[token]
                break


@compiled
def _rescale(scale: Any, again: Any, i: int, value: float) -> None:
    """Set the scale of position ``i`` and of all others with the same word, which form a ring."""
    scale[i] = value
    other = again[i]
    while other != i:
        scale[other] = value
        other = again[other]


@compiled
def sweep(
    words: tuple[Any, Any], starts: Any, entries: Any, position: Any, pair: Any, factor: Any, chosen: Any, counts: Any,
    totals: Any, null_counts: Any, priors: Any, jumps: Any, jump_counts: Any, frequency: Any, state: Any,
) -> None:  # fmt: skip
    """Sample the alignment of every generated word, given all others (collapsed Gibbs sampling).

    p(word j is generated by i) ∝ (c(pair) + prior(pair)) / (c(word i) + total prior) · jump(i - previous) ·
    jump(next - i), where *previous* and *next* are the positions that generate the nearest words that null does not
    generate, and all counts c leave word j out.

    Args:
        words: int32 ``[tokens]`` of the generating and of the generated side.
        starts: int64 ``[2, pairs + 1]``.
        entries, position, pair: the candidates of each generated token.
        chosen: int32 ``[tokens]``, the alignment, updated.
        counts: int32 ``[kept pairs]``, updated.
        totals: int32 ``[generating words]``, updated.
        null_counts: int32 ``[generated words + 1]``, updated; the last is the total.
        prior: float32 ``[kept pairs]``, Dirichlet prior of each pair.
        total_prior: float32 ``[generating words]``, its sum over all generated words.
        null_prior: (Dirichlet prior of null for each word, its sum, probability of null).
        jumps: float32 ``[2 · MAX_LENGTH + 3]``, probability of each jump, index 0 for ``-MAX_LENGTH - 1``.
        jump_counts: int64, same shape, jumps of the new alignment are added.
        frequency: uint8 ``[candidates]``, increased for the candidates that are chosen; ``[0]`` counts nothing.
        state: uint64 ``[1]``, of the random numbers.
    """
    generating, generated = words
    following, again = np.empty(MAX_LENGTH, np.int64), np.empty(MAX_LENGTH, np.int64)
    scale, weight = np.empty(MAX_LENGTH), np.empty(MAX_LENGTH)
    sentence, place = np.full(len(totals), -1, np.int32), np.empty(len(totals), np.int32)
    alpha, alpha_sum, null_alpha, null_alpha_sum, share = priors
    rated = len(factor) > 0
    zero, nowhere = MAX_LENGTH + 1, len(null_counts) - 1
    for k in range(starts.shape[1] - 1):
        first, m = starts[0, k], starts[0, k + 1] - starts[0, k]
        begin, n = starts[1, k], starts[1, k + 1] - starts[1, k]
        after = m
        for j in range(n - 1, -1, -1):
            following[j] = after
            if chosen[begin + j] >= 0:
                after = position[entries[begin + j] + chosen[begin + j]]
        for i in range(m):
            word = generating[first + i]
            scale[i] = 1 / (totals[word] + alpha_sum)
            again[i] = i
            if sentence[word] == k:
                again[i], again[place[word]] = again[place[word]], i
            sentence[word], place[word] = k, i
        previous = -1
        for j in range(n):
            token = begin + j
            word, entry, candidates = generated[token], entries[token], entries[token + 1] - entries[token]
            if chosen[token] < 0:
                null_counts[word] -= 1
                null_counts[nowhere] -= 1
            else:
                counts[pair[entry + chosen[token]]] -= 1
                counts[0] = 0
                i = int(position[entry + chosen[token]])
                totals[generating[first + i]] -= 1
                _rescale(scale, again, i, 1 / (totals[generating[first + i]] + alpha_sum))
            total = 0.0
            for c in range(candidates):
                i = int(position[entry + c])
                id = pair[entry + c]
                value = (counts[id] + alpha) * scale[i] * jumps[i - previous + zero] * jumps[following[j] - i + zero]
                if rated:
                    value *= factor[entry + c]
                weight[c] = value
                total += value
            rest = share * (null_counts[word] + null_alpha) / (null_counts[nowhere] + null_alpha_sum)
            rest *= jumps[following[j] - previous + zero]
            left = _random(state) * (total + rest)
            choice = -1
            if left < total:
                for c in range(candidates):
                    left -= weight[c]
                    if left < 0:
                        choice = c
                        break
            chosen[token] = choice
            if choice < 0:
                null_counts[word] += 1
                null_counts[nowhere] += 1
                continue
            i = int(position[entry + choice])
            counts[pair[entry + choice]] += 1
            counts[0] = 0  # pairs with one candidate: without it their count is always 0
            totals[generating[first + i]] += 1
            _rescale(scale, again, i, 1 / (totals[generating[first + i]] + alpha_sum))
            jump_counts[i - previous + zero] += 1
            previous = i
            if len(frequency):
                frequency[entry + choice] += 1
        jump_counts[m - previous + zero] += 1


@compiled
def fill_frequencies(
    starts: Any, cells: Any, by_row: bool, entries: Any, position: Any, frequency: Any, scale: float, first: int,
    stop: int, out: Any,
) -> None:  # fmt: skip
    """Fill in the share of samples in which each cell was linked.

    Args:
        starts, cells, by_row: see :mod:`paralign.words.compiled`.
        entries, position: see :func:`fill_candidates`.
        frequency: uint16 ``[candidates]``, in how many samples each candidate was chosen.
        scale: 1 / number of samples.
        first, stop: the sentence pairs.
        out: float32, the cells of these pairs, zeros.
    """
    for k in range(first, stop):
        m, n = starts[0, k + 1] - starts[0, k], starts[1, k + 1] - starts[1, k]
        step = n if by_row else 1
        for j in range(n if m > 0 else 0):
            cell = cells[k] - cells[first] + (j if by_row else j * m)
            for entry in range(entries[starts[1, k] + j], entries[starts[1, k] + j + 1]):
                out[cell + position[entry] * step] = frequency[entry] * scale
