"""Bitext mining: find the translations in two corpora that are not parallel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from paralign.console import echo
from paralign.encoder import Encoder
from paralign.encoder.hidden_states import Pooling
from paralign.errors import UserError
from paralign.formats.items import MiningSet
from paralign.formats.lines import write_lines
from paralign.metrics.margin import Margin, Strategy, best_threshold, extraction_items, mine
from paralign.objectives import Objective
from paralign.results import Where
from paralign.sources.readers import read_mining
from paralign.sources.specs import parse_pairs
from paralign.tasks.base import Score, TaskConfig
from paralign.tasks.cross_lingual import CrossLingualTask, resolve_layer, sentence_vectors_of_both

__all__ = ["Corpora", "Mining", "MiningConfig"]

Ints = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]
METRICS = ("f1", "precision", "recall")
BEST = "_best_threshold"
"""Suffix of metrics whose threshold was chosen on the set they are measured on."""


class MiningConfig(TaskConfig):
    """Settings, as ``--set task.threshold=1.05``. Defaults are those of LASER and XTREME, except for the pooling."""

    layer: int | float | None = None
    """Hidden state to read: 0 for the embeddings, -1 for the last, or a fraction of the depth such as 0.67. None: the
    last."""
    pool: Pooling = "mean"
    """Sentence vector: ``cls``, the state of the first piece; ``mean`` over pieces, special ones excluded; or ``last``,
    the state of the last piece, for causal language models."""
    margin: Margin = "ratio"
    """How a pair is scored: by the ratio of its cosine to the average cosine of its neighbors, by the difference
    (``distance``), or by the cosine itself (``absolute``)."""
    strategy: Strategy = "max"
    """``max``: candidates of both directions, best first, each sentence once. See ``paralign.metrics.margin``."""
    neighbors: int = Field(default=4, ge=1)
    """Number of nearest neighbors whose average cosine a pair is compared with, k."""
    threshold: float | None = None
    """Lowest score of extracted pairs. None: the threshold with the best F1 on the set itself is used and printed, and
    metrics are named ``f1_best_threshold`` etc.; this is meant for the training set."""


@dataclass(frozen=True)
class Corpora:
    """Two sets of sentences with ids, and the gold pairs of ids."""

    languages: tuple[str, str]
    texts: MiningSet

    def __len__(self) -> int:
        return len(self.texts.source) + len(self.texts.target)


class Mining(CrossLingualTask):
    """F1, precision and recall of extracted pairs, as LASER and XTREME score BUCC; nothing is trained.

    The ids of repeated sentences cannot be distinguished, so their pairs are not extracted, as in those scorers; their
    gold pairs count as missed. Items are the source sentences.
    """

    name: ClassVar[str] = "mining"
    accepts_causal: ClassVar[bool] = True
    Config: ClassVar[type[TaskConfig]] = MiningConfig
    config: MiningConfig

    def read(
        self, spec: str, *, lenient: bool, dropped: Counter[str], limit: int | None, labeled: bool = True
    ) -> Corpora:
        """Read ``SRC-TGT=PREFIX`` in BUCC's format. ``limit`` is the number of sentences on each side."""
        where = parse_pairs(spec)
        texts = read_mining(where, lenient=lenient, dropped=dropped, labeled=labeled)
        if limit is not None:
            source_ids, target_ids = set(texts.source_ids[:limit]), set(texts.target_ids[:limit])
            texts = replace(
                texts,
                source=texts.source[:limit],
                source_ids=texts.source_ids[:limit],
                target=texts.target[:limit],
                target_ids=texts.target_ids[:limit],
                gold=frozenset((s, t) for s, t in texts.gold if s in source_ids and t in target_ids),
            )
        if not texts.source or not texts.target:
            raise UserError("mining needs sentences on both sides", where=where.path)
        if labeled and not texts.gold:
            hint = "raise --limit" if limit is not None else None
            raise UserError("there are no gold pairs of these sentences to score", where=where.path, hint=hint)
        return Corpora(where.languages, texts)

    def texts_of(self, data: Corpora) -> Iterable[Sequence[str]]:
        """Return every sentence of both sides."""
        return ((text,) for text in (*data.texts.source, *data.texts.target))

    def gold_of(self, data: Corpora) -> Iterable[Sequence[str]]:
        """Return the positions of the sentences of each gold pair."""
        texts = data.texts
        source, target = ({name: k for k, name in enumerate(ids)} for ids in (texts.source_ids, texts.target_ids))
        return ((str(i), str(j)) for i, j in sorted((source[s], target[t]) for s, t in texts.gold))

    def texts_by_language(self, data: Corpora) -> Iterable[tuple[str, Iterable[str]]]:
        """Return both languages with their texts."""
        return zip(data.languages, (data.texts.source, data.texts.target), strict=True)

    def baselines(self, data: Corpora) -> Mapping[str, Mapping[str, float]]:
        """Return the baseline ``chance``: every sentence of the smaller side paired at random."""
        small, large = sorted((len(data.texts.source), len(data.texts.target)))
        right = len(data.texts.gold) / large
        shares = {"f1": 2 * right / (small + len(data.texts.gold)), "precision": right / small, "recall": 1 / large}
        return {"chance": {metric + self._suffix: value for metric, value in shares.items()}}

    def evaluate(self, encoder: Encoder, head: Objective | None, data: Corpora) -> list[Score]:
        """Score F1, precision and recall over the source sentences."""
        layer, direction = resolve_layer(encoder, self.config.layer), "-".join(data.languages)
        rows, _, score, right = self._candidates(encoder, data, layer)
        threshold = self.config.threshold
        if threshold is None:
            threshold = best_threshold(score, right, len(data.texts.gold))
            note = f"{threshold!r} has the best F1 on this set; for the test set: --set task.threshold={threshold!r}"
            note = note if np.isfinite(threshold) else "none, since no candidate is right"
            echo(f"note: threshold for mining {direction}: {note}")
        number = {name: row for row, name in enumerate(data.texts.source_ids)}
        gold_rows = [number[name] for name, _ in data.texts.gold]
        kept = score >= threshold
        items = extraction_items(len(number), rows[kept], right[kept], gold_rows)
        where = Where(layer=layer, pool=self.config.pool, direction=direction)
        return [Score(metric + self._suffix, items[metric], where) for metric in METRICS]

    def best_threshold(self, encoder: Encoder, data: Corpora) -> float:
        """Return the threshold with the best F1 on a set, for use on another; infinity if no candidate is right."""
        _, _, score, right = self._candidates(encoder, data, resolve_layer(encoder, self.config.layer))
        return best_threshold(score, right, len(data.texts.gold))

    def predict(self, encoder: Encoder, head: Objective | None, data: Corpora, path: Path) -> list[Path]:
        """Write the extracted pairs, best first: ``source-id<TAB>target-id``, as in BUCC's gold file.

        Raises:
            UserError: without a threshold.
        """
        if self.config.threshold is None:
            hint = "--set task.threshold=...; paralign evaluate prints the best one for the training set"
            raise UserError("extracting pairs needs a threshold", hint=hint)
        rows, others, score, _ = self._candidates(encoder, data, resolve_layer(encoder, self.config.layer))
        kept = score >= self.config.threshold
        pairs = zip(rows[kept].tolist(), others[kept].tolist(), strict=True)
        write_lines(path, (f"{data.texts.source_ids[i]}\t{data.texts.target_ids[j]}" for i, j in pairs))
        return [path]

    @property
    def _suffix(self) -> str:
        return BEST if self.config.threshold is None else ""

    def _candidates(self, encoder: Encoder, data: Corpora, layer: int) -> tuple[Ints, Ints, Doubles, Booleans]:
        """Return source sentence, target sentence and score of each candidate pair, and whether it is a gold pair."""
        config, texts = self.config, data.texts
        (source, source_row), (target, target_row) = _distinct(texts.source), _distinct(texts.target)
        repeated = int(np.count_nonzero(source_row < 0) + np.count_nonzero(target_row < 0))
        if repeated:
            echo(f"note: {repeated:,} sentences occur more than once and are not extracted")
        a, b = sentence_vectors_of_both(encoder, data.languages, (source, target), (config.pool,), layer)
        mined = mine(a[config.pool], b[config.pool], k=config.neighbors, margin=config.margin, strategy=config.strategy)
        rows, others = source_row[mined.source], target_row[mined.target]
        single = (rows >= 0) & (others >= 0)
        rows, others = rows[single], others[single]
        pairs = zip(rows.tolist(), others.tolist(), strict=True)
        right = np.array([(texts.source_ids[i], texts.target_ids[j]) in texts.gold for i, j in pairs], bool)
        return rows, others, mined.score[single], right


def _distinct(texts: Sequence[str]) -> tuple[list[str], Ints]:
    """Return the distinct texts in order, and the index of each, or -1 if it occurs several times."""
    count = Counter(texts)
    first: dict[str, int] = {}
    for row, text in enumerate(texts):
        first.setdefault(text, row)
    return list(first), np.array([row if count[text] == 1 else -1 for text, row in first.items()], np.int64)
