"""Rows of examples for tasks that label words: the first piece of every word occurs exactly once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from paralign.encoder import Encoder
from paralign.tasks.example_batches import Example
from paralign.text.words import Span, word_pieces

__all__ = ["Words", "word_rows"]


class Words(Protocol):
    """A sentence with the spans of its words."""

    @property
    def text(self) -> str:
        """The sentence."""
        ...

    @property
    def spans(self) -> tuple[Span, ...]:
        """Start and end of each word, in characters."""
        ...


def word_rows(
    encoder: Encoder, sentences: Sequence[Words], language: str | None, cut: Counter[str]
) -> Iterator[tuple[int, int, Example]]:
    """Yield rows that contain every word once; long sentences are split between words.

    Args:
        encoder: the encoder, for its tokenizer and maximum sequence length.
        sentences: the sentences.
        language: their language. None: no particular one.
        cut: counts sentences that had to be shortened or changed, by reason.

    Yields:
        Index of the sentence, index of its first word in the row, and the row. Its targets are the first pieces of
        words, and its labels the indices of the words in the sentence.
    """
    space = encoder.max_pieces - encoder.template.special_pieces()
    before = len(encoder.template.single[0])
    for index, (sentence, (ids, offsets)) in enumerate(
        zip(sentences, encoder.tokenize([sentence.text for sentence in sentences], language), strict=True)
    ):
        if not len(ids):  # the text has only joiners or the like: its words are tagged at a mask
            cut["sentences without pieces"] += 1
            ids, offsets = np.array([encoder.template.mask_id]), np.array([[0, len(sentence.text)]])
        targets = word_pieces(offsets, sentence.spans)
        if (np.diff(targets) < 0).any():  # pieces in reverse order: one row, cut at the end
            cut["reversed sentences cut"] += len(ids) > space
            targets = np.minimum(targets, space - 1)
            yield index, 0, Example((ids[:space],), targets + before, np.arange(len(targets)), index)
            continue
        start = 0
        while start < len(targets):
            begin = int(targets[start]) if start or targets[0] >= space else 0
            stop = int(np.searchsorted(targets, begin + space))
            end = int(targets[stop]) if stop < len(targets) else len(ids)
            pieces = ids[begin : min(end, begin + space)]
            yield index, start, Example((pieces,), targets[start:stop] - begin + before, np.arange(start, stop), index)
            start = stop
