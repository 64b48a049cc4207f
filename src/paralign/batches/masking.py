"""Which pieces are masked, and what stands there instead."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from paralign.batches.rows import Ints, Template, View, ViewsConfig
from paralign.ragged import row_ids, row_positions
from paralign.rng import random_bits, uniform

__all__ = ["STREAM", "Translations", "mask_view", "translate_view"]

_SELECT, _REPLACE, _RANDOM, _APART, _SHARE, _WHICH = 12, 13, 14, 15, 16, 17
STREAM = {"joint": 0, "text": 1, "translated": 1}
"""Masks of different views of a pair are drawn apart."""


def mask_view(
    view: View,
    template: Template,
    config: ViewsConfig,
    keys: Ints,
    *stream: int,
    heads: Ints | None = None,
    apart: tuple[Ints, Ints] | None = None,
) -> View:
    """Select pieces and replace them 80/10/10 (Devlin et al. 2019).

    Args:
        view: an unmasked view.
        keys: [B] identity of each row; with ``stream`` (seed, epoch, ...) it decides every draw.
        heads: [T] position in ``ids`` of the first piece of each piece's word: pieces of a word are selected together.
        apart: ([x], [x]) positions of pieces that shall not both be selected; a coin decides which is left alone.
    """
    row, place = row_ids(view.lengths), row_positions(view.lengths)
    unit = place if heads is None else place[heads]
    chosen = uniform(*stream, _SELECT, keys[row], unit) < config.mask_probability
    chosen &= ~view.special
    if apart is not None:
        both = chosen[apart[0]] & chosen[apart[1]]
        first, second = apart[0][both], apart[1][both]
        coin = uniform(*stream, _APART, keys[row[first]], place[first], place[second]) < 0.5
        chosen[np.where(coin, first, second)] = False
    masked = np.flatnonzero(chosen)
    kind = uniform(*stream, _REPLACE, keys[row[masked]], place[masked])
    ids = view.ids.copy()
    ids[masked[kind < config.mask_share]] = template.mask_id
    swap = masked[(kind >= config.mask_share) & (kind < config.mask_share + config.random_share)]
    bits = random_bits(*stream, _RANDOM, keys[row[swap]], place[swap])
    random = template.ordinary[(bits % np.uint64(len(template.ordinary))).astype(np.int64)]
    if template.twin_offset:  # in the language of the piece that is replaced
        random += template.twin_offset * (view.ids[swap] >= template.twin_offset)
    ids[swap] = random
    return replace(view, ids=ids, masked=masked, labels=view.ids[masked])


class Translations:
    """Which pieces may stand for which, both ways.

    Args:
        entries: [e, 2] pieces that translate each other.
        vocabulary: number of pieces.
    """

    def __init__(self, entries: Ints, vocabulary: int) -> None:
        both = np.unique(np.concatenate([entries, entries[:, ::-1]]), axis=0)
        self._starts = np.searchsorted(both[:, 0], np.arange(vocabulary + 1))
        self._others = both[:, 1]

    def has(self, ids: Ints) -> npt.NDArray[np.bool_]:
        """[k] whether pieces have any."""
        return np.asarray(self._starts[ids + 1] > self._starts[ids])

    def sample(self, ids: Ints, bits: npt.NDArray[np.uint64]) -> Ints:
        """[k] one translation of each piece (all have some), by random bits."""
        begin, end = self._starts[ids], self._starts[ids + 1]
        return np.asarray(self._others[begin + (bits % (end - begin).astype(np.uint64)).astype(np.int64)])


def translate_view(
    view: View, translations: Translations, template: Template, config: ViewsConfig, keys: Ints, *stream: int
) -> View:
    """Of a masked view's pieces that have a translation give a share a bilingual task (DICT-MLM; see
    ``ViewsConfig.translate``).

    Args:
        view: masked by :func:`mask_view`.
        translations: the dictionary.
        template, config: as there.
        keys: [B] as there.
        stream: as there.
    """
    row = np.searchsorted(view.starts, view.masked, side="right") - 1
    place = view.masked - view.starts[row]
    drawn = uniform(*stream, _SHARE, keys[row], place) < config.translate_share
    chosen = np.flatnonzero(drawn & translations.has(view.labels))
    where = view.masked[chosen]
    other = translations.sample(view.labels[chosen], random_bits(*stream, _WHICH, keys[row[chosen]], place[chosen]))
    ids, labels = view.ids.copy(), view.labels.copy()
    if config.translate == "input":
        ids[where] = other
    else:
        ids[where], labels[chosen] = template.mask_id, other
    return replace(view, ids=ids, labels=labels)
