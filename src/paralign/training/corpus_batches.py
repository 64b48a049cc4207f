"""Batches of a token store."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from paralign.batches.batching import PackedPlan
from paralign.batches.masking import PieceTranslations
from paralign.batches.packing import PackedBatch
from paralign.batches.sections import SectionPlan
from paralign.batches.views import Batch, PairBatch, Template, ViewsConfig
from paralign.corpus.link_store import LinkStore
from paralign.corpus.store import TokenStore
from paralign.errors import UserError
from paralign.ragged import blocks
from paralign.training.config import TrainingConfig

__all__ = ["CorpusBatches"]

Ints = npt.NDArray[np.int64]

_BLOCK = 1 << 20
"""Records whose lengths are read at a time."""


class CorpusBatches:
    """Batches of pairs, of single sentences, or of rows packed with sentences. Views are built on demand.

    Args:
        store: the corpus.
        template: the special tokens that the encoder's tokenizer adds.
        views: settings of masking and shuffling.
        training: batch size, seed, window and temperature.
        longest: maximum number of pieces of a row, special tokens included.
        links: word links of the pairs. None: no objective needs them.
        translations: translations of pieces. None: no objective needs them.

    Raises:
        UserError: if a record is longer than ``longest``, or the corpus is smaller than a batch.
    """

    def __init__(
        self,
        store: TokenStore,
        template: Template,
        views: ViewsConfig,
        training: TrainingConfig,
        *,
        longest: int,
        links: LinkStore | None = None,
        translations: PieceTranslations | None = None,
    ) -> None:
        special_pieces = template.special_pieces(store.sides)
        longest_record = _longest(store, longest - special_pieces) + special_pieces
        if longest_record > longest:
            raise UserError(
                f"the longest record has {longest_record} pieces, the encoder takes {longest}",
                hint=f"set data.max_pieces={longest - special_pieces}; with --corpus, in a new token store",
            )
        order: dict[str, Any] = {
            "batch": training.batch,
            "seed": training.seed,
            "window": training.window,
            "temperature": training.temperature,
        }
        costs = partial(_costs, store, training.temperature != 1.0 or views.pack is not None)
        self._plan: SectionPlan | PackedPlan
        if views.pack is None:
            self._plan = SectionPlan(len(store), costs, shuffle=training.shuffle, **order)
        else:
            if store.sides != 1:
                raise UserError("only plain text can be packed", hint="remove views.pack")
            if views.pack > longest:
                raise UserError(f"views.pack is {views.pack}, the encoder takes {longest} pieces", hint="reduce it")
            added = (len(template.single[0]), len(template.single[1]))
            self._plan = PackedPlan(*costs(0, len(store)), row=views.pack, special_pieces=added, **order)
        self._store, self._template, self._views, self._seed = store, template, views, training.seed
        self._links, self._translations = links, translations
        self.size = training.batch
        self.records = len(store)
        self.steps_per_epoch = self._plan.steps_per_epoch
        self.fingerprint = store.fingerprint

    def batch(self, step: int, part: int = 0, parts: int = 1) -> Batch:
        """Return slice ``part`` of ``parts`` of global batch ``step``: every ``parts``-th record, so that all have
        equal work."""
        return self._batch(step, np.arange(self.size)[part::parts])

    def slices(self, step: int, part: int, parts: int, count: int) -> list[Batch]:
        """Return the records of :meth:`batch` in ``count`` slices of equal size, with little padding in each.

        The pairs of a batch have similar total lengths, so they are sorted by the length of the side in ``first``: then
        both sides have similar lengths within a slice.
        """
        whole = self.batch(step, part, parts)
        if count == 1:
            return [whole]
        positions = whole.positions  # of packed rows: already sorted by length
        if isinstance(whole, PairBatch):
            positions = positions[np.argsort(whole.view("first").lengths, kind="stable")]
        return [self._batch(step, of_slice) for of_slice in np.array_split(positions, count)]

    def _batch(self, step: int, positions: Ints) -> Batch:
        """Return the records at some positions of a global batch."""
        epoch = step // self.steps_per_epoch  # negative steps belong to epochs that training never reaches
        if isinstance(self._plan, PackedPlan):
            sentences, rounds, sizes = self._plan.rows(step, positions)
            return PackedBatch(
                self._store,
                sentences,
                sentences + rounds * self.records,
                sizes,
                positions,
                template=self._template,
                config=self._views,
                seed=self._seed,
                epoch=epoch,
            )
        records = self._plan.records(step)[positions]
        return PairBatch(
            self._store,
            records,
            positions,
            template=self._template,
            config=self._views,
            seed=self._seed,
            epoch=epoch,
            keys=records + self._plan.rounds(step)[positions] * self.records,
            links=self._links,
            translations=self._translations,
        )


def _costs(
    store: TokenStore, groups: bool, start: int, stop: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Return lengths in pieces and language pairs of a range of records; without ``groups`` all pairs are 0."""
    parts = blocks(start, stop, _BLOCK)
    lengths = np.concatenate([store.lengths_of(*part).sum(1, dtype=np.int32) for part in parts])
    if not groups:
        return lengths, np.broadcast_to(np.zeros((), np.int32), len(lengths))
    factors = 256 ** np.arange(store.sides, dtype=np.int32)
    return lengths, np.concatenate([store.languages_of(*part).astype(np.int32) @ factors for part in parts])


def _longest(store: TokenStore, limit: int) -> int:
    """Return the pieces of the longest record, or an upper bound that is not above ``limit``."""
    bound = int(store.meta["filter"]["max_pieces"])
    if bound <= limit:
        return bound
    return max(int(store.lengths_of(*part).sum(1).max()) for part in blocks(0, len(store), _BLOCK))
