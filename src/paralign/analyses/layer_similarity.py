"""Similarity of two streams of sentence vectors, layer by layer (Muller et al. 2021, section 4).

A stream is a language as represented by one encoder. Two streams are two languages in one encoder, or one language in
two encoders; their sentences are the same, or translations.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator, model_validator

from paralign.analyses.base import AnalysisConfig
from paralign.encoder.hidden_states import Pooling
from paralign.metrics import retrieval
from paralign.metrics.cka import (
    Sums,
    cka_of_halves,
    cka_of_sums,
    half_hsic,
    half_sample_interval,
    kernel_cka,
    rbf_kernel,
)
from paralign.metrics.neighbors import unit_rows

__all__ = ["LayerSimilarity", "LayerSimilarityConfig", "Stream", "Streams", "stream_pairs"]

K = TypeVar("K")
Floats = npt.NDArray[np.float64]
Vectors = npt.NDArray[np.float32]
Stream = tuple[int, str]
"""Number of the encoder, and language."""
_SHUFFLE, _HALVES = 31, 32


class LayerSimilarityConfig(AnalysisConfig):
    """Settings of ``analyze similarity``."""

    pool: Pooling = "mean"
    """Sentence vector: ``mean`` over pieces, special ones excluded; ``cls``, the first piece; or ``last``, the last."""
    kernel: Literal["linear", "rbf"] = "linear"
    """Kernel of CKA. The bandwidth of ``rbf`` is the median distance; it needs memory of sentences x sentences."""
    debiased: bool = True
    """Debias CKA. Biased CKA is high on noise: 0.49 for 800 independent vectors of 768 dimensions."""
    halves: int = Field(default=100, ge=0)
    """Number of half-samples for the interval, at least 20; 0: no interval."""
    streamed: bool = False
    """Keep sums instead of vectors: memory of layers x width² for text of any length, but no interval or retrieval."""
    seed: int = 0
    """Seed of shuffling and half-samples."""

    @field_validator("halves")
    @classmethod
    def _check_halves(cls, value: int) -> int:
        if 0 < value < 20:
            raise ValueError("must be 0 or at least 20")
        return value

    @model_validator(mode="after")
    def _check_streamed(self) -> Self:
        if self.streamed and self.kernel == "rbf":
            raise ValueError("the kernel 'rbf' needs all vectors at once; leave similarity.streamed out")
        return self


@dataclass(frozen=True)
class LayerSimilarity:
    """The measures of one layer; NaN where something was not measured.

    Attributes:
        layer: 0 = embeddings.
        cka: CKA of sentence vectors.
        low: lower end of its 95 % interval.
        high: upper end.
        shuffled: CKA of sentences paired with the translations of other sentences.
        cosine: mean cosine of translations; like ``retrieval`` only for encoders of equal width.
        cosine_shuffled: mean cosine of shuffled pairs.
        retrieval: share of sentences whose nearest neighbor is their translation, mean of both directions.
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
    """Collects sentence vectors in chunks, and compares pairs of streams.

    Args:
        pairs: the streams to compare.
        config: settings.
    """

    def __init__(self, pairs: Iterable[tuple[Stream, Stream]], config: LayerSimilarityConfig) -> None:
        self.pairs = list(pairs)
        self.config = config
        self.n = 0
        self._rng = np.random.default_rng((config.seed, _SHUFFLE))
        self._shift: dict[Stream, Vectors] = {}
        self._own: dict[Stream, list[Sums]] = {}
        self._cross: dict[tuple[Stream, Stream, bool], list[Sums]] = {}
        self._cosines: dict[tuple[Stream, Stream, bool], Floats] = {}
        self._kept: dict[Stream, list[Vectors]] = {}
        self._halved: dict[tuple[Stream, int], Floats] = {}
        self._others: list[npt.NDArray[np.int64]] = []
        """Index of the sentence whose translation each sentence is paired with when shuffled, for the RBF kernel."""

    def add(self, chunk: Mapping[Stream, Vectors]) -> None:
        """Add a chunk of sentences.

        Sentences are shuffled within a chunk: give hundreds at once, and never a single one.

        Args:
            chunk: [layers + 1, n, d] of every stream, the same sentences in all of them.
        """
        n = next(iter(chunk.values())).shape[1]
        order = self._rng.permutation(n)
        other = np.empty(n, np.int64)
        other[order] = np.roll(order, 1)  # never its own translation, unless it is alone
        if self.config.kernel == "rbf":
            self._others.append(other + self.n)
        self.n += n
        moved = {}
        for stream, states in chunk.items():
            # CKA is invariant to a shift, and vectors far from the origin would lose precision.
            moved[stream] = states - self._shift.setdefault(stream, states.mean(1, keepdims=True))
            if self.config.kernel == "linear":
                _add(self._own, stream, moved[stream], moved[stream])
            if not self.config.streamed:
                self._kept.setdefault(stream, []).append(states)
        for first, second in self.pairs:
            for shuffled in (False, True):
                rows = other if shuffled else slice(None)
                key = (first, second, shuffled)
                if self.config.kernel == "linear":
                    _add(self._cross, key, moved[first], moved[second][:, rows])
                cosines = _cosines(chunk[first], chunk[second][:, rows]).sum(1)
                self._cosines[key] = self._cosines.get(key, 0) + cosines

    def similarity(self, first: Stream, second: Stream) -> list[LayerSimilarity]:
        """Return the measures of a pair of streams for each layer, the embeddings first."""
        cosine, shuffled = (self._cosines[first, second, other] / max(1, self.n) for other in (False, True))
        of_kernel = self._linear if self.config.kernel == "linear" else self._rbf
        out = []
        for layer in range(len(self._shift[first])):
            whole, apart, halves = of_kernel(first, second, layer)
            low, high = half_sample_interval(whole, halves)
            accuracy = math.nan
            if not self.config.streamed and not math.isnan(cosine[layer]):
                there, back = retrieval(self._rows(first, layer), self._rows(second, layer), None)
                accuracy = float((there.mean() + back.mean()) / 2)
            out.append(
                LayerSimilarity(layer, whole, low, high, apart, float(cosine[layer]), float(shuffled[layer]), accuracy)
            )
        return out

    def _linear(self, first: Stream, second: Stream, layer: int) -> tuple[float, float, Floats]:
        """Return CKA of a layer, of shuffled pairs, and of half-samples."""
        self_sums = self._own[first][layer], self._own[second][layer]
        whole, apart = (
            cka_of_sums(self._cross[first, second, shuffled][layer], *self_sums, debiased=self.config.debiased)
            for shuffled in (False, True)
        )
        if self.config.streamed or not self.config.halves:
            return whole, apart, np.empty(0)
        alone = [self._own_halves(stream, layer) for stream in (first, second)]
        return whole, apart, cka_of_halves(self._halves(first, second, layer), *alone)

    def _own_halves(self, stream: Stream, layer: int) -> Floats:
        """Return the half-samples of a stream with itself, computed once for all its pairs."""
        if (stream, layer) not in self._halved:
            self._halved[stream, layer] = self._halves(stream, stream, layer)
        return self._halved[stream, layer]

    def _halves(self, first: Stream, second: Stream, layer: int) -> Floats:
        return half_hsic(
            self._rows(first, layer),
            self._rows(second, layer),
            debiased=self.config.debiased,
            draws=self.config.halves,
            seed=self.config.seed,
        )

    def _rbf(self, first: Stream, second: Stream, layer: int) -> tuple[float, float, Floats]:
        k, l = rbf_kernel(self._rows(first, layer)), rbf_kernel(self._rows(second, layer))  # noqa: E741
        other = np.concatenate(self._others)
        rng = np.random.default_rng((self.config.seed, _HALVES))
        halves = []
        for _ in range(self.config.halves):
            here = np.ix_(*[np.sort(rng.permutation(self.n)[: self.n // 2])] * 2)
            halves.append(kernel_cka(k[here], l[here], debiased=self.config.debiased))
        whole, apart = (kernel_cka(k, m, debiased=self.config.debiased) for m in (l, l[np.ix_(other, other)]))
        return whole, apart, np.array(halves)

    def _rows(self, stream: Stream, layer: int) -> Vectors:
        return np.concatenate([part[layer] for part in self._kept[stream]])


def _add(sums: dict[K, list[Sums]], key: K, a: Vectors, b: Vectors) -> None:
    """Add two sides to the sums of each layer."""
    for one, x, y in zip(sums.setdefault(key, [Sums(a.shape[2], b.shape[2]) for _ in a]), a, b, strict=True):
        one.add(x, y)


def _cosines(a: Vectors, b: Vectors) -> Floats:
    """Return the cosines [layers + 1, n] of corresponding rows; NaN for different widths, where only CKA is defined."""
    if a.shape[2] != b.shape[2]:
        return np.full(a.shape[:2], math.nan)
    cosines = [np.einsum("nd,nd->n", unit_rows(x)[0], unit_rows(y)[0]) for x, y in zip(a, b, strict=True)]
    return np.array(cosines, np.float64)


def stream_pairs(layers: Sequence[int], languages: Sequence[str]) -> list[tuple[Stream, Stream]]:
    """Return the pairs to compare.

    These are the first language and each other one, in every encoder; then the first encoder and each other one with as
    many layers, in every language.

    Args:
        layers: number of layers of each encoder.
        languages: the first is the one that others are compared with.
    """
    across = [((m, languages[0]), (m, other)) for m in range(len(layers)) for other in languages[1:]]
    return across + [
        ((0, language), (m, language))
        for m, count in enumerate(layers)
        if m and count == layers[0]
        for language in languages
    ]
