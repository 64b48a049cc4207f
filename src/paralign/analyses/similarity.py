"""How alike two streams of vectors of the same sentences are, layer by layer (Muller et al. 2021, section 4).

A stream is a language as one encoder sees it: two languages in one encoder, or one language in two encoders.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator

from paralign.config import Config
from paralign.metrics import retrieval
from paralign.metrics.cka import Sums, cka_of_sums, half_hsic, interval, kernel_cka, ratios, rbf_kernel
from paralign.metrics.neighbours import unit_rows

__all__ = ["LayerSimilarity", "LayerSimilarityConfig", "Stream", "Streams", "compared"]

K = TypeVar("K")
Floats = npt.NDArray[np.float64]
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
        cosine, cosine_shuffled: mean cosine of translations, and of shuffled ones; like ``retrieval`` only between
            vectors of one width.
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
        self._cosines: dict[tuple[Stream, Stream, bool], Floats] = {}
        self._kept: dict[Stream, list[Vectors]] = {}
        self._halved: dict[tuple[Stream, int], Floats] = {}
        self._others: list[npt.NDArray[np.int64]] = []
        """Whose translation each sentence meets when shuffled, for the kernel that needs all at once."""

    def add(self, chunk: Mapping[Stream, Vectors]) -> None:
        """Take in sentences: [layers + 1, n, d] of every stream, the same sentences in all of them.

        Sentences are shuffled within a chunk: give some hundred at once, but not one.
        """
        n = next(iter(chunk.values())).shape[1]
        order = self._rng.permutation(n)
        other = np.empty(n, np.int64)
        other[order] = np.roll(order, 1)  # nobody's own, unless alone
        if self.config.kernel == "rbf":
            self._others.append(other + self.n)
        self.n += n
        moved = {}
        for stream, states in chunk.items():
            # CKA does not see a shift; far from the origin it would cost digits.
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
        """Of a pair, from the embeddings up."""
        cosine, shuffled = (self._cosines[first, second, other] / max(1, self.n) for other in (False, True))
        of_kernel = self._linear if self.config.kernel == "linear" else self._rbf
        out = []
        for layer in range(len(self._shift[first])):
            whole, apart, halves = of_kernel(first, second, layer)
            low, high = interval(whole, halves)
            found = math.nan
            if not self.config.streamed and not math.isnan(cosine[layer]):
                there, back = retrieval(self._rows(first, layer), self._rows(second, layer), None)
                found = float((there.mean() + back.mean()) / 2)
            out.append(
                LayerSimilarity(layer, whole, low, high, apart, float(cosine[layer]), float(shuffled[layer]), found)
            )
        return out

    def _linear(self, first: Stream, second: Stream, layer: int) -> tuple[float, float, Floats]:
        """CKA of a layer, of shuffled pairs, and of half-samples."""
        own = self._own[first][layer], self._own[second][layer]
        whole, apart = (
            cka_of_sums(self._cross[first, second, shuffled][layer], *own, debiased=self.config.debiased)
            for shuffled in (False, True)
        )
        if self.config.streamed or not self.config.halves:
            return whole, apart, np.empty(0)
        alone = [self._own_halves(stream, layer) for stream in (first, second)]
        return whole, apart, ratios(self._halves(first, second, layer), *alone)

    def _own_halves(self, stream: Stream, layer: int) -> Floats:
        """A stream with itself, once for all its pairs."""
        if (stream, layer) not in self._halved:
            self._halved[stream, layer] = self._halves(stream, stream, layer)
        return self._halved[stream, layer]

    def _halves(self, first: Stream, second: Stream, layer: int) -> Floats:
        return half_hsic(self._rows(first, layer), self._rows(second, layer), debiased=self.config.debiased,
                         draws=self.config.halves, seed=self.config.seed)  # fmt: skip

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
    """Layer by layer."""
    for one, x, y in zip(sums.setdefault(key, [Sums(a.shape[2], b.shape[2]) for _ in a]), a, b, strict=True):
        one.add(x, y)


def _cosines(a: Vectors, b: Vectors) -> Floats:
    """[layers + 1, n] of rows with their opposite; nan between widths, where CKA alone tells anything."""
    if a.shape[2] != b.shape[2]:
        return np.full(a.shape[:2], math.nan)
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
