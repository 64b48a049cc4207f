"""Masking: which pieces are masked, and what replaces them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from paralign.batches.rows import Ints, Template, View, ViewsConfig
from paralign.ragged import row_ids, row_positions, unique_rows
from paralign.rng import random_bits, uniform

__all__ = ["STREAM", "PieceTranslations", "mask_view", "translate_view"]

_SELECT, _REPLACE, _RANDOM, _APART, _SHARE, _WHICH = 12, 13, 14, 15, 16, 17
STREAM = {"joint": 0, "text": 1, "translated": 1}
"""Streams of random numbers: the masks of different views of a pair are independent."""


def mask_view(
    view: View,
    template: Template,
    config: ViewsConfig,
    keys: Ints,
    *stream: int,
    word_starts: Ints | None = None,
    apart: tuple[Ints, Ints] | None = None,
) -> View:
    """Select pieces and replace them 80/10/10 (Devlin et al. 2019).

    Args:
        view: an unmasked view.
        template: mask piece, and the pieces for random replacements.
        config: probabilities.
        keys: ``[B]`` identity of each row; with ``stream`` (seed, epoch, ...) it determines all random numbers.
        word_starts: ``[T]`` position in ``ids`` of the first piece of each piece's word: the pieces of a word are
            selected together. By default, pieces are selected independently.
        apart: (``[x]``, ``[x]``) positions of pairs of pieces that must not both be selected; a coin decides which one
            is not, with all pieces of its word if those are selected together. By default, there are none.
    """
    row, place = row_ids(view.lengths), row_positions(view.lengths)
    word = np.arange(len(place)) if word_starts is None else word_starts
    unit = place[word]
    chosen = uniform(*stream, _SELECT, keys[row], unit) < config.mask_probability
    chosen &= ~view.special
    if apart is not None:
        both = chosen[apart[0]] & chosen[apart[1]]
        first, second = apart[0][both], apart[1][both]
        coin = uniform(*stream, _APART, keys[row[first]], unit[first], unit[second]) < 0.5
        dropped = np.zeros(len(chosen), bool)
        dropped[word[np.where(coin, first, second)]] = True
        chosen &= ~dropped[word]
    masked = np.flatnonzero(chosen)
    kind = uniform(*stream, _REPLACE, keys[row[masked]], place[masked])
    ids = view.ids.copy()
    ids[masked[kind < config.mask_share]] = template.mask_id
    swap = masked[(kind >= config.mask_share) & (kind < config.mask_share + config.random_share)]
    bits = random_bits(*stream, _RANDOM, keys[row[swap]], place[swap])
    random = template.ordinary[(bits % np.uint64(len(template.ordinary))).astype(np.int64)]
    if template.twin_offset:  # random pieces are twins if the replaced piece is one
        random += template.twin_offset * (view.ids[swap] >= template.twin_offset)
    ids[swap] = random
    return replace(view, ids=ids, masked=masked, labels=view.ids[masked])


class PieceTranslations:
    """A dictionary of pieces, used in both directions.

    Args:
        entries: ``[e, 2]`` pieces that translate each other.
        vocabulary: number of pieces.
    """

    def __init__(self, entries: Ints, vocabulary: int) -> None:
        both = unique_rows(np.concatenate([entries, entries[:, ::-1]]))
        self._starts = np.searchsorted(both[:, 0], np.arange(vocabulary + 1))
        self._others = both[:, 1]

    def has(self, ids: Ints) -> npt.NDArray[np.bool_]:
        """Return whether each piece has a translation, ``[k]``."""
        return np.asarray(self._starts[ids + 1] > self._starts[ids])

    def sample(self, ids: Ints, bits: npt.NDArray[np.uint64]) -> Ints:
        """Return one translation of each piece, ``[k]``; every piece must have one.

        Args:
            ids: ``[k]`` pieces.
            bits: ``[k]`` random bits that choose among several translations.
        """
        begin, end = self._starts[ids], self._starts[ids + 1]
        return np.asarray(self._others[begin + (bits % (end - begin).astype(np.uint64)).astype(np.int64)])


def translate_view(
    view: View, translations: PieceTranslations, template: Template, config: ViewsConfig, keys: Ints, *stream: int
) -> View:
    """Replace a share of the selected pieces that have a translation (DICT-MLM; see ``ViewsConfig.translate``).

    Args:
        view: masked by :func:`mask_view`.
        translations: the dictionary.
        template, config, keys, stream: as for :func:`mask_view`.
    """
    row = np.searchsorted(view.starts, view.masked, side="right") - 1
    place = view.masked - view.starts[row]
    selected = uniform(*stream, _SHARE, keys[row], place) < config.translate_share
    chosen = np.flatnonzero(selected & translations.has(view.labels))
    where = view.masked[chosen]
    other = translations.sample(view.labels[chosen], random_bits(*stream, _WHICH, keys[row[chosen]], place[chosen]))
    ids, labels = view.ids.copy(), view.labels.copy()
    if config.translate == "input":
        ids[where] = other
    else:
        ids[where], labels[chosen] = template.mask_id, other
    return replace(view, ids=ids, labels=labels)
