"""From the posteriors of both directions to links."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from paralign.words.bitext import Bitext
from paralign.words.posteriors import Posteriors
from paralign.words.symmetrization import symmetrize
from paralign.words.word_links import WordLinks

__all__ = ["POSTERIOR", "best_threshold", "decode"]

Array = npt.NDArray[Any]
POSTERIOR = "posterior"
"""Symmetrization of aligners with posteriors: links whose mean posterior reaches a threshold."""
_BINS = 1000
_SAMPLE_ROWS = 50_000


def best_threshold(posteriors: Posteriors, rows: int) -> float:
    """Return the threshold of the mean posterior with the largest expected F1 (see Lipton et al. 2014).

    If posteriors are probabilities, a threshold t gives Σ p[p ≥ t] correct links of n(t), of Σ p in all. The first
    50,000 rows are used.

    Args:
        posteriors: of the text.
        rows: number of rows of the text.
    """
    number, mass = np.zeros(_BINS + 1), np.zeros(_BINS + 1)
    for first, stop in posteriors.blocks(min(rows, _SAMPLE_ROWS)):
        forward, backward = posteriors.block(first, stop)
        mean = (forward + backward) / 2
        mean = mean[mean > 0.5 / _BINS]
        place = np.minimum((mean * _BINS).astype(np.int64), _BINS)
        number += np.bincount(place, minlength=_BINS + 1)
        mass += np.bincount(place, mean, _BINS + 1)
    links, correct = np.cumsum(number[::-1])[::-1], np.cumsum(mass[::-1])[::-1]
    if not correct[0]:
        return 0.5
    return max(1, int(np.argmax(2 * correct / (links + correct[0])))) / _BINS


def decode(
    posteriors: Posteriors, bitext: Bitext, method: str, *, pairs: int, threshold: float, probabilities: bool = False
) -> WordLinks:
    """Return the links of the first sentence pairs.

    Args:
        posteriors: of the text.
        bitext: the text.
        method: ``posterior``, or a method of :func:`paralign.words.symmetrization.symmetrize` for the most probable
            counterpart of each word in each direction (none, if that is more probable).
        pairs: number of sentence pairs.
        threshold: for ``posterior``, smallest mean of the posteriors of both directions.
        probabilities: also return the mean posterior of each link.
    """
    lengths = np.diff(posteriors.starts, axis=1)
    source: list[Array] = [np.empty(0, np.int32)]
    target: list[Array] = [np.empty(0, np.int32)]
    posterior: list[Array] = [np.empty(0, np.float32)]
    number = np.zeros(pairs + 1, np.int64)
    for first, stop in posteriors.blocks(int(np.searchsorted(bitext.pair_of_row, pairs))):
        forward, backward = posteriors.block(first, stop)
        mean = (forward + backward) / 2
        if method == POSTERIOR:
            cell = np.flatnonzero(mean >= threshold)
        else:
            cell = _symmetrized(forward, backward, lengths[:, first:stop], method)
        begin = posteriors.cells[first : stop + 1] - posteriors.cells[first]
        row = np.searchsorted(begin, cell, side="right") - 1
        i, j = np.divmod(cell - begin[row], lengths[1, first + row])
        offsets = bitext.offsets[first + row]
        begin_pair, end_pair = bitext.pair_of_row[[first, stop - 1]]
        number[begin_pair + 1 : end_pair + 2] += np.bincount(
            bitext.pair_of_row[first + row] - begin_pair, minlength=end_pair + 1 - begin_pair
        )
        source.append((i + offsets[:, 0]).astype(np.int32))
        target.append((j + offsets[:, 1]).astype(np.int32))
        if probabilities:
            posterior.append(mean[cell])
    # Cells are in the order of pairs and words, also those of a pair with several rows.
    return WordLinks(
        np.cumsum(number),
        np.concatenate(source),
        np.concatenate(target),
        np.concatenate(posterior) if probabilities else None,
    )


def _symmetrized(forward: Array, backward: Array, lengths: Array, method: str) -> Array:
    """Return the cells that are linked when the best links of both directions are combined."""
    found, begin = [np.empty(0, np.int64)], 0
    for m, n in lengths.T.tolist():
        shape, cells = (1, m, n), slice(begin, begin + m * n)
        directions = (
            _best(forward[cells].reshape(shape), 1),
            _best(backward[cells].reshape(shape), 2),
        )
        found.append(np.flatnonzero(symmetrize(*directions, method)) + begin)
        begin += m * n
    return np.concatenate(found)


def _best(posterior: Array, axis: int) -> Array:
    """Return a mask of the first most probable counterpart of each word, where it is more probable than none."""
    best = posterior.max(axis, keepdims=True)
    mask = np.zeros(posterior.shape, np.bool_)
    # A tolerance, because the posterior of null is a difference of float32 numbers.
    linked = best > 1 - posterior.sum(axis, keepdims=True) + 1e-6
    np.put_along_axis(mask, posterior.argmax(axis, keepdims=True), linked, axis)
    return mask
