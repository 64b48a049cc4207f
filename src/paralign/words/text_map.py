"""Maps that are computed from plain text: they remove what differs between languages from the vectors of a layer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from torch import Tensor

from paralign.encoder import Encoder
from paralign.encoder.sentences import sentence_vectors
from paralign.errors import UserError
from paralign.ragged import batched

__all__ = ["TEXT_KINDS", "fit_text_maps", "maps_of_means"]

TEXT_KINDS = ("shift", "lir", "lsar")
_WINDOW = 4_096
Map = tuple[Tensor, Tensor]
"""Matrix [d, d] and bias [d]: a vector x becomes x · matrix + bias."""


def fit_text_maps(
    encoder: Encoder, texts: Mapping[str, Iterable[str]], *, layer: int, kind: str, components: int = 1
) -> tuple[dict[str, Map], int]:
    """Fit a map for each language from the mean-pooled vectors of its sentences.

    Args:
        encoder: the encoder.
        texts: sentences by language, which need not be parallel; the first language is the pivot.
        layer: the hidden state, 1 to the number of layers.
        kind: see :func:`maps_of_means`.
        components: number of components that ``lir`` removes.

    Returns:
        The maps by language, without those that change nothing, and the number of sentences.

    Raises:
        UserError: for fewer than two languages, a language without sentences, or more components than sentences.
    """
    if kind not in TEXT_KINDS:
        raise UserError(f"unknown kind of map {kind!r}", hint=" or ".join(TEXT_KINDS))
    if len(texts) < 2:
        raise UserError("a map of this kind needs text of two or more languages", hint="--text en=PATH --text de=PATH")
    d, count = encoder.width, 0
    means: dict[str, Tensor] = {}
    moments: dict[str, Tensor] = {}
    for language, sentences in texts.items():
        n = 0
        total, moment = torch.zeros(d, dtype=torch.float64), torch.zeros(d, d, dtype=torch.float64)
        for window in batched(sentences, _WINDOW):
            vectors, _ = sentence_vectors(encoder, window, language, pools=["mean"], layer=layer)
            rows = torch.from_numpy(vectors["mean"].astype(np.float64))
            total += rows.sum(0)
            moment += rows.T @ rows
            n += len(rows)
        if not n:
            raise UserError(f"there is no sentence in {language}", hint=f"give --text {language}=PATH with sentences")
        if kind == "lir" and n < components:
            message = f"cannot remove {components} components of {n} sentences of {language}"
            raise UserError(message, hint="give more text, or lower --components")
        means[language], moments[language], count = total / n, moment / n, count + n
    return maps_of_means(means, moments, kind=kind, components=components), count


def maps_of_means(
    means: Mapping[str, Tensor], moments: Mapping[str, Tensor], *, kind: str, components: int = 1
) -> dict[str, Map]:
    """Return the maps for given means and second moments of sentence vectors.

    Args:
        means: by language, the pivot first. Shape of each: [d].
        moments: mean outer products of the vectors, by language. Shape of each: [d, d].
        kind: ``shift``: x − μ + μ of the pivot (Libovický et al. 2020). ``lir``: remove the first principal components
            of each language's vectors, not centered (Yang et al. 2021). ``lsar``: remove the subspace in which the
            means of the languages differ (after Xie et al. 2022).
        components: number of components that ``lir`` removes.

    Returns:
        Maps in fp32, without those that change nothing.
    """
    pivot, *others = means
    d = len(means[pivot])
    identity, zero = torch.eye(d, dtype=torch.float64), torch.zeros(d, dtype=torch.float64)
    if kind == "shift":
        maps = {language: (identity, means[pivot] - means[language]) for language in others}
    elif kind == "lir":
        maps = {}
        for language, moment in moments.items():
            first = torch.linalg.eigh(moment).eigenvectors[:, -components:]
            maps[language] = (identity - first @ first.T, zero)
    else:
        table = torch.stack(list(means.values()))
        left, values, _ = torch.linalg.svd((table - table.mean(0)).T, full_matrices=False)
        basis = left[:, values > 1e-9 * values.max().clamp_min(1e-30)]
        maps = dict.fromkeys(means, (identity - basis @ basis.T, zero))
    return {language: (matrix.float(), bias.float()) for language, (matrix, bias) in maps.items()}
