"""Sentence retrieval: is the nearest sentence of the other language the translation?"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar

import numpy as np

from paralign.encoder import Encoder
from paralign.encoder.vectors import sentence_vectors
from paralign.errors import UserError
from paralign.metrics.retrieval import retrieval
from paralign.objectives import Objective
from paralign.results import Where
from paralign.sources.readers import read_pairs
from paralign.sources.specs import parse_pairs
from paralign.tasks.base import Score, Task, TaskConfig

__all__ = ["Retrieval", "RetrievalConfig", "resolve_layer", "result_language", "warn_truncated"]

NEIGHBOURS = 10


@dataclass(frozen=True)
class Parallel:
    """Line-parallel sentences of two languages."""

    languages: tuple[str, str]
    source: list[str]
    target: list[str]

    def __len__(self) -> int:
        return len(self.source)


class RetrievalConfig(TaskConfig):
    """Settings, as ``--set task.layer=8``."""

    layer: int | None = None
    """Hidden state to read, 0 = embeddings; the last by default."""


def resolve_layer(encoder: Encoder, layer: int | None) -> int:
    """The hidden state to read, the last by default.

    Raises:
        UserError: if the encoder has no such layer.
    """
    layer = encoder.layers if layer is None else layer
    if not 0 <= layer <= encoder.layers:
        raise UserError(f"there is no layer {layer}", hint=f"0 (embeddings) to {encoder.layers}")
    return layer


def result_language(languages: tuple[str, str]) -> str:
    """The language a row of results is about: the one that is not English, else the second."""
    source, target = languages
    return source if target == "en" else target


def warn_truncated(encoder: Encoder, cut: int) -> None:
    """Say on standard error that sentences were too long for the encoder."""
    if cut:
        print(f"note: {cut:,} sentences were cut to {encoder.max_pieces} pieces", file=sys.stderr)


class Retrieval(Task):
    """Accuracy of finding the translation among all sentences of the set, in both directions.

    [CLS] and mean-pooled vectors; cosine, and CSLS with 10 neighbours (Conneau et al. 2018). Nothing is trained.
    """

    name: ClassVar[str] = "retrieval"
    trains: ClassVar[bool] = False
    Config: ClassVar[type[TaskConfig]] = RetrievalConfig
    config: RetrievalConfig

    def read(
        self, spec: str, *, lenient: bool, dropped: Counter[str], limit: int | None, labeled: bool = True
    ) -> Parallel:
        """``SRC-TGT=PATH`` in any format of pairs: Tatoeba and NTREX are Moses twins, PUD CoNLL-U twins."""
        where = parse_pairs(spec)
        pairs = list(islice(read_pairs(where, lenient=lenient, dropped=dropped), limit))
        if len(pairs) < 2:
            raise UserError("retrieval needs at least two pairs", where=", ".join(where.paths))
        return Parallel(where.languages, [p.source for p in pairs], [p.target for p in pairs])

    def language(self, data: Parallel) -> str:
        """The one that is not English, else the second."""
        return result_language(data.languages)

    def texts_of(self, data: Parallel) -> Iterable[Sequence[str]]:
        """Both sides of each pair."""
        return zip(data.source, data.target, strict=True)

    def baselines(self, data: Parallel) -> Mapping[str, Mapping[str, float]]:
        """Drawing one of the n sentences."""
        return {"chance": dict.fromkeys(("accuracy_cosine", "accuracy_csls"), 1 / len(data.source))}

    def evaluate(self, encoder: Encoder, head: Objective | None, data: Parallel) -> list[Score]:
        """Hits of every sentence, both directions, each pooling, cosine and CSLS."""
        layer = resolve_layer(encoder, self.config.layer)
        with encoder.using_language(data.languages[0]):
            a, cut_a = sentence_vectors(encoder, data.source, pools=("cls", "mean"), layer=layer)
        with encoder.using_language(data.languages[1]):
            b, cut_b = sentence_vectors(encoder, data.target, pools=("cls", "mean"), layer=layer)
        warn_truncated(encoder, cut_a + cut_b)
        source, target = data.languages
        scores = []
        for pool in ("cls", "mean"):
            for metric, k in (
                ("accuracy_cosine", None),
                ("accuracy_csls", min(NEIGHBOURS, len(data.source) - 1)),
            ):
                there, back = retrieval(a[pool], b[pool], k)
                for direction, hits in ((f"{source}-{target}", there), (f"{target}-{source}", back)):
                    items = np.stack([hits.astype(np.float64), np.ones(len(hits))], 1)
                    scores.append(Score(metric, items, Where(layer=layer, pool=pool, direction=direction)))
        return scores
