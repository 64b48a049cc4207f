"""Similarity of languages by layer, and what training changed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from itertools import islice
from typing import Any, ClassVar

from paralign.analyses.base import AnalysisConfig, AnalysisResult, AnalyzedEncoder, EncoderAnalysis
from paralign.analyses.layer_similarity import LayerSimilarity, LayerSimilarityConfig, Stream, Streams, stream_pairs
from paralign.analyses.parallel_text import ParallelText
from paralign.encoder.vectors import layer_vectors
from paralign.metrics.correlation import spearman
from paralign.results import Measurement, Where

__all__ = ["SimilarityAnalysis"]

_CHUNK = 512
"""Sentences encoded and shuffled together."""
_FEW_SENTENCES = 50
_MAX_LENGTHS = 100_000
"""Lines whose lengths are correlated."""
_MIN_GAIN = 0.02
"""CKA minus CKA of shuffled pairs below which translations are not more similar than random pairs."""
_MIN_LENGTH_CORRELATION = 0.3
"""Spearman's correlation of line lengths below which texts are unlikely to be parallel; above .8 as a rule."""
_METRICS = {
    "cka": "cka",
    "shuffled": "cka_shuffled",
    "cosine": "cosine",
    "cosine_shuffled": "cosine_shuffled",
    "retrieval": "retrieval",
}
"""Field of :class:`LayerSimilarity` -> metric of the row."""


class SimilarityAnalysis(EncoderAnalysis):
    """CKA, cosine and retrieval of translations by layer, and CKA between encoders."""

    name: ClassVar[str] = "similarity"
    Config: ClassVar[type[AnalysisConfig]] = LayerSimilarityConfig

    def analyze(
        self,
        encoders: Sequence[AnalyzedEncoder],
        texts: Sequence[ParallelText],
        *,
        run: str,
        progress: Callable[[str], None],
    ) -> AnalysisResult:
        """Measure every pair of languages in every encoder, and every encoder against the first one."""
        rows: list[Measurement] = []
        curves: list[dict[str, Any]] = []
        warnings: list[str] = []
        depths = [analyzed.encoder.layers for analyzed in encoders]
        for text in texts:
            streams = Streams(stream_pairs(depths, text.languages), self.config)
            truncated, length_correlations = _encode(encoders, streams, text, self.config.pool, progress)
            warnings += _text_warnings(text, streams.n, truncated, length_correlations)
            for pair in streams.pairs:
                comparison = _Comparison(encoders, text, pair, streams.similarity(*pair), streams.n)
                warnings += comparison.warnings()
                rows += comparison.rows(run, self.config)
                curves.append(comparison.curve())
                progress(comparison.summary())
        for analyzed, depth in zip(encoders, depths, strict=True):
            if depth != depths[0]:
                first = encoders[0].name
                warnings.append(
                    f"{analyzed.name} has {depth} layers and {first} has {depths[0]}, so they are not compared"
                )
        figure = {"settings": self.config.model_dump(mode="json"), "curves": curves}
        return AnalysisResult(rows, rows=rows, figures={"similarity": figure}, warnings=warnings)


def _encode(
    encoders: Sequence[AnalyzedEncoder],
    streams: Streams,
    text: ParallelText,
    pool: str,
    progress: Callable[[str], None],
) -> tuple[int, dict[str, float]]:
    """Encode all sentences with all encoders, a chunk at a time.

    Returns:
        how many sentences were truncated in the language with most of them; and for each language the correlation of
        its line lengths with those of the first language.
    """
    wanted: dict[Stream, None] = dict.fromkeys(stream for pair in streams.pairs for stream in pair)
    lengths: list[tuple[int, ...]] = []
    truncated: Counter[Stream] = Counter()
    for chunk in _chunks(iter(text)):
        vectors = {}
        for number, language in wanted:
            encoder = encoders[number].encoder
            position = text.languages.index(language)
            sentences = [texts[position] for texts in chunk]
            vectors[number, language], count = layer_vectors(encoder, sentences, language, pool=pool)
            truncated[number, language] += count
        streams.add(vectors)
        lengths += [tuple(map(len, texts)) for texts in chunk[: max(0, _MAX_LENGTHS - len(lengths))]]
        progress(f"{', '.join(text.languages)}: {streams.n:,} sentences of each")
    if streams.n < 4:
        raise text.too_few(streams.n)
    first, *others = zip(*lengths, strict=True)
    correlations = {
        language: float(spearman(first, other)) for language, other in zip(text.languages[1:], others, strict=True)
    }
    return max(truncated.values()), correlations


