"""Vectors of sentences and pieces from any layer, without training: for tasks and analyses that use no head."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch

from paralign.batches.batching import BUDGET
from paralign.device import on_device
from paralign.encoder.encoder import Encoder
from paralign.encoder.layer_cache import layers_of
from paralign.encoder.sentences import check_pooling, cut_pieces, encoded

__all__ = ["layer_vectors", "piece_states"]

Pieces = Sequence[npt.NDArray[np.int64]]
Vectors = npt.NDArray[np.float32]


@torch.no_grad()
def layer_vectors(
    encoder: Encoder, texts: list[str], language: str | None, *, pool: str = "mean", budget: int = BUDGET
) -> tuple[Vectors, int]:
    """Return sentence vectors from all hidden states, in fp32 and without dropout.

    Args:
        encoder: the encoder; its training mode is restored.
        texts: n sentences.
        language: their language, for the encoder's maps and for derived languages. None: no particular one.
        pool: ``mean`` (over pieces, special ones excluded), ``cls`` (first piece) or ``last`` (last piece).
        budget: number of padded pieces encoded at once.

    Returns:
        The vectors, of shape [L + 1, n, d] (0 for the embeddings), and the number of sentences cut to the encoder's
        longest row.
    """
    check_pooling(encoder, pool)
    pieces, cut = cut_pieces(encoder, texts, language)
    out = np.zeros((encoder.layers + 1, len(texts), encoder.width), np.float32)
    for rows, hidden in encoded(encoder, pieces, language, list(range(encoder.layers + 1)), budget):
        for layer, states in enumerate(hidden):
            out[layer, rows] = states.pool(pool).float().cpu().numpy()
    return out, cut


@torch.no_grad()
def piece_states(
    encoder: Encoder,
    pieces: Pieces,
    language: str | None,
    *,
    layers: Sequence[int],
    half: bool = False,
) -> list[torch.Tensor]:
    """Return the hidden states of all pieces of sentences, without dropout.

    A sentence longer than the encoder's maximum sequence length is encoded in windows that overlap by half. A piece's
    state comes from the window in which the piece is farthest from an edge.

    Args:
        encoder: the encoder; its training mode is restored.
        pieces: ids of each sentence, without special tokens.
        language: their language, for the encoder's maps. None: no particular one.
        layers: numbers of the hidden states, 0 for the embeddings.
        half: whether to multiply in bf16 instead of fp32.

    Returns:
        The states of each of ``layers``, in fp32 on the encoder's device, one sentence after another, each of shape
        [sum of lengths, d].
    """
    longest = encoder.max_pieces - encoder.template.special_pieces()
    before = len(encoder.template.single[0])
    starts = np.concatenate([[0], np.cumsum([len(p) for p in pieces])])
    windows: list[npt.NDArray[np.int64]] = []
    kept: list[tuple[int, int, int]] = []  # index in the result; first and last piece of the window that are kept
    for ids, offset in zip(pieces, starts.tolist(), strict=False):
        last = max(0, len(ids) - longest)
        begins = sorted({*range(0, last, max(1, longest // 2)), last})
        edges = [0, *((a + b + longest) // 2 for a, b in pairwise(begins)), len(ids)]
        for begin, (first, stop) in zip(begins, pairwise(edges), strict=True):
            if stop > first:
                windows.append(ids[begin : begin + longest])
                kept.append((offset + first, first - begin, stop - begin))

    def states_of(layers: Sequence[int]) -> list[torch.Tensor]:
        out = [torch.zeros(int(starts[-1]), encoder.width, device=encoder.device) for _ in layers]
        with torch.autocast(encoder.device.type, torch.bfloat16) if half else nullcontext():
            for rows, hidden in encoded(encoder, windows, language, layers):
                source, target = [], []
                for row, begin in zip(rows, hidden[0].view.starts.tolist(), strict=True):
                    offset, first, stop = kept[row]
                    source.append(np.arange(begin + before + first, begin + before + stop))
                    target.append(np.arange(offset, offset + stop - first))
                take, put = (on_device(np.concatenate(indices), encoder.device) for indices in (source, target))
                for result, states in zip(out, hidden, strict=True):
                    result[put] = states.flat[take].float()
        return out

    found = layers_of(
        lambda: (id(encoder), language, half, tuple(ids.tobytes() for ids in pieces)),
        layers,
        encoder.layers + 1,
        int(starts[-1]) * encoder.width * 4,
        states_of,
    )
    return list(found)
