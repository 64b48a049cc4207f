"""Bitext mining: which sentences of two corpora that are not parallel are translations of each other?"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from paralign.encoder import Encoder
from paralign.encoder.vectors import sentence_vectors
from paralign.errors import UserError
from paralign.formats.items import MiningSet
from paralign.formats.lines import write_lines
from paralign.metrics.margin import Margin, Strategy, best_threshold, extraction_items, mine
from paralign.objectives import Objective
from paralign.results import Where
from paralign.sources.readers import read_mining
from paralign.sources.specs import parse_pairs
from paralign.tasks.base import Score, Task, TaskConfig
from paralign.tasks.retrieval import resolve_layer, result_language, warn_truncated

__all__ = ["Corpora", "Mining", "MiningConfig"]

Ints = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]
METRICS = ("f1", "precision", "recall")
BEST = "_best_threshold"
"""Ends the name of a metric whose threshold was chosen on the very set it is measured on."""


class MiningConfig(TaskConfig):
    """Settings, as ``--set task.threshold=1.05``; the defaults are those of LASER and XTREME, but for the pooling."""

    layer: int | None = None
    """Hidden state to read, 0 = embeddings; the last by default."""
    pool: Literal["cls", "mean"] = "mean"
    margin: Margin = "ratio"
    """What a pair's cosine is set against: the ratio to, or the distance from, the average around it; ``absolute``
    is the cosine itself."""
    strategy: Strategy = "max"
    """``max``: the candidates of both directions from the best down, every sentence once. See ``metrics.margin``."""
    neighbours: int = Field(default=4, ge=1)
    threshold: float | None = None
    """Pairs scored at least so high are extracted. Without it the threshold of the best F1 on the set itself is
    taken, said, and the metrics are named ``f1_best_threshold`` and so on: that is for the training set."""


@dataclass(frozen=True)
class Corpora:
    """Two sets of sentences with ids, and the gold pairs of ids."""

    languages: tuple[str, str]
    texts: MiningSet

    def __len__(self) -> int:
        return len(self.texts.source) + len(self.texts.target)


class Mining(Task):
    """F1, precision and recall of extracted pairs, as LASER and XTREME score BUCC; nothing is trained.

    Sentences are embedded once however often they stand in a corpus. The ids of repeated sentences cannot be told
    apart, so their pairs are not extracted, as in those scorers; gold pairs of theirs count as missed. Items are the
    source sentences.
    """

    name: ClassVar[str] = "mining"
    trains: ClassVar[bool] = False
    Config: ClassVar[type[TaskConfig]] = MiningConfig
    config: MiningConfig

    def read(
        self, spec: str, *, lenient: bool, dropped: Counter[str], limit: int | None, labeled: bool = True
    ) -> Corpora:
        """``SRC-TGT=PREFIX`` in BUCC's format; ``limit`` keeps the first sentences of each side and their pairs."""
        where = parse_pairs(spec)
        texts = read_mining(where, lenient=lenient, dropped=dropped, labeled=labeled)
        if limit is not None:
            kept, found = set(texts.source_ids[:limit]), set(texts.target_ids[:limit])
            texts = replace(
                texts,
                source=texts.source[:limit],
                source_ids=texts.source_ids[:limit],
                target=texts.target[:limit],
                target_ids=texts.target_ids[:limit],
                gold=frozenset((s, t) for s, t in texts.gold if s in kept and t in found),
            )
        if not texts.source or not texts.target:
            raise UserError("mining needs sentences on both sides", where=where.path)
        if labeled and not texts.gold:
            hint = "raise --limit" if limit is not None else None
            raise UserError("no gold pair among the sentences: nothing can be scored", where=where.path, hint=hint)
        return Corpora(where.languages, texts)

    def language(self, data: Corpora) -> str:
        """The one that is not English, else the second."""
        return result_language(data.languages)

    def texts_of(self, data: Corpora) -> Iterable[Sequence[str]]:
        """Every sentence of either side."""
        return ((text,) for text in (*data.texts.source, *data.texts.target))

    def baselines(self, data: Corpora) -> Mapping[str, Mapping[str, float]]:
        """Pairing every sentence of the smaller side with another one of the larger side, drawn at random."""
        small, large = sorted((len(data.texts.source), len(data.texts.target)))
        right = len(data.texts.gold) / large
        shares = {"f1": 2 * right / (small + len(data.texts.gold)), "precision": right / small, "recall": 1 / large}
        return {"chance": {metric + self._end: value for metric, value in shares.items()}}

    def evaluate(self, encoder: Encoder, head: Objective | None, data: Corpora) -> list[Score]:
        """F1, precision and recall over the source sentences."""
        layer, direction = resolve_layer(encoder, self.config.layer), "-".join(data.languages)
        rows, _, score, right = self._candidates(encoder, data, layer)
        threshold = self.config.threshold
        if threshold is None:
            threshold = best_threshold(score, right, len(data.texts.gold))
            say = (
                f"{threshold!r} has the best F1 on this very set; for its test set: --set task.threshold={threshold!r}"
            )
            say = say if np.isfinite(threshold) else "none: no candidate is right"
            print(f"note: threshold for mining {direction}: {say}", file=sys.stderr)
        number = {name: row for row, name in enumerate(data.texts.source_ids)}
        wanted = [number[name] for name, _ in data.texts.gold]
        kept = score >= threshold
        items = extraction_items(len(number), rows[kept], right[kept], wanted)
        where = Where(layer=layer, pool=self.config.pool, direction=direction)
        return [Score(metric + self._end, items[metric], where) for metric in METRICS]

    def best_threshold(self, encoder: Encoder, data: Corpora) -> float:
        """The threshold of the best F1 on a set, to be used on another; infinity if no candidate is right."""
        _, _, score, right = self._candidates(encoder, data, resolve_layer(encoder, self.config.layer))
        return best_threshold(score, right, len(data.texts.gold))

    def predict(self, encoder: Encoder, head: Objective | None, data: Corpora, path: Path) -> list[Path]:
        """The extracted pairs, ``source-id<TAB>target-id`` as BUCC's gold file, the best first.

        Raises:
            UserError: without a threshold.
        """
        if self.config.threshold is None:
            hint = "evaluate on the training set tells one: --set task.threshold=..."
            raise UserError("which pairs are extracted depends on a threshold", hint=hint)
        rows, others, score, _ = self._candidates(encoder, data, resolve_layer(encoder, self.config.layer))
        kept = score >= self.config.threshold
        pairs = zip(rows[kept].tolist(), others[kept].tolist(), strict=True)
        write_lines(path, (f"{data.texts.source_ids[i]}\t{data.texts.target_ids[j]}" for i, j in pairs))
        return [path]

    @property
    def _end(self) -> str:
        return BEST if self.config.threshold is None else ""

    def _candidates(self, encoder: Encoder, data: Corpora, layer: int) -> tuple[Ints, Ints, Doubles, Booleans]:
        """Source and target sentence and score of each candidate pair, and whether it is a gold pair."""
        config, texts = self.config, data.texts
        (source, source_row), (target, target_row) = _distinct(texts.source), _distinct(texts.target)
        repeated = int(np.count_nonzero(source_row < 0) + np.count_nonzero(target_row < 0))
        if repeated:
            print(f"note: sentences that occur more than once, not extracted: {repeated:,}", file=sys.stderr)
        with encoder.using_language(data.languages[0]):
            a, cut_a = sentence_vectors(encoder, source, pools=(config.pool,), layer=layer)
        with encoder.using_language(data.languages[1]):
            b, cut_b = sentence_vectors(encoder, target, pools=(config.pool,), layer=layer)
        warn_truncated(encoder, cut_a + cut_b)
        found = mine(
            a[config.pool], b[config.pool], k=config.neighbours, margin=config.margin, strategy=config.strategy
        )
        rows, others = source_row[found.source], target_row[found.target]
        single = (rows >= 0) & (others >= 0)
        rows, others = rows[single], others[single]
        pairs = zip(rows.tolist(), others.tolist(), strict=True)
        right = np.array([(texts.source_ids[i], texts.target_ids[j]) in texts.gold for i, j in pairs], bool)
        return rows, others, found.score[single], right


def _distinct(texts: Sequence[str]) -> tuple[list[str], Ints]:
    """The distinct texts in order, and where each stands; -1 for one that stands in several places."""
    count = Counter(texts)
    first: dict[str, int] = {}
    for row, text in enumerate(texts):
        first.setdefault(text, row)
    return list(first), np.array([row if count[text] == 1 else -1 for text, row in first.items()], np.int64)
