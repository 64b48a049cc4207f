"""Properties of the space of sentence vectors, by layer: isotropy, language identity, hubs and neighbors."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from paralign.analyses.base import AnalysisConfig, AnalysisResult, AnalyzedEncoder, EncoderAnalysis
from paralign.analyses.parallel_text import ParallelText
from paralign.encoder.hidden_states import Pooling
from paralign.encoder.sentences import check_pooling
from paralign.encoder.vectors import layer_vectors
from paralign.errors import UserError
from paralign.metrics import space
from paralign.results import Measurement, Where

__all__ = ["SpaceAnalysis"]

Floats = npt.NDArray[np.float32]


class SpaceConfig(AnalysisConfig):
    """Settings under ``[space]``."""

    sentences: int = Field(default=2_000, ge=20)
    """Number of sentences of each language, the same for all encoders: several measures depend on it."""
    pool: Pooling = "mean"
    """Sentence vector: ``mean`` over pieces, special ones excluded; ``cls``, the first piece; or ``last``, the last."""
    neighbors: int = Field(default=10, ge=1)
    """Number of neighbors that hubness counts."""


@dataclass(frozen=True)
class _Value:
    """A measure in one layer. ``n`` is the number of items behind it."""

    metric: str
    language: str
    layer: int
    value: float
    n: int
    direction: str | None = None


class SpaceAnalysis(EncoderAnalysis):
    """Measures of the sentence vectors of every layer, of each language and of each pair of languages."""

    name: ClassVar[str] = "space"
    Config: ClassVar[type[AnalysisConfig]] = SpaceConfig

    def analyze(
        self,
        encoders: Sequence[AnalyzedEncoder],
        texts: Sequence[ParallelText],
        *,
        run: str,
        progress: Callable[[str], None],
    ) -> AnalysisResult:
        """Measure every encoder on every text."""
        for analyzed in encoders:
            check_pooling(analyzed.encoder, self.config.pool)
        rows: list[Measurement] = []
        curves: list[dict[str, Any]] = []
        warnings: list[str] = []
        for text in texts:
            lines = [sentences for sentences, _ in zip(text, range(self.config.sentences), strict=False)]
            if len(lines) < 20:
                raise text.too_few(len(lines))
            if self.config.neighbors >= len(lines):
                raise UserError(
                    f"space.neighbors is {self.config.neighbors:,}, but there are only {len(lines):,} sentences",
                    where=text.path,
                    hint="hubness needs many more sentences than neighbors; the default is 10",
                )
            for analyzed in encoders:
                width = analyzed.encoder.width
                if len(lines) < 4 * width:
                    warnings.append(
                        f"{analyzed.name}: {len(lines):,} sentences are less than four times the width of {width}: the"
                        " effective rank is too low, and comparable at equal numbers of sentences only"
                    )
                values = list(self._values(analyzed, text, lines, warnings))
                rows += [_row(analyzed, text, value, run, self.config) for value in values]
                facts = analyzed.model_facts
                curves.append({"system": analyzed.name, "model_hash": facts["model_hash"], "control": facts["control"],
                               "of": text.pair, "n": len(lines), "values": [vars(v) for v in values]})  # fmt: skip
                progress(_summary(analyzed.name, values))
        figure = {"settings": self.config.model_dump(mode="json"), "curves": curves}
        return AnalysisResult(rows, rows=rows, figures={"space": figure}, warnings=list(dict.fromkeys(warnings)))

    def _values(
        self, analyzed: AnalyzedEncoder, text: ParallelText, lines: Sequence[tuple[str, ...]], warnings: list[str]
    ) -> Iterator[_Value]:
        by_language = {}
        for position, language in enumerate(text.languages):
            sentences = [line[position] for line in lines]
            by_language[language], cut = layer_vectors(analyzed.encoder, sentences, language, pool=self.config.pool)
            if cut:
                warnings.append(
                    f"{analyzed.name}: {cut:,} of {len(sentences):,} sentences of {language} were truncated to its"
                    " maximum length"
                )
        for layer in range(analyzed.encoder.layers + 1):
            yield from self._measure_layer({name: layers[layer] for name, layers in by_language.items()}, layer)

    def _measure_layer(self, vectors: Mapping[str, Floats], layer: int) -> Iterator[_Value]:
        n, (pivot, *others) = len(next(iter(vectors.values()))), vectors
        nearest = space.nearest_mean_identification(vectors)
        linear = space.linear_identification(vectors)
        equal = space.are_equal(np.concatenate(list(vectors.values())))  # as [CLS] before the first layer
        for name, rows in vectors.items():
            yield _Value("mean_cosine", name, layer, space.mean_cosine(rows), n)
            yield _Value("effective_rank", name, layer, math.nan if equal else space.effective_rank(rows), n)
            by_mean, linearly = (math.nan if equal else float(of[name].mean()) for of in (nearest, linear))
            yield _Value("identified_by_mean", name, layer, by_mean, len(nearest[name]))
            yield _Value("identified_linearly", name, layer, linearly, len(linear[name]))
        for name in others:
            first, second, direction = vectors[pivot], vectors[name], f"{pivot}-{name}"
            hubs, mutual, distance = math.nan, math.nan, math.nan
            if not equal:
                both = [space.hubness(a, b, self.config.neighbors) for a, b in ((first, second), (second, first))]
                hubs, mutual = float(np.mean(both)), float(space.mutual_nearest(first, second).mean())
                distance = space.language_distance(first, second)
            yield _Value("hubness", name, layer, hubs, n, direction)
            yield _Value("mutual_nearest", name, layer, mutual, n, direction)
            yield _Value("language_distance", name, layer, distance, n, direction)


def _row(analyzed: AnalyzedEncoder, text: ParallelText, value: _Value, run: str, config: SpaceConfig) -> Measurement:
    return Measurement.of_model(
        analyzed.model_facts,
        task="space",
        dataset=text.dataset,
        language=value.language,
        metric=value.metric,
        value=value.value,
        n=value.n,
        run=run,
        where=Where(layer=value.layer, pool=config.pool, direction=value.direction or text.pair),
        settings={"space": config.model_dump(mode="json")},
    )


def _summary(system: str, values: Sequence[_Value]) -> str:
    """Return a line with the means of the last layer."""
    last = max(value.layer for value in values)
    parts = []
    for metric in dict.fromkeys(value.metric for value in values):
        found = [v.value for v in values if v.metric == metric and v.layer == last and not math.isnan(v.value)]
        if found:
            parts.append(f"{metric} {np.mean(found):.2f}")
    return f"{system}, last layer: {', '.join(parts)}"
