"""Compiled loops of IBM model 2; see :mod:`paralign.words.compiled` for their common arguments."""

from __future__ import annotations

from typing import Any

import numpy as np

from paralign.words.compiled import FLOOR, MAX_LENGTH, compiled, fill_diagonal

__all__ = ["estimate", "expectation", "expected_distance", "number_cells"]


@compiled
def number_cells(
    by_word: Any, sentence: Any, source: Any, target: Any, sides: Any, cells: Any, words: Any, rows: Any, ids: Any
) -> int:
    """Number the distinct word pairs, sorted by source word, then by first occurrence.

    Args:
        by_word: int64 ``[source tokens]``, positions of the source tokens, sorted by word.
        sentence: int32 ``[source tokens]``, the sentence pair of each.
        source: int32 ``[source tokens]``, word ids.
        target: int32 ``[target tokens]``, word ids.
        sides: int64 ``[2, pairs + 1]``, where sentences begin in ``source`` and ``target``.
        cells: int64 ``[pairs + 1]``, where their cells begin.
        words: int32 ``[distinct pairs]`` is filled with the target word of each; ``[0]`` only counts.
        rows: int64 ``[source words + 1]`` is filled with where the pairs of each source word begin.
        ids: int32 ``[cells]`` is filled with the number of the word pair of each cell.

    Returns:
        number of distinct pairs.
    """
    last = np.full(target.max() + 1, -1, np.int32)
    number = np.empty(len(last), np.int32)
    distinct, fill = 0, len(words) > 0
    for position in by_word:
        word = source[position]
        k = sentence[position]
        first, stop = sides[1, k], sides[1, k + 1]
        cell = cells[k] + (position - sides[0, k]) * (stop - first)
        for j in range(first, stop):
            other = target[j]
            if last[other] != word:
                last[other] = word
                number[other] = distinct
                if fill:
                    words[distinct] = other
                distinct += 1
            if fill:
                ids[cell + j - first] = number[other]
        rows[word + 1] = distinct
    return distinct


@compiled
def expectation(
    generated: Any, starts: Any, cells: Any, by_row: bool, ids: Any, lexical: Any, null: Any, prior: Any, counts: Any,
    null_counts: Any, kept: Any, threshold: float,
) -> tuple[float, float]:  # fmt: skip
    """Run one pass of IBM model 2 with a diagonal prior over all cells (Dyer, Chahuneau and Smith 2013).

    Args:
        generated: int32 ``[tokens]``, ids of the generated words.
        starts: int64 ``[2, pairs + 1]``, where sentences begin on the generating and on the generated side.
        cells: int64 ``[pairs + 1]``.
        by_row: see above.
        ids: int32 ``[cells]``.
        lexical: float32 ``[distinct pairs]``, p(generated | generating); ``[0]`` stands for uniform probabilities.
        null: float32 ``[generated words]``, p(generated | null).
        prior: (probability of null, tension).
        counts: float32 ``[distinct pairs]``, expected counts are added; ``[0]`` counts nothing.
        null_counts: float64 ``[generated words]``, expected counts of null are added.
        kept: uint8 ``[cells]``, set to 1 for cells whose probability is at least ``threshold``; ``[0]`` sets nothing.
        threshold: see ``kept``.

    Returns:
        sums over all generated words of the distance from the diagonal, and of the probability of null.
    """
    diagonal, joint = np.empty(MAX_LENGTH), np.empty(MAX_LENGTH)
    share, tension = prior
    distance_sum, null_sum = 0.0, 0.0
    uniform, count, mark = len(lexical) == 0, len(counts) > 0, len(kept) > 0
    for k in range(len(cells) - 1):
        m, n = starts[0, k + 1] - starts[0, k], starts[1, k + 1] - starts[1, k]
        if m == 0:
            continue
        step = n if by_row else 1
        width = 1 / m
        for j in range(n):
            word = generated[starts[1, k] + j]
            cell = cells[k] + (j if by_row else j * m)
            scale = (1 - share) / fill_diagonal(m, n, j, tension, diagonal)
            rest = share * null[word]
            total = 0.0
            for i in range(m):
                joint[i] = diagonal[i] if uniform else diagonal[i] * lexical[ids[cell + i * step]]
            for i in range(m):
                total += joint[i]
            total = total * scale + rest
            scale /= total
            if count:
                for i in range(m):
                    value = joint[i] * scale
                    counts[ids[cell + i * step]] += value
                    distance_sum += value * abs((i + 1) * width - (j + 1) / n)
            if mark:
                for i in range(m):
                    if joint[i] * scale >= threshold:
                        kept[cell + i * step] = 1
            null_counts[word] += rest / total
            null_sum += rest / total
    return distance_sum, null_sum


@compiled
def expected_distance(sizes: Any, tension: float) -> float:
    """Return the mean distance from the diagonal under the prior.

    Args:
        sizes: int64 ``[sizes, 3]``: generating words, generated words, number of such pairs.
        tension: of the prior.
    """
    diagonal = np.empty(MAX_LENGTH)
    total, words = 0.0, 0
    for row in range(len(sizes)):
        m, n, times = sizes[row]
        for j in range(n):
            scale = times / fill_diagonal(m, n, j, tension, diagonal)
            for i in range(m):
                total += diagonal[i] * scale * abs((i + 1) / m - (j + 1) / n)
        words += n * times
    return total / words


@compiled
def _exp_digamma(x: float) -> float:
    """Return exp(ψ(x)) for x > 0, with a relative error below 1e-9."""
    shift = 0.0
    while x < 8:
        shift += 1 / x
        x += 1
    square = 1 / (x * x)
    series = square * (1 / 12 - square * (1 / 120 - square * (1 / 252 - square / 240)))
    return float(np.exp(np.log(x) - 0.5 / x - series - shift))


@compiled
def estimate(counts: Any, rows: Any, given: Any, totals: Any, alpha: float) -> None:
    """Replace counts by probabilities, by variational Bayes: exp(ψ(c + α)) / exp(ψ(Σ (c + α))), at least ``FLOOR``.

    Args:
        counts: float32 ``[distinct pairs]``, replaced.
        rows: int64 ``[source words + 1]``, where the pairs of each source word begin.
        given: int32 ``[distinct pairs]``, the word that is given; ``[0]``: the source word.
        totals: float64 ``[given words]``, zeros.
        alpha: α; 0 estimates relative frequencies.
    """
    for word in range(len(rows) - 1):
        for id in range(rows[word], rows[word + 1]):
            totals[given[id] if len(given) else word] += counts[id] + alpha
    for word in range(len(totals)):
        value = totals[word]
        totals[word] = (1 / (_exp_digamma(value) if alpha else value)) if value > 0 else 0.0
    for word in range(len(rows) - 1):
        for id in range(rows[word], rows[word + 1]):
            value = _exp_digamma(counts[id] + alpha) if alpha else counts[id]
            counts[id] = max(FLOOR, value * totals[given[id] if len(given) else word])