def _chunks(rows: Iterator[tuple[str, ...]]) -> Iterator[list[tuple[str, ...]]]:
    """Yield chunks of sentences, none of a single sentence, which could not be shuffled."""
    ahead = list(islice(rows, _CHUNK))
    while ahead:
        chunk, ahead = ahead, list(islice(rows, _CHUNK))
        if len(ahead) == 1:
            chunk, ahead = chunk + ahead, []
        yield chunk


def _text_warnings(text: ParallelText, n: int, truncated: int, length_correlations: dict[str, float]) -> list[str]:
    warnings = []
    for language, correlation in length_correlations.items():
        # NaN, where all lines of a language have the same length, says nothing.
        if n >= _FEW_SENTENCES and correlation < _MIN_LENGTH_CORRELATION:
            warnings.append(
                f"{text.languages[0]} and {language}: the lengths of their lines have a correlation of"
                f" {correlation:.2f}; are the files parallel?"
            )
    if truncated:
        warnings.append(
            f"{'-'.join(text.languages)}: up to {truncated:,} of {n:,} sentences of a language were truncated to the "
            "maximum length of an encoder"
        )
    if n < _FEW_SENTENCES:
        warnings.append(
            f"{'-'.join(text.languages)}: {n} sentences are too few, and the interval is too wide to be useful; give"
            f" at least {_FEW_SENTENCES}, better 1,000"
        )
    return warnings


class _Comparison:
    """Two streams compared: two languages in one encoder, or one language in two encoders."""

    def __init__(
        self,
        encoders: Sequence[AnalyzedEncoder],
        text: ParallelText,
        pair: tuple[Stream, Stream],
        layers: Sequence[LayerSimilarity],
        n: int,
    ) -> None:
        (first, self.source), (second, self.language) = pair
        self.text, self.layers, self.n = text, layers, n
        self.before, self.model_facts = encoders[first].model_facts, encoders[second].model_facts
        self.between_encoders = self.source == self.language

    def warnings(self) -> list[str]:
        """Return a warning if translations are in no layer more similar than shuffled pairs."""
        if self.between_encoders or any(layer.cka - layer.shuffled > _MIN_GAIN for layer in self.layers):
            return []
        return [f"{self.source} and {self.language}: nowhere more similar than by chance; are the files parallel?"]

    def rows(self, run: str, config: LayerSimilarityConfig) -> list[Measurement]:
        """Return a row for each layer and measure."""
        settings: dict[str, Any] = {"similarity": config.model_dump(mode="json")}
        if self.between_encoders:
            settings["before"] = {key: self.before[key] for key in ("model", "model_hash", "method")}
        direction = self.text.pair if self.between_encoders else f"{self.source}-{self.language}"
        rows = []
        for layer in self.layers:
            values = asdict(layer)
            for name, metric in _METRICS.items():
                if math.isnan(values[name]):
                    continue
                has_interval = name == "cka" and not math.isnan(layer.low)
                rows.append(
                    Measurement.of_model(
                        self.model_facts,
                        task="change" if self.between_encoders else "similarity",
                        dataset=self.text.dataset,
                        language=self.language,
                        metric=metric,
                        value=values[name],
                        n=self.n,
                        run=run,
                        where=Where(layer=layer.layer, pool=config.pool, direction=direction),
                        settings=settings | ({"interval": [layer.low, layer.high]} if has_interval else {}),
                    )
                )
        return rows

    def curve(self) -> dict[str, Any]:
        """Return the curve of the figure."""
        return {
            "system": self.model_facts["method"],
            "model_hash": self.model_facts["model_hash"],
            "control": self.model_facts["control"],
            "n": self.n,
            "before": self.before["method"] if self.between_encoders else None,
            "languages": [self.source, self.language],
            "of": self.text.pair,
            "layers": list(self.layers),
        }

    def summary(self) -> str:
        """Return a line with CKA by layer."""
        what = f"{self.language} before and after" if self.between_encoders else f"{self.source}-{self.language}"
        values = " ".join("undefined" if math.isnan(layer.cka) else f"{layer.cka:.2f}" for layer in self.layers)
        return f"{self.model_facts['method']}, {what}: CKA by layer {values}"
