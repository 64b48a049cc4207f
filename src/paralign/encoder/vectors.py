"""Sentence vectors of any layer, for tasks that measure an encoder as it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch

from paralign.batches.rows import View, assemble
from paralign.encoder.encoder import Encoder, HiddenStates

__all__ = ["layer_vectors", "piece_states", "sentence_vectors", "sentence_view"]

Pieces = Sequence[npt.NDArray[np.int64]]
Vectors = npt.NDArray[np.float32]


def sentence_view(encoder: Encoder, pieces: Pieces) -> View:
    """A view of single sentences given as piece ids without specials."""
    prefix, suffix = encoder.template.single
    lengths = np.array([len(p) for p in pieces], np.int64)
    flat = np.concatenate(pieces) if len(pieces) else np.empty(0, np.int64)
    rows = np.arange(len(pieces))
    ids, types, total, special = assemble([prefix, (flat, lengths), suffix], (0, 0, 0), len(pieces))
    return View(ids, types, total, rows, special, np.empty(0, np.int64), np.empty(0, np.int64))


def _by_length(pieces: Pieces, budget: int) -> Iterator[npt.NDArray[np.int64]]:
    """Rows of like length, of at most ``budget`` padded pieces together."""
    order = np.argsort([-len(p) for p in pieces], kind="stable")
    start = 0
    while start < len(order):
        wide = len(pieces[order[start]]) + 2
        stop = start + max(1, budget // wide)
        yield order[start:stop]
        start = stop


@torch.no_grad()
def sentence_vectors(
    encoder: Encoder, texts: list[str], *, pools: Sequence[str], layer: int | None = None, budget: int = 8192
) -> tuple[dict[str, Vectors], int]:
    """Vectors of sentences, in fp32 and without dropout.

    Args:
        encoder: left in the mode it was in.
        texts: n sentences.
        pools: ``cls`` and/or ``mean`` (over pieces without specials).
        layer: hidden state, 0 = embeddings; the last by default.
        budget: padded pieces encoded at once.

    Returns:
        [n, d] vectors by pool, and how many sentences had to be cut to the encoder's longest row.
    """
    pieces, cut = _cut_pieces(encoder, texts)
    out = {pool: np.zeros((len(texts), encoder.width), np.float32) for pool in pools}
    for rows, (states,) in _encoded(encoder, pieces, [encoder.layers if layer is None else layer], budget):
        for pool in pools:
            out[pool][rows] = states.pool(pool).float().cpu().numpy()
    return out, cut


@torch.no_grad()
def layer_vectors(encoder: Encoder, texts: list[str], *, budget: int = 8192) -> tuple[Vectors, int]:
    """Mean-pooled vectors of sentences from all hidden states, in fp32 and without dropout.

    Args:
        encoder: left in the mode it was in.
        texts: n sentences.
        budget: padded pieces encoded at once.

    Returns:
        [L + 1, n, d], 0 = embeddings, and how many sentences had to be cut to the encoder's longest row.
    """
    pieces, cut = _cut_pieces(encoder, texts)
    out = np.zeros((encoder.layers + 1, len(texts), encoder.width), np.float32)
    for rows, found in _encoded(encoder, pieces, list(range(encoder.layers + 1)), budget):
        for layer, states in enumerate(found):
            out[layer, rows] = states.mean().float().cpu().numpy()
    return out, cut


def _cut_pieces(encoder: Encoder, texts: list[str]) -> tuple[Pieces, int]:
    room = encoder.max_pieces - sum(map(len, encoder.template.single))
    pieces = [ids for ids, _ in encoder.tokenize(texts)]
    return [p[:room] for p in pieces], sum(len(p) > room for p in pieces)


def _encoded(
    encoder: Encoder, pieces: Pieces, layers: Sequence[int], budget: int
) -> Iterator[tuple[npt.NDArray[np.int64], list[HiddenStates]]]:
    """Sentences in parts of like length, without dropout."""
    training = encoder.training
    encoder.eval()
    for rows in _by_length(pieces, budget):
        view = sentence_view(encoder, [pieces[r] for r in rows])
        yield rows, encoder.encode_layers(view, layers)
    encoder.train(training)


@torch.no_grad()
def piece_states(
    encoder: Encoder, pieces: Pieces, *, layer: int, budget: int = 8192, half: bool = False
) -> torch.Tensor:
    """Hidden states of all pieces of sentences, without dropout.

    A sentence longer than the encoder takes is read in windows that overlap by half; a piece's state is that of the
    window in which it stands farthest from an edge.

    Args:
        encoder: left in the mode it was in.
        pieces: ids of each sentence, without specials.
        layer: hidden state, 0 = embeddings.
        budget: padded pieces encoded at once.
        half: multiply in bf16, else all is fp32.

    Returns:
        fp32 [sum of lengths, d], on the encoder's device, sentences end to end.
    """
    room = encoder.max_pieces - sum(map(len, encoder.template.single))
    before = len(encoder.template.single[0])
    starts = np.concatenate([[0], np.cumsum([len(p) for p in pieces])])
    windows: list[npt.NDArray[np.int64]] = []
    kept: list[tuple[int, int, int]] = []  # where in the result, first and last piece of the window that are kept
    for ids, place in zip(pieces, starts.tolist(), strict=False):
        last = max(0, len(ids) - room)
        begins = sorted({*range(0, last, max(1, room // 2)), last})
        edges = [0, *((a + b + room) // 2 for a, b in pairwise(begins)), len(ids)]
        for begin, (first, stop) in zip(begins, pairwise(edges), strict=True):
            if stop > first:
                windows.append(ids[begin : begin + room])
                kept.append((place + first, first - begin, stop - begin))
    out = torch.zeros(int(starts[-1]), encoder.width, device=encoder.device)
    training = encoder.training
    encoder.eval()
    for rows in _by_length(windows, budget):
        view = sentence_view(encoder, [windows[r] for r in rows])
        with torch.autocast(out.device.type, torch.bfloat16, enabled=half):
            states = encoder.encode_layers(view, [layer])[0].flat.float()
        source, target = [], []
        for row, begin in zip(rows.tolist(), view.starts.tolist(), strict=True):
            place, first, stop = kept[row]
            source.append(np.arange(begin + before + first, begin + before + stop))
            target.append(np.arange(place, place + stop - first))
        take, put = (torch.from_numpy(np.concatenate(some)).to(out.device) for some in (source, target))
        out[put] = states[take]
    encoder.train(training)
    return out
