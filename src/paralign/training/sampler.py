"""Batches of a token store."""

from __future__ import annotations

from typing import Any

import numpy as np

from paralign.batches.batching import BatchPlan, PackedPlan
from paralign.batches.masking import PieceTranslations
from paralign.batches.packing import PackedBatch
from paralign.batches.views import Batch, PairBatch, Template, ViewsConfig
from paralign.corpus.link_store import LinkStore
from paralign.corpus.store import TokenStore
from paralign.errors import UserError
from paralign.training.config import TrainingConfig

__all__ = ["CorpusBatches"]


class CorpusBatches:
    """Batches of pairs, of single sentences, or of rows packed with sentences. Views are built on demand.

    Args:
        store: the corpus.
        template: the special pieces that the encoder's tokenizer adds.
        views: settings of masking and shuffling.
        training: batch size, seed, window and temperature.
        longest: maximum number of pieces of a row, special pieces included.
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
        lengths = store.lengths.sum(1, dtype=np.int32)
        special_pieces = sum(map(len, template.pair if store.sides == 2 else template.single))
        longest_record = int(lengths.max()) + special_pieces
        if longest_record > longest:
            raise UserError(
                f"the longest record has {longest_record} pieces, the encoder takes {longest}",
                hint=f"set data.max_pieces={longest - special_pieces}",
            )
        groups = store.language.astype(np.int32) @ (256 ** np.arange(store.sides, dtype=np.int32))
        order: dict[str, Any] = {
            "batch": training.batch,
            "seed": training.seed,
            "window": training.window,
            "temperature": training.temperature,
        }
        self._plan: BatchPlan | PackedPlan
        if views.pack is None:
            self._plan = BatchPlan(lengths, groups, **order)
        else:
            if store.sides != 1:
                raise UserError("only plain text can be packed", hint="remove views.pack")
            if views.pack > longest:
                raise UserError(f"views.pack is {views.pack}, the encoder takes {longest} pieces", hint="reduce it")
            added = (len(template.single[0]), len(template.single[1]))
            self._plan = PackedPlan(lengths, groups, row=views.pack, special_pieces=added, **order)
        self._store, self._template, self._views, self._seed = store, template, views, training.seed
        self._links, self._translations = links, translations
        self.size = training.batch
        self.records = len(store)
        self.steps_per_epoch = self._plan.steps_per_epoch
        self.fingerprint = store.fingerprint

    def batch(self, step: int, part: int = 0, parts: int = 1) -> Batch:
        """Return slice ``part`` of ``parts`` of global batch ``step``: every ``parts``-th record, so that slices have
        similar lengths."""
        positions = np.arange(self.size)[part::parts]
        epoch = self._plan.epoch_of(step)
        if isinstance(self._plan, PackedPlan):
            sentences, rounds, sizes = self._plan.rows(step, part, parts)
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
        records = self._plan.records(step)[part::parts]
        return PairBatch(
            self._store,
            records,
            positions,
            template=self._template,
            config=self._views,
            seed=self._seed,
            epoch=epoch,
            keys=records + self._plan.rounds(step)[part::parts] * self.records,
            links=self._links,
            translations=self._translations,
        )
