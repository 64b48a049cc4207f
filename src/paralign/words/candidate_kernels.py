"""Compiled loops that choose the candidate links of a text; see :mod:`paralign.words.compiled` for common arguments.

The passes over all cells go through the text by source word: the counts of one source word with all target words are
one dense row, so that no number has to be stored for a cell or a distinct word pair. They share these arguments:

* ``target``: int32 ``[target tokens]``, word ids.
* ``starts``: int64 ``[2, pairs + 1]``, where sentences begin on the source and on the target side.
* ``order``: (int64 ``[source words + 1]``, where the tokens of each word begin; int32 ``[source tokens]``, their
  positions; int32 ``[source tokens]``, their sentence pairs), see :func:`sort_tokens`.
* ``prior``: (probability of null, tension, the tables of :func:`paralign.words.ibm_kernels.decay_tables`), the same in
  both directions.
* ``scale``: float32 ``[target tokens]``, (1 - probability of null) / sum of the diagonal prior over source positions.
* ``first, stop``: the range of source words.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from paralign.words.compiled import FLOOR, MAX_LENGTH, compiled
from paralign.words.ibm_kernels import near_diagonal

__all__ = [
    "BINS", "BINS_PER_OCTAVE", "add_posteriors", "diagonal_scale", "fill_candidates", "fill_words", "mark_candidates",
    "sort_tokens", "transpose_candidates",
]  # fmt: skip

BINS, BINS_PER_OCTAVE = 1024, 32
"""Of the histogram of agreement: bin b holds values from 2^(-(b + 1) / 32) to 2^(-b / 32)."""
TINY = 1e-12


@compiled
def _fill_diagonal(m: int, position: float, tables: Any, tension: float, out: Any) -> float:
    """Fill ``out`` with exp(-tension · abs((i + 1) / m - position)) for all i < m; return the sum."""
    decay, sums = tables[0][m], tables[1][m]
    last, left, right = near_diagonal(m, position, tension)
    for i in range(last):
        out[i] = left * decay[last - 1 - i]
    for i in range(last, m):
        out[i] = right * decay[i - last]
    return float(left * sums[last] + right * sums[m - last])


@compiled
def sort_tokens(source: Any, starts: Any, begin: Any, position: Any, sentence: Any) -> None:
    """Sort the source tokens by word; tokens of a word keep their order.

    Args:
        source: int32 ``[source tokens]``, word ids.
        starts: see above.
        begin: int64 ``[source words + 1]``, where the tokens of each word begin.
        position: int32 ``[source tokens]``, filled with the position of each token.
        sentence: int32 ``[source tokens]``, filled with its sentence pair.
    """
    cursor = begin.copy()
    for k in range(starts.shape[1] - 1):
        for token in range(starts[0, k], starts[0, k + 1]):
            place = cursor[source[token]]
            position[place], sentence[place] = token, k
            cursor[source[token]] = place + 1


@compiled
def diagonal_scale(starts: Any, prior: Any, out: Any) -> None:
    """Fill ``out``, see ``scale`` above."""
    share, tension, (_, sums) = prior
    for k in range(starts.shape[1] - 1):
        m, n = starts[0, k + 1] - starts[0, k], starts[1, k + 1] - starts[1, k]
        for j in range(n if m > 0 else 0):
            last, left, right = near_diagonal(m, (j + 1) / n, tension)
            out[starts[1, k] + j] = (1 - share) / (left * sums[m, last] + right * sums[m, m - last])


@compiled
def _fill_row(
    word: int, target: Any, starts: Any, order: Any, prior: Any, scale: Any, last: Any, row: Any, found: Any,
    diagonal: Any,
) -> tuple[int, float]:  # fmt: skip
    """Fill in the expected counts of a source word with every target word under the diagonal prior alone.

    Args:
        last: int32 ``[target words]``, the last source word that occurred with each.
        row: float32 ``[target words, 2]``, filled with the counts of both directions.
        found: int32 ``[target words]``, filled with the target words that occur with this one.
        diagonal: float32 ``[MAX_LENGTH]``, buffer.

    Returns:
        number of these target words, and the sum of the counts of the first direction.
    """
    begin, position, sentence = order
    share, tension, tables = prior
    number, total = 0, 0.0
    for place in range(begin[word], begin[word + 1]):
        k, token = sentence[place], position[place]
        start, n = starts[1, k], starts[1, k + 1] - starts[1, k]
        m = starts[0, k + 1] - starts[0, k]
        relative = (token - starts[0, k] + 1) / m
        back = np.float32((1 - share) / _fill_diagonal(n, relative, tables, tension, diagonal))
        for j in range(n):
            other = target[start + j]
            value = diagonal[j] * scale[start + j]
            total += float(value)
            if last[other] != word:
                last[other] = word
                found[number] = other
                number += 1
                row[other, 0], row[other, 1] = value, diagonal[j] * back
            else:
                row[other, 0] += value
                row[other, 1] += diagonal[j] * back
    return number, total


@compiled
def add_posteriors(
    first: int, stop: int, target: Any, starts: Any, order: Any, prior: Any, scale: Any, sums: Any, best: Any,
    totals: Any, types: Any,
) -> None:  # fmt: skip
    """Sum up what the posteriors of a range of source words have to be divided by.

    Args:
        sums: float32 ``[target tokens]``; the probabilities that each token is generated by one of these words are
            added.
        best: float32 ``[target tokens]``, the largest of these probabilities, updated.
        totals: float64 ``[target words]``; the counts of each target word with these words, as the generating word, are
            added.
        types: (int32 ``[source words]``, int32 ``[target words]``); the number of words that each word occurs with is
            added.
    """
    begin, position, sentence = order
    size, tension, tables = len(totals), prior[1], prior[2]
    last, row, found = np.full(size, -1, np.int32), np.empty((size, 2), np.float32), np.empty(size, np.int32)
    diagonal = np.empty(MAX_LENGTH, np.float32)
    for word in range(first, stop):
        number, total = _fill_row(word, target, starts, order, prior, scale, last, row, found, diagonal)
        types[0][word] = number
        for index in range(number):
            other = found[index]
            totals[other] += row[other, 1]
            types[1][other] += 1
            row[other, 0] = max(FLOOR, row[other, 0] / total)
        for place in range(begin[word], begin[word + 1]):
            k = sentence[place]
            start, n = starts[1, k], starts[1, k + 1] - starts[1, k]
            i, m = position[place] - starts[0, k], starts[0, k + 1] - starts[0, k]
            _fill_diagonal(n, (i + 1) / m, tables, tension, diagonal)
            for j in range(n):
                value = diagonal[j] * scale[start + j] * row[target[start + j], 0]
                sums[start + j] += value
                best[start + j] = max(best[start + j], value)


@compiled
def mark_candidates(
    first: int, stop: int, target: Any, starts: Any, order: Any, prior: Any, scale: Any, weights: Any, best: Any,
    totals: Any, null: Any, threshold: float, least: float, bits: Any, bytes_: Any, kept: Any,
    distinct: Any, histogram: Any,
) -> None:  # fmt: skip
    """Mark the cells whose posterior reaches a threshold in either direction, and whose agreement is large enough.

    The parameters are those of one pass of IBM model 2 by maximum likelihood, from a uniform start.

    Args:
        weights: float32 ``[target tokens]``, ``scale`` / the probability of each token.
        best: float32 ``[target tokens]``, the factor that makes the largest posterior of each token 1; ``[0]`` if
            agreement is not needed.
        totals: float64 ``[target words]``, counts of each target word as the generating word.
        null: float32 ``[source words]``, p(word | null).
        threshold: smallest posterior.
        least: smallest agreement of both directions, the geometric mean of both posteriors, each divided by the largest
            of its token.
        bits: uint8, one bit for each cell, zeros; set for the cells that are kept.
        bytes_: int64 ``[pairs + 1]``, where the bits of each pair begin, those of each source word at a byte.
        kept: uint16 ``[source tokens]``, filled with the number of cells that are kept.
        distinct: int32 ``[2, source words]``, filled with the number of target words with which each word has several
            such cells, and with a single one.
        histogram: int64 ``[BINS]``; if there is ``best``, the marked cells are counted by agreement.
    """
    begin, position, sentence = order
    size = len(totals)
    share, tension, tables = prior
    ranked = len(best) > 0
    last, row, found = np.full(size, -1, np.int32), np.empty((size, 2), np.float32), np.empty(size, np.int32)
    number_kept = np.zeros(size, np.int32)
    diagonal, forward, back = np.empty((3, MAX_LENGTH), np.float32)
    for word in range(first, stop):
        number, total = _fill_row(word, target, starts, order, prior, scale, last, row, found, diagonal)
        for index in range(number):
            other = found[index]
            number_kept[other] = 0
            row[other, 0] = max(FLOOR, row[other, 0] / total)
            row[other, 1] = max(FLOOR, row[other, 1] / totals[other])
        for place in range(begin[word], begin[word + 1]):
            k, token = sentence[place], position[place]
            start, n = starts[1, k], starts[1, k + 1] - starts[1, k]
            i, m = token - starts[0, k], starts[0, k + 1] - starts[0, k]
            factor = (1 - share) / _fill_diagonal(n, (i + 1) / m, tables, tension, diagonal)
            total, most = 0.0, np.float32(0)
            for j in range(n):
                other = target[start + j]
                forward[j] = diagonal[j] * weights[start + j] * row[other, 0]
                back[j] = diagonal[j] * row[other, 1]
                total += back[j]
                most = max(most, back[j])
            scaled = np.float32(factor / (total * factor + share * null[word]))
            byte = bytes_[k] + i * ((n + 7) // 8)
            count = 0
            for j in range(n):
                if max(back[j] * scaled, forward[j]) < threshold:
                    continue
                agreement = np.sqrt(forward[j] * best[start + j] * (back[j] / most)) if ranked else 1.0
                if agreement >= least:
                    bits[byte + j // 8] |= np.uint8(1 << (j % 8))
                    count += 1
                    number_kept[target[start + j]] += 1
                    if ranked:
                        bin = int(-np.log2(max(agreement, TINY)) * BINS_PER_OCTAVE)
                        histogram[min(max(bin, 0), BINS - 1)] += 1
            kept[token] = count
        distinct[0, word] = distinct[1, word] = 0
        for index in range(number):
            other = found[index]
            distinct[0, word] += number_kept[other] > 1
            distinct[1, word] += number_kept[other] == 1


@compiled
def fill_candidates(
    first: int, stop: int, target: Any, starts: Any, order: Any, bits: Any, bytes_: Any, entries: Any, numbers: Any,
    position: Any, pair: Any,
) -> None:  # fmt: skip
    """Store the marked cells as the candidates of the source tokens, and number their distinct word pairs.

    Args:
        bits, bytes_: see :func:`mark_candidates`.
        entries: int32 or int64 ``[source tokens + 1]``, where the candidates of each source token begin.
        numbers: int64 ``[2, source words]``, the first number of the pairs of each word with several cells, and of
            those with a single one.
        position: uint16 ``[candidates]``, filled with the position of the target word.
        pair: uint32 ``[candidates]``, filled with the number of the word pair.
    """
    begin, token_of, sentence = order
    size = target.max() + 1
    last, count, number = np.full(size, -1, np.int32), np.empty(size, np.int32), np.empty(size, np.uint32)
    for word in range(first, stop):
        several, single = numbers[0, word], numbers[1, word]
        for fill in (False, True):
            for place in range(begin[word], begin[word + 1]):
                k, token = sentence[place], token_of[place]
                start, n = starts[1, k], starts[1, k + 1] - starts[1, k]
                byte = bytes_[k] + (token - starts[0, k]) * ((n + 7) // 8)
                entry = entries[token]
                for j in range(n):
                    if j % 8 == 0 and bits[byte + j // 8] == 0:
                        continue
                    if not (bits[byte + j // 8] >> (j % 8)) & 1:
                        continue
                    other = target[start + j]
                    if not fill:
                        if last[other] != word:
                            last[other], count[other] = word, 0
                        count[other] += 1
                        continue
                    if count[other] > 0:  # its first cell
                        if count[other] > 1:
                            number[other] = several
                            several += 1
                        else:
                            number[other] = single
                            single += 1
                        count[other] = 0
                    position[entry], pair[entry] = j, number[other]
                    entry += 1


@compiled
def transpose_candidates(
    starts: Any, entries: Any, position: Any, pair: Any, other_entries: Any, other_position: Any, other_pair: Any
) -> None:
    """Store the candidates of the source tokens by target token.

    Args:
        starts: see above.
        entries, position, pair: the candidates of the source tokens.
        other_entries: of the type of ``entries``, ``[target tokens + 1]``, zeros, filled with where the candidates of
            each target token begin.
        other_position, other_pair: of the same types, filled.
    """
    cursor = np.empty(MAX_LENGTH, np.int64)
    total = 0
    for k in range(starts.shape[1] - 1):
        first, m = starts[0, k], starts[0, k + 1] - starts[0, k]
        start, n = starts[1, k], starts[1, k + 1] - starts[1, k]
        cursor[:n] = 0
        for entry in range(entries[first], entries[first + m]):
            cursor[position[entry]] += 1
        for j in range(n):
            size = cursor[j]
            cursor[j] = total
            total += size
            other_entries[start + j + 1] = total
        for i in range(m):
            for entry in range(entries[first + i], entries[first + i + 1]):
                j = position[entry]
                other_position[cursor[j]], other_pair[cursor[j]] = i, pair[entry]
                cursor[j] += 1


@compiled
def fill_words(
    words: Any, starts: Any, entries: Any, position: Any, pair: Any, generating: Any, generated: Any
) -> None:
    """Fill in the words of each distinct pair.

    Args:
        words: int32 ``[tokens]`` of the generating and of the generated side.
        starts, entries, position, pair: the candidates of each generated token.
        generating, generated: int32 ``[distinct pairs]``, filled.
    """
    for k in range(starts.shape[1] - 1):
        for token in range(starts[1, k], starts[1, k + 1]):
            for entry in range(entries[token], entries[token + 1]):
                generating[pair[entry]] = words[0][starts[0, k] + position[entry]]
                generated[pair[entry]] = words[1][token]
