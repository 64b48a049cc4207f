"""Vectors of sentences and pieces from any layer, without training: for tasks and analyses that use no head."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch

from paralign.batches.rows import View, assemble
from paralign.device import on_device
from paralign.encoder.encoder import Encoder
from paralign.encoder.hidden_states import HiddenStates

__all__ = ["layer_vectors", "piece_states", "sentence_vectors", "sentence_view"]

Pieces = Sequence[npt.NDArray[np.int64]]
Vectors = npt.NDArray[np.float32]


def sentence_view(encoder: Encoder, pieces: Pieces, language: str | None) -> View:
    """Return a view of single sentences.

    Args:
        encoder: gives the special pieces around a sentence.
        pieces: ids of each sentence, without special pieces.
        language: their language, for the encoder's maps. None: no particular one.
    """
    prefix, suffix = encoder.template.single
    lengths = np.array([len(p) for p in pieces], np.int64)
    flat = np.concatenate(pieces) if len(pieces) else np.empty(0, np.int64)
    rows = np.arange(len(pieces))
    ids, types, total, special = assemble([prefix, (flat, lengths), suffix], (0, 0, 0), len(pieces))
    none = np.empty(0, np.int64)
    return View(ids, types, total, rows, special, none, none, language=language)


def _by_length(pieces: Pieces, budget: int) -> Iterator[npt.NDArray[np.int64]]:
    """Yield rows of similar length, with at most ``budget`` padded pieces at a time."""
    order = np.argsort([-len(p) for p in pieces], kind="stable")
    start = 0
    while start < len(order):
        width = len(pieces[order[start]]) + 2
        stop = start + max(1, budget // width)
        yield order[start:stop]
        start = stop


@torch.no_grad()
def sentence_vectors(
    encoder: Encoder,
    texts: list[str],
    language: str | None,
    *,
    pools: Sequence[str],
    layer: int | None = None,
    budget: int = 8192,
) -> tuple[dict[str, Vectors], int]:
    """Return sentence vectors, in fp32 and without dropout.

    Args:
        encoder: the encoder; its training mode is restored.
        texts: n sentences.
        language: their language, for the encoder's maps and for derived languages. None: no particular one.
        pools: ``cls``, ``mean`` (over pieces, special ones excluded), or both.
        layer: number of the hidden state, 0 for the embeddings. None: the last.
        budget: number of padded pieces encoded at once.

    Returns:
        The vectors by pooling, shape: [n, d], and the number of sentences cut to the encoder's longest row.

    >>> encoder = Encoder.from_pretrained("paralign-mini")
    >>> vectors, cut = sentence_vectors(encoder, ["The dog sleeps.", "A cat sleeps."], "en", pools=["mean"])
    >>> vectors["mean"].shape, cut
    ((2, 256), 0)
    """
    pieces, cut = _cut_pieces(encoder, texts, language)
    out = {pool: np.zeros((len(texts), encoder.width), np.float32) for pool in pools}
    for rows, (states,) in _encoded(encoder, pieces, language, [encoder.layers if layer is None else layer], budget):
        for pool in pools:
            out[pool][rows] = states.pool(pool).float().cpu().numpy()
    return out, cut


@torch.no_grad()
def layer_vectors(
    encoder: Encoder, texts: list[str], language: str | None, *, budget: int = 8192
) -> tuple[Vectors, int]:
    """Return mean-pooled sentence vectors from all hidden states, in fp32 and without dropout.

    Args:
        encoder: the encoder; its training mode is restored.
        texts: n sentences.
        language: their language, for the encoder's maps and for derived languages. None: no particular one.
        budget: number of padded pieces encoded at once.

    Returns:
        The vectors, shape: [L + 1, n, d] (0 for the embeddings), and the number of sentences cut to the encoder's
        longest row.
    """
    pieces, cut = _cut_pieces(encoder, texts, language)
    out = np.zeros((encoder.layers + 1, len(texts), encoder.width), np.float32)
    for rows, hidden in _encoded(encoder, pieces, language, list(range(encoder.layers + 1)), budget):
        for layer, states in enumerate(hidden):
            out[layer, rows] = states.mean().float().cpu().numpy()
    return out, cut


def _cut_pieces(encoder: Encoder, texts: list[str], language: str | None) -> tuple[Pieces, int]:
    """Return the pieces of texts, cut to the encoder's longest row, and the number of texts that were cut."""
    longest = encoder.max_pieces - sum(map(len, encoder.template.single))
    pieces = [ids for ids, _ in encoder.tokenize(texts, language)]
    return [p[:longest] for p in pieces], sum(len(p) > longest for p in pieces)


def _encoded(
    encoder: Encoder, pieces: Pieces, language: str | None, layers: Sequence[int], budget: int
) -> Iterator[tuple[npt.NDArray[np.int64], list[HiddenStates]]]:
    """Yield the numbers of sentences of similar length and their states of each layer, without dropout."""
    training = encoder.training
    encoder.eval()
    for rows in _by_length(pieces, budget):
        view = sentence_view(encoder, [pieces[r] for r in rows], language)
        yield rows, encoder.encode_layers(view, layers)
    encoder.train(training)


@torch.no_grad()
def piece_states(
    encoder: Encoder,
    pieces: Pieces,
    language: str | None,
    *,
    layers: Sequence[int],
    budget: int = 8192,
    half: bool = False,
) -> list[torch.Tensor]:
    """Return the hidden states of all pieces of sentences, without dropout.

    A sentence longer than the encoder's longest row is encoded in windows that overlap by half. A piece's state comes
    from the window in which the piece is farthest from an edge.

    Args:
        encoder: the encoder; its training mode is restored.
        pieces: ids of each sentence, without special pieces.
        language: their language, for the encoder's maps. None: no particular one.
        layers: numbers of the hidden states, 0 for the embeddings.
        budget: number of padded pieces encoded at once.
        half: whether to multiply in bf16 instead of fp32.

    Returns:
        The states of each of ``layers``, in fp32 on the encoder's device, one sentence after another. Shape of each:
        [sum of lengths, d].
    """
    longest = encoder.max_pieces - sum(map(len, encoder.template.single))
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
    out = [torch.zeros(int(starts[-1]), encoder.width, device=encoder.device) for _ in layers]
    training = encoder.training
    encoder.eval()
    for rows in _by_length(windows, budget):
        view = sentence_view(encoder, [windows[r] for r in rows], language)
        with torch.autocast(encoder.device.type, torch.bfloat16, enabled=half):
            hidden = encoder.encode_layers(view, layers)
        source, target = [], []
        for row, begin in zip(rows.tolist(), view.starts.tolist(), strict=True):
            offset, first, stop = kept[row]
            source.append(np.arange(begin + before + first, begin + before + stop))
            target.append(np.arange(offset, offset + stop - first))
        take, put = (on_device(np.concatenate(indices), encoder.device) for indices in (source, target))
        for result, states in zip(out, hidden, strict=True):
            result[put] = states.flat[take].float()
    encoder.train(training)
    return out
