"""Retrieval of twins: ALIGN-MLM's measure of how well the embeddings of pieces and their twins are aligned."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar

import numpy as np

from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.languages import parse_derived
from paralign.metrics.lexicon import precision_items, translation_ranks
from paralign.objectives import Objective
from paralign.results import Where
from paralign.sources.specs import PairSpec, parse_pairs
from paralign.tasks.base import Score, Task

__all__ = ["Twins"]


class Twins(Task):
    """The share of pieces whose nearest neighbor among all twins is their own twin (Tang et al. 2022, section 4).

    Neighbors are found by the cosine of input embeddings, in both directions. Pieces that both languages share, special
    ones and those of an overlap, are not scored. There is no data file: the pieces are those of the encoder.
    """

    name: ClassVar[str] = "twins"
    trains: ClassVar[bool] = False

    def read(
        self, spec: str, *, lenient: bool, dropped: Counter[str], limit: int | None, labeled: bool = True
    ) -> PairSpec:
        """Read ``SRC-TGT=pieces``, where one language is derived from the other by ``trans``.

        Raises:
            UserError: for other languages, and for a limit.
        """
        if limit is not None:
            raise UserError("--limit has no effect on twins: all pieces of the encoder are scored", hint="remove it")
        where = parse_pairs(spec)
        if sum(map(_uses_twins, where.languages)) != 1 or where.path != "pieces":
            message = f"{spec!r} is not a language and one derived from it by trans"
            raise UserError(message, hint="write en-en~trans=pieces")
        return where

    def language(self, data: PairSpec) -> str:
        """Return the derived language."""
        return next(tag for tag in data.languages if _uses_twins(tag))

    def evaluate(self, encoder: Encoder, head: Objective | None, data: PairSpec) -> list[Score]:
        """Score every piece.

        Raises:
            UserError: for an encoder without twins.
        """
        if not encoder.twin_offset:
            hint = "pretrain an encoder on a language with ~trans"
            raise UserError("the encoder has no twin pieces", where=encoder.name, hint=hint)
        ids = encoder.template.ordinary
        derived = parse_derived(self.language(data))
        assert derived is not None
        ids = ids[derived.twin_mask(ids)]
        table = encoder.embeddings.detach().float().cpu().numpy()
        vectors = {data.source: table[ids], data.target: table[ids + encoder.twin_offset]}
        if self.language(data) == data.source:
            vectors = dict(zip(vectors, reversed(vectors.values()), strict=True))
        gold = np.arange(len(ids)).repeat(2).reshape(-1, 2)
        scores = []
        for first, second in ((data.source, data.target), (data.target, data.source)):
            ranks = translation_ranks(vectors[first], vectors[second], gold)
            where = Where(pool="static", direction=f"{first}-{second}")
            scores.append(Score("precision_at_1_cosine", precision_items(ranks, 1), where))
        return scores


def _uses_twins(language: str) -> bool:
    derived = parse_derived(language)
    return derived is not None and derived.uses_twins
