"""Word links from the vectors of an encoder: what is alike is linked.

``argmax`` and ``itermax`` are those of Jalili Sabet et al. (2020, SimAlign), ``softmax`` that of Dou and Neubig (2021,
awesome-align), ``transport`` links by an entropic optimal transport plan as Chi et al. (2021, XLM-Align) do. Nothing is
learnt. Pairs are encoded by length, and linked many at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor

from paralign.console import echo
from paralign.device import best_device
from paralign.encoder import Encoder
from paralign.encoder.vectors import piece_states
from paralign.errors import UserError
from paralign.ragged import row_ids, row_positions, row_starts
from paralign.text.words import piece_word_ranges, word_spans
from paralign.words.base import Aligner, AlignerConfig, AlignerOptions
from paralign.words.cells import merged
from paralign.words.found import WordLinks
from paralign.words.symmetrize import symmetrise

__all__ = ["SimilarityAligner", "SimilarityConfig", "WordVectors", "similar_words"]

_WINDOW = 2_000
_DISCOUNT = 0.9
_SINKHORN = 50
Mask = npt.NDArray[np.bool_]


class SimilarityConfig(AlignerConfig):
    """How vectors become links."""

    matching: Literal["argmax", "itermax", "softmax", "transport"] = "itermax"
    """``argmax``: the most similar counterpart, each way; ``itermax``: the mutually most similar, then again among
    what has no link; ``softmax``: probabilities each way above ``threshold``; ``transport``: the largest of each row
    and column of a transport plan. But for ``itermax`` the two ways are joined by the symmetrization."""
    layer: int | None = Field(default=None, ge=0)
    """Hidden state, 0 = embeddings; two thirds up by default (8 of 12)."""
    unit: Literal["piece", "word"] = "piece"
    """Link pieces, and words if any of their pieces is linked; or link words by the mean of their pieces."""
    threshold: float = Field(default=1e-3, gt=0, lt=1)
    """Of ``softmax``."""
    rounds: int = Field(default=2, ge=1)
    """Of ``itermax``."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Of the encoder; bf16 is faster where the hardware has it, and some links differ."""
    smoothing: float = Field(default=0.1, gt=0)
    """Of the transport plan: weight of its entropy, in units of cosine."""


class SimilarityAligner(Aligner):
    """Links between words whose vectors in an encoder (``--model``) are similar; nothing is learned."""

    name: ClassVar[str] = "similarity"
    Config: ClassVar[type[AlignerConfig]] = SimilarityConfig
    accepts: ClassVar[frozenset[str]] = frozenset({"model"})
    requires: ClassVar[frozenset[str]] = frozenset({"model"})
    default_symmetrization: ClassVar[str] = "intersect"
    config: SimilarityConfig

    def __init__(self, config: SimilarityConfig, options: AlignerOptions) -> None:
        super().__init__(config, options)
        if config.matching == "itermax" and options.symmetrise is not None:
            hint = "leave --symmetrise out, or add --set words.matching=argmax"
            raise UserError("itermax has no two directions to combine", hint=hint)
        assert options.model is not None
        self.encoder = Encoder.from_pretrained(options.model).to(best_device())

    def align(self, count: int) -> WordLinks:
        reported = 0

        def progress(done: int) -> None:
            nonlocal reported
            if done - reported >= 10_000 or done == count:
                reported = done
                echo(f"linked {done:,} of {count:,} pairs", quiet=self.options.quiet)

        return similar_words(
            self.encoder,
            (pair.texts for pair in self.pairs[:count]),
            self.config,
            method=self.symmetrization,
            tokenised=self.options.tokenised,
            languages=self.options.spec.languages,
            progress=progress,
        )


