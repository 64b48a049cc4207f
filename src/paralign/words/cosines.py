"""Similarities of words in an encoder, for aligners that combine them with other evidence."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

import numpy as np
import numpy.typing as npt

from paralign.encoder import Encoder
from paralign.words.base import WordPair
from paralign.words.bitext import Bitext
from paralign.words.word_vectors import WordVectors

__all__ = ["cell_cosines"]

_WINDOW = 1_000
"""Sentence pairs that are encoded at once."""


def cell_cosines(
    encoder: Encoder,
    pairs: Iterable[WordPair],
    bitext: Bitext,
    cells: npt.NDArray[np.int64],
    *,
    layer: int,
    languages: tuple[str, str],
    tokenized: int,
) -> npt.NDArray[np.float32]:
    """Return the cosine of every source word with every target word of its pair, minus the mean of the pair.

    Args:
        encoder: the encoder.
        pairs: the sentence pairs of ``bitext``, in order.
        bitext: their words.
        cells: ``[rows + 1]``, where the cells of each row of ``bitext`` begin.
        layer: hidden state, 0 for the embeddings. A word is the mean of its pieces.
        languages: languages of both sides.
        tokenized: the words of the first pairs, this many, are separated by spaces; those of the rest are found by
            :func:`paralign.text.words.word_spans`.

    Returns:
        ``[cells]``; 0 for words without a vector.
    """
    out = np.zeros(cells[-1], np.float32)
    rows_of = np.searchsorted(bitext.pair_of_row, np.arange(bitext.pairs + 1))
    lengths = np.stack([bitext.source.lengths, bitext.target.lengths])
    iterator, done = iter(pairs), 0
    # A window has pairs of one kind only.
    while window := list(islice(iterator, min(_WINDOW, tokenized - done) if done < tokenized else _WINDOW)):
        vectors = [
            WordVectors(
                encoder,
                [pair.texts[side] for pair in window],
                language,
                layer=layer,
                unit="word",
                tokenized=done < tokenized,
            )
            for side, language in enumerate(languages)
        ]
        for side in vectors:
            side.states = side.states.cpu()  # at once, not the products of each pair
        for k in range(len(window)):
            (source, first), (target, second) = (side.words_of(k) for side in vectors)
            cosine = np.zeros((len(window[k].words[0]), len(window[k].words[1])), np.float32)
            if len(source) and len(target):
                values = (first @ second.T).float().numpy()
                cosine[np.ix_(source, target)] = values - values.mean()
            for row in range(rows_of[done + k], rows_of[done + k + 1]):
                i, j = bitext.offsets[row].tolist()
                m, n = lengths[:, row].tolist()
                out[cells[row] : cells[row + 1]] = cosine[i : i + m, j : j + n].reshape(-1)
        done += len(window)
    return out
