"""Vectors of the pieces or words of sentences, from a layer of an encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from paralign.encoder import Encoder
from paralign.encoder.vectors import piece_states
from paralign.ragged import row_ids, row_starts
from paralign.text.words import piece_word_ranges, word_spans

__all__ = ["Unit", "WordVectors", "default_layer", "link_layer"]

Ints = npt.NDArray[np.int64]
Unit = Literal["piece", "word", "both"]


_DEFAULT_DEPTH = 7 / 12
"""Share of the layers below the default one, chosen on development data (docs/results/word-alignment.md)."""


def default_layer(layers: int) -> int:
    """Return the layer that links are read from by default.

    Args:
        layers: number of the encoder's layers.
    """
    return round(layers * _DEFAULT_DEPTH)


def link_layer(encoder: Encoder, layer: float | None) -> int:
    """Return the hidden state that links are read from.

    Args:
        encoder: the encoder.
        layer: as in :meth:`paralign.encoder.Encoder.layer_number`. Default ``None``: :func:`default_layer`.

    Raises:
        UserError: for a layer that the encoder does not have.
    """
    return default_layer(encoder.layers) if layer is None else encoder.layer_number(layer)


class WordVectors:
    """Vectors of the pieces, or words, of sentences. Pieces that belong to no word (spaces) are left out.

    Args:
        encoder: the encoder.
        texts: the sentences. Those longer than the encoder's maximum are read in windows that overlap by half.
        language: their language, for the encoder's maps and for derived languages. None: no particular one.
        layer: the hidden state, 0 for the embeddings.
        unit: ``piece``: one vector per piece; ``word``: one per word, the mean of its pieces; ``both``: one per piece,
            the mean of the piece's vector and its word's.
        normalize: scale each vector to length 1; for ``both``, the piece's, the word's and their mean.
        bf16: compute in bf16.
        tokenized: words are separated by spaces. Default: words are found in the text.

    Shapes:
        sizes: ``[sentences]``
        states: ``[vectors, d]``

    Attributes:
        sizes: number of vectors of each sentence.
        states: all vectors, sentence by sentence.
    """

    def __init__(
        self,
        encoder: Encoder,
        texts: Sequence[str],
        language: str | None,
        *,
        layer: int,
        unit: Unit = "piece",
        normalize: bool = True,
        bf16: bool = False,
        tokenized: bool = False,
    ) -> None:
        states, word_ranges = _encode(encoder, texts, language, layer, bf16, tokenized)
        first, last = np.concatenate([np.empty((0, 2), np.int64), *word_ranges]).T
        sentence = row_ids(np.array([len(words) for words in word_ranges], np.int64))
        kept = np.flatnonzero(first >= 0)
        first, last, sentence = first[kept], last[kept], sentence[kept]
        states = states[torch.from_numpy(kept).to(states.device)]
        if unit != "piece" and len(first):
            is_new = np.append(True, (first[1:] != first[:-1]) | (sentence[1:] != sentence[:-1]))
            group = torch.from_numpy(np.cumsum(is_new) - 1).to(states.device)
            total = torch.zeros(int(is_new.sum()), states.shape[1], device=states.device)
            words = total.index_add_(0, group, states) / torch.bincount(group).unsqueeze(1)
            if unit == "word":
                states, first, sentence = words, first[is_new], sentence[is_new]
                last = first
            elif normalize:
                states = (_unit_length(states) + _unit_length(words)[group]) / 2
            else:
                states = (states + words[group]) / 2
        self.states = _unit_length(states) if normalize else states
        self.sizes = np.bincount(sentence, minlength=len(word_ranges))
        self._first_word, self._last_word = first, last
        self._starts = row_starts(self.sizes)

    def padded(self, sentences: Ints) -> tuple[Tensor, Tensor]:
        """Return the vectors of some sentences as one tensor, and a mask that is false for padding.

        Shapes:
            sentences: ``[k]``
            returns: ``[k, m, d]`` and ``[k, m]``
        """
        sizes = self.sizes[sentences]
        mask = np.arange(int(sizes.max())) < sizes[:, None]
        positions = np.where(mask, self._starts[sentences][:, None] + np.arange(mask.shape[1]), 0)
        device = self.states.device
        return self.states[torch.from_numpy(positions).to(device)], torch.from_numpy(mask).to(device)

    def words_of(self, sentence: int) -> tuple[Ints, Tensor]:
        """Return the words of a sentence that have a vector, and their vectors. For unit ``word`` only."""
        begin = int(self._starts[sentence])
        rows = slice(begin, begin + int(self.sizes[sentence]))
        return self._first_word[rows], self.states[rows]

    def positions_of(self, words: Sequence[tuple[int, int]]) -> Ints:
        """Return the row of ``states`` for each (sentence, word), -1 for words without one. For unit ``word`` only."""
        sentence = row_ids(self.sizes)
        keys = zip(sentence.tolist(), self._first_word.tolist(), strict=True)
        position = {key: k for k, key in enumerate(keys)}
        return np.array([position.get(word, -1) for word in words], np.int64)

    def word_ranges(self, sentences: Ints, positions: Ints) -> tuple[Ints, Ints]:
        """Return the first and the last word that each vector belongs to.

        Args:
            sentences: the sentence of each vector.
            positions: the position of the vector in its sentence.
        """
        rows = self._starts[sentences] + positions
        return self._first_word[rows], self._last_word[rows]


def _encode(
    encoder: Encoder, texts: Sequence[str], language: str | None, layer: int, bf16: bool, tokenized: bool
) -> tuple[Tensor, list[Ints]]:
    """Return the states of all pieces, and the first and last word of each piece, by sentence."""
    pieces = encoder.tokenize(list(texts), language)
    (states,) = piece_states(encoder, [ids for ids, _ in pieces], language, layers=[layer], half=bf16)
    ranges = [
        piece_word_ranges(offsets, word_spans(text, tokenized=tokenized))
        for (_, offsets), text in zip(pieces, texts, strict=True)
    ]
    return states, ranges


def _unit_length(vectors: Tensor) -> Tensor:
    return torch.nn.functional.normalize(vectors, dim=1)