def similar_words(
    encoder: Encoder,
    pairs: Iterable[tuple[str, str]],
    config: SimilarityConfig,
    *,
    method: str = "intersect",
    tokenised: bool = False,
    languages: tuple[str | None, str | None] = (None, None),
    progress: Callable[[int], None] | None = None,
) -> WordLinks:
    """Link the words of sentence pairs.

    Args:
        encoder: in whose vectors to look; left in the mode it was in.
        pairs: texts in normal form; a side may be empty. Sentences longer than the encoder takes are read in windows
            that overlap by half.
        config: layer and matching.
        method: see :func:`paralign.words.symmetrize.symmetrise`.
        tokenised: words are what stands between spaces.
        languages: of both sides, for encoders that map one of them.
        progress: told the pairs done.

    Raises:
        UserError: for a layer the encoder does not have.
    """
    layer = -(-2 * encoder.layers // 3) if config.layer is None else config.layer
    if layer > encoder.layers:
        hint = f"the last is {encoder.layers}"
        raise UserError(f"the encoder has no layer {layer}", where=encoder.name or None, hint=hint)
    rows: list[npt.NDArray[np.int64]] = []
    words: tuple[list[npt.NDArray[np.int64]], ...] = ([], [])
    done = 0
    for some in _windows(pairs):
        sides: list[WordVectors] = []
        for side, language in enumerate(languages):
            with encoder.speaking(language):
                sides.append(WordVectors(encoder, [pair[side] for pair in some], layer, config, tokenised))
        for place in _alike(sides[0].sizes, sides[1].sizes):
            k, i, j = np.nonzero(_links(sides[0].block(place), sides[1].block(place), config, method))
            pair = place[k]
            first, second = sides[0].words(pair, i), sides[1].words(pair, j)
            # A piece may cover several words, each of which is linked.
            high = second[1] - second[0] + 1
            times = (first[1] - first[0] + 1) * high
            turn, many = row_positions(times), np.repeat(high, times)
            rows.append(np.repeat(pair, times) + done)
            words[0].append(np.repeat(first[0], times) + turn // many)
            words[1].append(np.repeat(second[0], times) + turn % many)
        done += len(some)
        if progress is not None:
            progress(done)
    # A link of words may come of several links of pieces.
    every = [np.concatenate([np.empty(0, np.int64), *parts]) for parts in (rows, *words)]
    unique = np.unique(np.stack(every, 1), axis=0)
    return WordLinks.of(done, [unique[:, 0]], [unique[:, 1]], [unique[:, 2]])


def _windows(pairs: Iterable[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    every = iter(pairs)
    while some := list(islice(every, _WINDOW)):
        yield some


class WordVectors:
    """Vectors of the pieces, or words, of some sentences: of length 1, but for ``softmax``.

    Attributes:
        sizes: [n] vectors of each sentence.
        states: [sum of sizes, d] all vectors, sentence by sentence.
    """

    def __init__(
        self, encoder: Encoder, texts: Sequence[str], layer: int, config: SimilarityConfig, tokenised: bool
    ) -> None:
        pieces = encoder.tokenize(list(texts))
        states = piece_states(encoder, [ids for ids, _ in pieces], layer=layer, half=config.precision == "bf16")
        owners = [
            piece_word_ranges(offsets, word_spans(text, tokenised=tokenised))
            for (_, offsets), text in zip(pieces, texts, strict=True)
        ]
        owner, last = np.concatenate([np.empty((0, 2), np.int64), *owners]).T
        sentence = row_ids(np.array([len(some) for some in owners], np.int64))
        kept = np.flatnonzero(owner >= 0)  # pieces of spaces are no part of a word
        owner, last, sentence = owner[kept], last[kept], sentence[kept]
        states = states[torch.from_numpy(kept).to(states.device)]
        if config.unit == "word" and len(owner):
            new = np.append(True, (owner[1:] != owner[:-1]) | (sentence[1:] != sentence[:-1]))
            group = torch.from_numpy(np.cumsum(new) - 1).to(states.device)
            total = torch.zeros(int(new.sum()), states.shape[1], device=states.device)
            states = total.index_add_(0, group, states) / torch.bincount(group).unsqueeze(1)
            owner, sentence = owner[new], sentence[new]
            last = owner
        self.states = states if config.matching == "softmax" else torch.nn.functional.normalize(states, dim=1)
        self._owner, self._last = owner, last
        self.sizes = np.bincount(sentence, minlength=len(texts))
        self._starts = row_starts(self.sizes)

    def block(self, rows: npt.NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """[k, m, d] vectors of some sentences, and [k, m] where there are any."""
        sizes = self.sizes[rows]
        inside = np.arange(int(sizes.max())) < sizes[:, None]
        place = np.where(inside, self._starts[rows][:, None] + np.arange(inside.shape[1]), 0)
        device = self.states.device
        return self.states[torch.from_numpy(place).to(device)], torch.from_numpy(inside).to(device)

    def pick(self, words: Sequence[tuple[int, int]]) -> npt.NDArray[np.int64]:
        """Where the vectors of words (sentence, word) stand; -1 for a word that has none. For vectors of words."""
        sentence = row_ids(self.sizes)
        known = {key: place for place, key in enumerate(zip(sentence.tolist(), self._owner.tolist(), strict=True))}
        return np.array([known.get(key, -1) for key in words], np.int64)

    def words(
        self, rows: npt.NDArray[np.int64], place: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The first and the last word each vector is of."""
        at = self._starts[rows] + place
        return self._owner[at], self._last[at]


def _alike(m: npt.NDArray[np.int64], n: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.int64]]:
    """Pairs with words on both sides, in blocks of like sizes."""
    order = np.lexsort((n, m // 4))
    order = order[(m[order] > 0) & (n[order] > 0)]
    if len(order):
        yield from merged(order, m, n)


def _links(source: tuple[Tensor, Tensor], target: tuple[Tensor, Tensor], config: SimilarityConfig, method: str) -> Mask:
    """[k, m, n] the links between the vectors of a block."""
    inside = source[1].unsqueeze(2) & target[1].unsqueeze(1)
    values = torch.bmm(source[0], target[0].transpose(1, 2))
    if config.matching == "itermax":
        return _itermax((values + 1) / 2, inside, config.rounds).cpu().numpy()
    if config.matching == "softmax":
        values = values.masked_fill_(~inside, -torch.inf)
        forward, backward = ((torch.softmax(values, way) > config.threshold) & inside for way in (1, 2))
    else:
        if config.matching == "transport":
            values = _plan(values, source[1], target[1], config.smoothing)
        forward, backward = _largest(values, inside)
    return symmetrise(forward.cpu().numpy(), backward.cpu().numpy(), method)


def _largest(values: Tensor, inside: Tensor) -> tuple[Tensor, Tensor]:
    """The first largest value of each column, and of each row."""
    values = values.masked_fill(~inside, -torch.inf)
    none = torch.zeros(values.shape, dtype=torch.bool, device=values.device)
    forward, backward = (none.scatter(way, values.argmax(way, keepdim=True), True) & inside for way in (1, 2))
    return forward, backward


def _itermax(values: Tensor, inside: Tensor, rounds: int) -> Tensor:
    """Mutually largest values; then those among what has no link yet, at a discount where one side has one.

    Jalili Sabet et al. (2020), section 2.2: weight 1 where neither side has a link, 0.9 where one has, 0 where both
    have; pairs of one or two words on a side keep their first links.

    Args:
        values: [k, m, n] from 0 to 1.
        inside: [k, m, n] where there are words.
        rounds: how often, the first included.
    """
    forward, backward = _largest(values, inside)
    links = forward & backward
    rows, columns = inside.any(2), inside.any(1)
    large = torch.minimum(rows.sum(1), columns.sum(1)) > 2
    for _ in range(1, rounds):
        free_rows, free_columns = rows & ~links.any(2), columns & ~links.any(1)
        open_ = large & free_rows.any(1) & free_columns.any(1)
        either = free_rows.unsqueeze(2) | free_columns.unsqueeze(1)
        both = free_rows.unsqueeze(2) & free_columns.unsqueeze(1)
        weight = torch.where(both, 1.0, torch.where(either, _DISCOUNT, 0.0))
        forward, backward = _largest(values * weight, inside)
        new = forward & backward & either & open_.view(-1, 1, 1)
        if not bool((new & ~links).any()):
            break
        links |= new
    return links


def _plan(cosine: Tensor, rows: Tensor, columns: Tensor, smoothing: float) -> Tensor:
    """[k, m, n] logarithms of the entropic transport plan of words of equal weight at cost 1 - cosine (Cuturi 2013).

    Args:
        cosine: [k, m, n].
        rows: [k, m] where there are words.
        columns: [k, n].
        smoothing: weight of the entropy.
    """
    scores = (cosine / smoothing).masked_fill(~(rows.unsqueeze(2) & columns.unsqueeze(1)), -torch.inf)
    weight = [torch.where(some, -torch.log(some.sum(1, keepdim=True).float()), -torch.inf) for some in (rows, columns)]
    u, v = (torch.zeros(some.shape, device=cosine.device) for some in (rows, columns))
    for _ in range(_SINKHORN):
        u = torch.where(rows, weight[0] - torch.logsumexp(scores + v.unsqueeze(1), 2), 0.0)
        v = torch.where(columns, weight[1] - torch.logsumexp(scores + u.unsqueeze(2), 1), 0.0)
    return scores + u.unsqueeze(2) + v.unsqueeze(1)
