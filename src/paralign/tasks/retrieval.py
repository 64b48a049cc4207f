"""Sentence retrieval: how often the nearest sentence of the other language is the translation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar

import numpy as np

from paralign.console import dropped_note
from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.formats.items import Pair
from paralign.metrics.retrieval import retrieval
from paralign.objectives import Objective
from paralign.results import Where
from paralign.sources.readers import read_pairs
from paralign.sources.specs import parse_pairs
from paralign.tasks.base import Score, TaskConfig
from paralign.tasks.cross_lingual import CrossLingualTask, resolve_layer, sentence_vectors_of_both

__all__ = ["Retrieval", "RetrievalConfig"]

NEIGHBORS = 10


@dataclass(frozen=True)
class Parallel:
    """Sentences of two languages, the i-th of which are translations of each other."""

    languages: tuple[str, str]
    source: list[str]
    target: list[str]

    def __len__(self) -> int:
        return len(self.source)


class RetrievalConfig(TaskConfig):
    """Settings, as ``--set task.layer=8``."""

    layer: int | float | None = None
    """Hidden state to read: 0 for the embeddings, -1 for the last, or a fraction of the depth such as 0.67. None: the
    last."""


class Retrieval(CrossLingualTask):
    """Accuracy of finding the translation among all sentences of the set, in both directions; nothing is trained.

    Vectors are pooled by [CLS] (the last piece in causal language models) and by the mean, and compared by cosine and
    by CSLS with 10 neighbors (Conneau et al. 2018).
    """

    name: ClassVar[str] = "retrieval"
    accepts_causal: ClassVar[bool] = True
    Config: ClassVar[type[TaskConfig]] = RetrievalConfig
    config: RetrievalConfig

    def read(
        self, spec: str, *, lenient: bool, dropped: Counter[str], limit: int | None, labeled: bool = True
    ) -> Parallel:
        """Read ``SRC-TGT=PATH`` in any format of pairs, as line-aligned files (Tatoeba, NTREX) or treebanks (PUD)."""
        where = parse_pairs(spec)
        pairs = list(islice(_with_both_sides(read_pairs(where, lenient=lenient, dropped=dropped), dropped), limit))
        if len(pairs) < 2:
            message = f"retrieval needs at least two pairs{dropped_note(dropped)}"
            raise UserError(message, where=", ".join(where.paths))
        return Parallel(where.languages, [p.source for p in pairs], [p.target for p in pairs])

    def texts_of(self, data: Parallel) -> Iterable[Sequence[str]]:
        """Return both sentences of each pair."""
        return zip(data.source, data.target, strict=True)

    def baselines(self, data: Parallel) -> Mapping[str, Mapping[str, float]]:
        """Return the baseline ``chance``: a random one of the n sentences."""
        return {"chance": dict.fromkeys(("accuracy_cosine", "accuracy_csls"), 1 / len(data.source))}

    def alternatives(self, encoder: Encoder) -> Sequence[Mapping[str, Any]]:
        """Return every layer; both poolings are scored anyway."""
        return [{"layer": layer} for layer in range(encoder.layers + 1)]

    def evaluate(self, encoder: Encoder, head: Objective | None, data: Parallel) -> list[Score]:
        """Score every sentence in both directions, for each pooling, by cosine and CSLS."""
        layer = resolve_layer(encoder, self.config.layer)
        texts = (data.source, data.target)
        pools = ("last" if encoder.causal else "cls", "mean")
        a, b = sentence_vectors_of_both(encoder, data.languages, texts, pools, layer)
        source, target = data.languages
        scores = []
        for pool in pools:
            for metric, k in (
                ("accuracy_cosine", None),
                ("accuracy_csls", min(NEIGHBORS, len(data.source) - 1)),
            ):
                forward, backward = retrieval(a[pool], b[pool], k)
                for direction, hits in ((f"{source}-{target}", forward), (f"{target}-{source}", backward)):
                    items = np.stack([hits.astype(np.float64), np.ones(len(hits))], 1)
                    scores.append(Score(metric, items, Where(layer=layer, pool=pool, direction=direction)))
        return scores


def _with_both_sides(pairs: Iterable[Pair], dropped: Counter[str]) -> Iterator[Pair]:
    """Yield the pairs whose sides have text, and count the others."""
    for pair in pairs:
        if pair.source.strip() and pair.target.strip():
            yield pair
        else:
            dropped["pairs with an empty side"] += 1
