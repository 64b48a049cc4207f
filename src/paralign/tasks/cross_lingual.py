"""What the tasks share that compare two languages without training."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from paralign.console import echo
from paralign.encoder import Encoder
from paralign.encoder.sentences import sentence_vectors
from paralign.tasks.base import Task

__all__ = ["CrossLingualTask", "resolve_layer", "result_language", "sentence_vectors_of_both"]

Vectors = dict[str, npt.NDArray[np.float32]]


def result_language(languages: tuple[str, str]) -> str:
    """Return the language that results are recorded with: the one that is not English, otherwise the second.

    >>> result_language(("de", "en")), result_language(("de", "fr"))
    ('de', 'fr')
    """
    source, target = languages
    return source if target == "en" else target


class CrossLingualTask(Task):
    """A task without training, whose data have ``languages`` and the texts of both, ``source`` and ``target``."""

    trains: ClassVar[bool] = False

    def language(self, data: Any) -> str:
        """Return the language that is not English, otherwise the second."""
        return result_language(data.languages)

    def texts_by_language(self, data: Any) -> Iterable[tuple[str, Iterable[str]]]:
        """Return both languages with their texts."""
        return zip(data.languages, (data.source, data.target), strict=True)


def resolve_layer(encoder: Encoder, layer: float | None) -> int:
    """Return the number of the hidden state to read.

    Args:
        encoder: the encoder.
        layer: as in :meth:`paralign.encoder.Encoder.layer_number`. None: the last.

    Raises:
        UserError: if the encoder has no such hidden state.
    """
    return encoder.layers if layer is None else encoder.layer_number(layer)


def sentence_vectors_of_both(
    encoder: Encoder, languages: tuple[str, str], texts: tuple[list[str], list[str]], pools: Sequence[str], layer: int
) -> tuple[Vectors, Vectors]:
    """Return sentence vectors by pooling for the texts of both languages; print a note if texts had to be cut.

    Args:
        encoder: the encoder.
        languages: both languages.
        texts: n and m sentences.
        pools: ``cls``, ``mean`` or ``last``; one or more.
        layer: number of the hidden state.

    Returns:
        Vectors of both languages, of shape [n, d] and [m, d].
    """
    vectors, cuts = [], 0
    for language, sentences in zip(languages, texts, strict=True):
        by_pool, cut = sentence_vectors(encoder, sentences, language, pools=pools, layer=layer)
        vectors.append(by_pool)
        cuts += cut
    if cuts:
        echo(f"note: {cuts:,} sentences were cut to {encoder.max_pieces} pieces")
    return vectors[0], vectors[1]
