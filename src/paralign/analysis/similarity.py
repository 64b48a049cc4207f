"""How alike two streams of vectors of the same sentences are, layer by layer (Muller et al. 2021, section 4).

A stream is a language as one encoder sees it: two languages in one encoder, or one language in two encoders.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator

from paralign.config import Config
from paralign.metrics import retrieval
from paralign.metrics.cka import Sums, cka_of_sums, half_sampled, interval, kernel_cka, rbf_kernel
from paralign.metrics.neighbours import unit_rows

__all__ = ["LayerSimilarity", "LayerSimilarityConfig", "Stream", "Streams", "compared"]

Vectors = npt.NDArray[np.float32]
Stream = tuple[int, str]
"""Number of the encoder, language."""
_SHUFFLE, _HALVES = 31, 32


class LayerSimilarityConfig(Config):
    """How similarity is measured."""

    kernel: Literal["linear", "rbf"] = "linear"
    """``rbf``: its bandwidth is the median distance; needs memory of sentences x sentences."""
    debiased: bool = True
    """Biased CKA reads high on noise: 0.49 on 800 independent vectors of 768 dimensions."""
    halves: int = Field(default=100, ge=0)
    """Half-samples behind the interval; 0: none, else 20 at least."""
    streamed: bool = False
    """Keep sums instead of vectors: memory of layers x width², however long the text; no interval, no retrieval."""
    seed: int = 0
    """Of shuffling and half-samples."""

    @field_validator("halves")
    @classmethod
    def _enough(cls, value: int) -> int:
        if 0 < value < 20:
            raise ValueError("0, or 20 and more")
        return value


@dataclass(frozen=True)
class LayerSimilarity:
    """One layer; nan where something was not measured.

    Attributes:
        layer: 0 = embeddings.
        cka: of sentence vectors.
        low, high: 95 % interval of the CKA.
        shuffled: CKA where each sentence meets another one's translation.
        cosine, cosine_shuffled: mean cosine of translations, and of shuffled ones.
        retrieval: share of sentences whose nearest neighbour is their translation, mean of both directions.
    """

    layer: int
    cka: float
    low: float
    high: float
    shuffled: float
    cosine: float
    cosine_shuffled: float
    retrieval: float


class Streams:
    """Takes vectors of sentences in chunks, and compares chosen pairs of streams.

    Args:
        pairs: which streams are compared.
        config: how.
    """

    def __init__(self, pairs: Iterable[tuple[Stream, Stream]], config: LayerSimilarityConfig) -> None:
        self.pairs = list(pairs)
        self.config = config
        self.n = 0
        self._rng = np.random.default_rng((config.seed, _SHUFFLE))
        self._shift: dict[Stream, Vectors] = {}
        self._own: dict[Stream, list[Sums]] = {}
        self._cross: dict[tuple[Stream, Stream, bool], list[Sums]] = {}
        self._cosines: dict[tuple[Stream, Stream, bool], npt.NDArray[np.float64]] = {}
        self._kept: dict[Stream, list[Vectors]] = {}

    def add(self, chunk: Mapping[Stream, Vectors]) -> None:
        """Take in sentences: [layers + 1, n, d] of every stream, the same sentences in all of them.

        Sentences are shuffled within a chunk: give some hundred at once, but not one.
        """
        n = next(iter(chunk.values())).shape[1]
        order = self._rng.permutation(n)
        other = np.empty(n, np.int64)
        other[order] = np.roll(order, 1)  # nobody's own, unless alone
        self.n += n
        moved = {}
        for stream, states in chunk.items():
            # CKA does not see a shift; far from the origin it would cost digits.
            shift = self._shift.setdefault(stream, states.mean(1, keepdims=True))
            moved[stream] = states - shift
            own = self._own.setdefault(stream, [Sums(states.shape[2], states.shape[2]) for _ in states])
            if self.config.kernel == "linear":
                for sums, rows in zip(own, moved[stream], strict=True):
                    sums.add(rows, rows)
            if not self.config.streamed:
                self._kept.setdefault(stream, []).append(states)
        for first, second in self.pairs:
            a, b = chunk[first], chunk[second]
            for shuffled in (False, True):
                rows = other if shuffled else slice(None)
                key = (first, second, shuffled)
                cross = self._cross.setdefault(key, [Sums(a.shape[2], b.shape[2]) for _ in a])
                if self.config.kernel == "linear":
                    for sums, x, y in zip(cross, moved[first], moved[second][:, rows], strict=True):
                        sums.add(x, y)
                self._cosines[key] = self._cosines.get(key, 0) + _cosines(a, b[:, rows]).sum(1)

    def similarity(self, first: Stream, second: Stream) -> list[LayerSimilarity]:
        """Of a pair, from the embeddings up."""
        layers = range(len(self._own[first]))
        cosine, shuffled = (self._cosines[first, second, other] / max(1, self.n) for other in (False, True))
        out = []
        for layer in layers:
            values = [self._cka(first, second, layer, other) for other in (False, True)]
            low = high = found = math.nan
            if not self.config.streamed:
                a, b = (self._rows(stream, layer) for stream in (first, second))
                if self.config.halves:
                    low, high = interval(values[0], self._halves(a, b))
                there, back = retrieval(a, b, None)
                found = float((there.mean() + back.mean()) / 2)
            out.append(
                LayerSimilarity(
                    layer, values[0], low, high, values[1], float(cosine[layer]), float(shuffled[layer]), found
                )
            )
        return out

    def _cka(self, first: Stream, second: Stream, layer: int, shuffled: bool) -> float:
        debiased = self.config.debiased
        if self.config.kernel == "linear":
            three = self._cross[first, second, shuffled], self._own[first], self._own[second]
            return cka_of_sums(*(sums[layer] for sums in three), debiased=debiased)
        a, b = (rbf_kernel(self._rows(stream, layer)) for stream in (first, second))
        if shuffled:
            order = np.random.default_rng((self.config.seed, _SHUFFLE)).permutation(len(b))
            order[order] = np.roll(order.copy(), 1)
            b = b[np.ix_(order, order)]
        return kernel_cka(a, b, debiased=debiased)

    def _halves(self, a: Vectors, b: Vectors) -> npt.NDArray[np.float64]:
        if self.config.kernel == "linear":
            return half_sampled(a, b, debiased=self.config.debiased, draws=self.config.halves, seed=self.config.seed)
        rng = np.random.default_rng((self.config.seed, _HALVES))
        k, l = rbf_kernel(a), rbf_kernel(b)  # noqa: E741
        found = []
        for _ in range(self.config.halves):
            rows = np.sort(rng.permutation(len(a))[: len(a) // 2])
            here = np.ix_(rows, rows)
            found.append(kernel_cka(k[here], l[here], debiased=self.config.debiased))
        return np.array(found)

    def _rows(self, stream: Stream, layer: int) -> Vectors:
        return np.concatenate([part[layer] for part in self._kept[stream]])


def _cosines(a: Vectors, b: Vectors) -> npt.NDArray[np.float64]:
    """[layers + 1, n] of rows with their opposite."""
    found = [np.einsum("nd,nd->n", unit_rows(x)[0], unit_rows(y)[0]) for x, y in zip(a, b, strict=True)]
    return np.array(found, np.float64)


def compared(layers: Sequence[int], languages: Sequence[str]) -> list[tuple[Stream, Stream]]:
    """The first language with each other one in every encoder; and the first encoder with each other one of as many
    layers, in every language.

    Args:
        layers: of each encoder.
        languages: the first is the one others are compared with.
    """
    across = [((m, languages[0]), (m, other)) for m in range(len(layers)) for other in languages[1:]]
    return across + [
        ((0, language), (m, language))
        for m, count in enumerate(layers)
        if m and count == layers[0]
        for language in languages
    ]
