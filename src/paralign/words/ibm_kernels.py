"""Compiled loops of IBM model 2; see :mod:`paralign.words.compiled` for their common arguments."""

from __future__ import annotations

from typing import Any

import numpy as np

from paralign.words.compiled import FLOOR, MAX_LENGTH, compiled, fill_diagonal

__all__ = [
    "decay_tables", "estimate", "expect_candidates", "expectation", "expected_distance", "near_diagonal",
    "number_cells", "weigh_pairs",
]  # fmt: skip


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
    null_counts: Any,
) -> float:  # fmt: skip
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
        counts: float32 ``[distinct pairs]``, expected counts are added.
        null_counts: float64 ``[generated words]``, expected counts of null are added.

    Returns:
        sum over all generated words of the distance from the diagonal.
    """
    diagonal, joint = np.empty(MAX_LENGTH), np.empty(MAX_LENGTH)
    share, tension = prior
    distance_sum, uniform = 0.0, len(lexical) == 0
    for k in range(len(cells) - 1):
        m, n = starts[0, k + 1] - starts[0, k], starts[1, k + 1] - starts[1, k]
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
            for i in range(m):
                value = joint[i] * scale
                counts[ids[cell + i * step]] += value
                distance_sum += value * abs((i + 1) * width - (j + 1) / n)
            null_counts[word] += rest / total
    return distance_sum


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


@compiled
def decay_tables(tension: float) -> tuple[Any, Any]:
    """Return exp(-tension · d / m) for all d ≤ m ≤ ``MAX_LENGTH``, and the sum of the first d of them.

    Returns:
        float32 ``[MAX_LENGTH + 1, MAX_LENGTH + 1]``, twice; first index m.
    """
    decay = np.zeros((MAX_LENGTH + 1, MAX_LENGTH + 1), np.float32)
    sums = np.zeros((MAX_LENGTH + 1, MAX_LENGTH + 1), np.float32)
    for m in range(1, MAX_LENGTH + 1):
        total = 0.0
        for d in range(m + 1):
            value = np.exp(-tension * d / m)
            decay[m, d], sums[m, d] = value, total
            total += value
    return decay, sums


@compiled
def near_diagonal(m: int, position: float, tension: float) -> tuple[int, float, float]:
    """Return the last i + 1 at or below the diagonal, and exp(-tension · abs((i + 1) / m - position)) for it and the
    next i."""
    last = min(m, max(0, int(np.floor(position * m + 1e-9))))
    return last, np.exp(-tension * (position - last / m)), np.exp(-tension * ((last + 1) / m - position))


@compiled
def expect_candidates(
    words: tuple[Any, Any], starts: Any, entries: Any, position: Any, pair: Any, lexical: Any, inverse: Any, null: Any,
    prior: Any, counts: Any, totals: Any, null_counts: Any, score: Any, unit: float,
) -> float:  # fmt: skip
    """Run one pass of IBM model 2 with a diagonal prior over the candidates.

    Args:
        words: int32 ``[tokens]`` of the generating and of the generated side.
        starts: int64 ``[2, pairs + 1]``, where sentences begin on both sides.
        entries: int32 or int64 ``[generated tokens + 1]``, where the candidates of each generated token begin.
        position: uint16 ``[candidates]``, position of the generating word.
        pair: uint32 ``[candidates]``, number of the word pair.
        lexical: float32 ``[word pairs]``, proportional to p(generated | generating); ``[0]`` stands for uniform
            probabilities.
        inverse: float64 ``[generating words]``, the factor that makes ``lexical`` probabilities.
        null: float32 ``[generated words]``, p(generated | null).
        prior: (probability of null, tension, the tables of :func:`decay_tables`).
        counts: float32 ``[word pairs]``, expected counts are added; ``[0]`` counts nothing.
        totals: float64 ``[generating words]``, likewise.
        null_counts: float64 ``[generated words]``, expected counts of null are added.
        score: unsigned ``[candidates]``, filled with the posteriors; ``[0]`` fills nothing.
        unit: the score of posterior 1.

    Returns:
        sum over all generated words of the distance from the diagonal.
    """
    generating, generated = words
    share, tension, (decay, sums) = prior
    uniform, count, fill = len(lexical) == 0, len(counts) > 0, len(score) > 0
    joint = np.empty(MAX_LENGTH)
    distance_sum = 0.0
    for k in range(starts.shape[1] - 1):
        first, m = starts[0, k], starts[0, k + 1] - starts[0, k]
        n = starts[1, k + 1] - starts[1, k]
        for j in range(n):
            token = starts[1, k] + j
            word, entry, number = generated[token], entries[token], entries[token + 1] - entries[token]
            place = (j + 1) / n
            last, left, right = near_diagonal(m, place, tension)
            scale = (1 - share) / (left * sums[m, last] + right * sums[m, m - last])
            left, right = left * scale, right * scale
            rest = share * null[word]
            total = rest
            for c in range(number):
                i = int(position[entry + c])
                value = left * decay[m, last - 1 - i] if i < last else right * decay[m, i - last]
                if not uniform:
                    value *= max(FLOOR, lexical[pair[entry + c]] * inverse[generating[first + i]])
                joint[c] = value
                total += value
            null_counts[word] += rest / total
            for c in range(number):
                value = joint[c] / total
                if count:
                    counts[pair[entry + c]] += value
                    totals[generating[first + int(position[entry + c])]] += value
                    distance_sum += value * abs((int(position[entry + c]) + 1) / m - place)
                if fill:
                    score[entry + c] = int(value * unit + 0.5)
    return distance_sum


@compiled
def weigh_pairs(counts: Any, totals: Any, types: Any, alpha: float) -> None:
    """Replace expected counts by the parameters of :func:`expect_candidates`, by variational Bayes.

    p = exp(ψ(c + α)) / exp(ψ(C + α · types)), as in :func:`estimate`.

    Args:
        counts: float32 ``[word pairs]``, c, replaced by the numerators.
        totals: float64 ``[generating words]``, C, replaced by 1 / the denominators.
        types: int32 ``[generating words]``, number of words that each word occurs with.
        alpha: α; 0 estimates relative frequencies.
    """
    if alpha:
        for id in range(len(counts)):
            counts[id] = _exp_digamma(counts[id] + alpha)
    for word in range(len(totals)):
        value = totals[word] + alpha * types[word]
        totals[word] = (1 / (_exp_digamma(value) if alpha else value)) if value > 0 else 0.0
