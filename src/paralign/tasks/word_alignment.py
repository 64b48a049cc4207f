"""Word alignment: error rate of the links found with an encoder's vectors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.formats.links import GoldLinks, Link, read_gold
from paralign.metrics.alignment import alignment_items
from paralign.objectives import Objective
from paralign.results import Where
from paralign.sources.line_numbers import line_count
from paralign.sources.readers import read_pairs
from paralign.sources.smallworld import smallworld_gold
from paralign.sources.specs import check_order, parse_pairs, smallworld_range
from paralign.tasks.base import Score, TaskConfig
from paralign.tasks.cross_lingual import CrossLingualTask
from paralign.text.words import word_spans
from paralign.words.similarity import SimilarityConfig, align_by_similarity
from paralign.words.word_vectors import link_layer

__all__ = ["WordAlignment", "WordAlignmentConfig"]


class WordAlignmentConfig(SimilarityConfig, TaskConfig):
    """Settings, as ``--set task.layer=8``."""

    tokenized: bool = True
    """Whether words are separated by spaces, as in published gold standards."""
    one_based: bool = False
    """Whether words are numbered from 1 in a Pharaoh gold file."""
    flipped: bool = False
    """Whether the target word comes first in the gold file."""


@dataclass(frozen=True)
class Linked:
    """Sentence pairs with gold links."""

    languages: tuple[str, str]
    pairs: list[tuple[str, str]]
    sizes: list[tuple[int, int]]
    gold: list[GoldLinks]
    tokenized: bool

    def __len__(self) -> int:
        return len(self.pairs)


class WordAlignment(CrossLingualTask):
    """Alignment error rate, precision, recall and F1 of links by similarity (Och and Ney 2003); nothing is trained.

    Items are sentence pairs.
    """

    name: ClassVar[str] = "alignment"
    accepts_causal: ClassVar[bool] = True
    Config: ClassVar[type[TaskConfig]] = WordAlignmentConfig
    config: WordAlignmentConfig

    def read(
        self, spec: str, *, lenient: bool, dropped: Counter[str], limit: int | None, labeled: bool = True
    ) -> Linked:
        """Read ``SRC-TGT=SOURCE,TARGET,GOLD``, ``SRC-TGT=PAIRS,GOLD`` with pairs in any format, or ``smallworld``.

        See :func:`paralign.formats.links.read_gold`.
        """
        head, _, path = spec.partition("=")
        indices = smallworld_range(path.strip())
        text, comma, links = path.rpartition(",")
        if indices is None and not comma:
            hint = "write SRC-TGT=SOURCE,TARGET,GOLD, or SRC-TGT=PAIRS,GOLD"
            raise UserError(f"word alignment needs text and its gold links, not only {path!r}", hint=hint)
        where = parse_pairs(spec if indices is not None else f"{head}={text}")
        check_order(where)
        tokenized = self.config.tokenized and indices is None
        try:
            read_items = list(read_pairs(where, lenient=lenient, dropped=dropped, tokenized=tokenized))
        except UserError as error:
            if indices is not None or "," in text:
                raise
            hint = f"{text.strip()} is read as pairs; for two texts, write SRC-TGT=SOURCE,TARGET,GOLD"
            hint = f"{error.hint}; {hint}" if error.hint else hint
            raise UserError(error.message, where=error.where, hint=hint) from None
        pairs = [(pair.source, pair.target) for pair in read_items]
        sizes = [(len(word_spans(a, tokenized=tokenized)), len(word_spans(b, tokenized=tokenized))) for a, b in pairs]
        kept: Sequence[int] = range(len(read_items))
        if lenient and (total := line_count(where)) is not None:
            # The gold links of dropped lines are dropped too.
            line_sizes = [(0, 0)] * total
            kept = [pair.line - 1 for pair in read_items]
            for index, size in zip(kept, sizes, strict=True):
                line_sizes[index] = size
        else:
            line_sizes = sizes
        if indices is None:
            one_based, flipped = self.config.one_based, self.config.flipped
            all_gold = read_gold(
                links.strip(), line_sizes, one_based=one_based, flipped=flipped, lenient=lenient, dropped=dropped
            )
        else:
            all_gold = [GoldLinks(pair_links, pair_links) for pair_links in smallworld_gold(where, indices)]
        gold = [all_gold[index] for index in kept]
        return Linked(where.languages, pairs[:limit], sizes[:limit], gold[:limit], tokenized)

    def texts_of(self, data: Linked) -> Iterable[Sequence[str]]:
        """Return both sentences of each pair."""
        return data.pairs

    def gold_of(self, data: Linked) -> Iterable[Sequence[str]]:
        """Return the sure and the possible links of each pair."""
        for gold in data.gold:
            yield str(sorted(gold.sure)), str(sorted(gold.possible))

    def texts_by_language(self, data: Linked) -> Iterable[tuple[str, Iterable[str]]]:
        """Return both languages with their texts."""
        return zip(data.languages, ([a for a, _ in data.pairs], [b for _, b in data.pairs]), strict=True)

    def baselines(self, data: Linked) -> Mapping[str, Mapping[str, float]]:
        """Return the baseline ``diagonal``: target words are linked with source words at the same relative position."""
        links = [[(i * m // n, i) for i in range(n)] if m else [] for m, n in data.sizes]
        return {"diagonal": {score.metric: score.value for score in _scores(data, links, Where())}}

    def alternatives(self, encoder: Encoder) -> Sequence[Mapping[str, Any]]:
        """Return every layer."""
        return [{"layer": layer} for layer in range(encoder.layers + 1)]

    def evaluate(self, encoder: Encoder, head: Objective | None, data: Linked) -> list[Score]:
        """Score the links by similarity."""
        layer = link_layer(encoder, self.config.layer)
        links = list(
            align_by_similarity(encoder, data.pairs, self.config, tokenized=data.tokenized, languages=data.languages)
        )
        return _scores(data, links, Where(layer=layer))


def _scores(data: Linked, links: Iterable[Sequence[Link]], where: Where) -> list[Score]:
    rows = ((pair_links, gold.sure, gold.possible) for pair_links, gold in zip(links, data.gold, strict=True))
    return [Score(metric, items, where) for metric, items in alignment_items(rows).items()]
