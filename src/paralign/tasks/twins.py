"""Do the static embeddings of pieces and their twins lie together? ALIGN-MLM's measure of alignment."""

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
    """The share of pieces whose nearest neighbour among all twins, by the cosine of embedding rows, is their own (Tang
    et al. 2022, section 4); in both directions. Pieces that both languages share, special ones and those of an overlap,
    do not count.

    Data are a name only, ``en-en~trans+inv=pieces``: the encoder has the pieces.
    """

    name: ClassVar[str] = "twins"
    trains: ClassVar[bool] = False

    def read(
        self, spec: str, *, lenient: bool, dropped: Counter[str], limit: int | None, labeled: bool = True
    ) -> PairSpec:
        """``SRC-TGT=pieces``, of which one is derived by ``trans``."""
        where = parse_pairs(spec)
        twin = [(made := parse_derived(tag)) is not None and made.uses_twins for tag in where.languages]
        if sum(twin) != 1 or where.path != "pieces":
            raise UserError(f"{spec!r} names no language and its twin", hint="write en-en~trans=pieces")
        return where

    def language(self, data: PairSpec) -> str:
        """The derived one."""
        return next(tag for tag in data.languages if (made := parse_derived(tag)) is not None and made.uses_twins)

    def evaluate(self, encoder: Encoder, head: Objective | None, data: PairSpec) -> list[Score]:
        """Hits of every piece.

        Raises:
            UserError: for an encoder without twins.
        """
        if not encoder.twin_offset:
            raise UserError("the encoder has no twin pieces", where=encoder.name, hint="pretrain one with ~trans")
        ids = encoder.template.ordinary
        made = parse_derived(self.language(data))
        assert made is not None
        ids = ids[made.twin_mask(ids)]
        table = encoder.embeddings.detach().float().cpu().numpy()
        halves = {data.source: table[ids], data.target: table[ids + encoder.twin_offset]}
        if self.language(data) == data.source:
            halves = dict(zip(halves, reversed(halves.values()), strict=True))
        own = np.arange(len(ids)).repeat(2).reshape(-1, 2)
        scores = []
        for first, second in ((data.source, data.target), (data.target, data.source)):
            ranks = translation_ranks(halves[first], halves[second], own)
            where = Where(pool="static", direction=f"{first}-{second}")
            scores.append(Score("precision_at_1_cosine", precision_items(ranks, 1), where))
        return scores
