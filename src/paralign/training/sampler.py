"""Global batches of a token store, as the loop asks for them."""

from __future__ import annotations

import numpy as np

from paralign.errors import UserError
from paralign.text import TokenStore
from paralign.text.batching import BatchPlan
from paralign.text.views import Batch, PairBatch, Template, ViewsConfig
from paralign.training.config import TrainingConfig

__all__ = ["CorpusBatches"]


class CorpusBatches:
    """Batches of pairs (or of single sentences) whose views are made on demand.

    Args:
        store: the corpus.
        template: how the encoder's tokenizer dresses sentences.
        views: masking and shuffling.
        training: batch size, seed, window and temperature.
        longest: the longest row the encoder takes, specials included.

    Raises:
        UserError: if a pair is longer than that, or the corpus smaller than a batch.
    """

    def __init__(
        self,
        store: TokenStore,
        template: Template,
        views: ViewsConfig,
        training: TrainingConfig,
        *,
        longest: int,
    ) -> None:
        lengths = store.lengths.sum(1)
        dress = sum(map(len, template.pair if store.sides == 2 else template.single))
        worst = int(lengths.max()) + dress
        if worst > longest:
            raise UserError(
                f"the longest record has {worst} pieces, the encoder takes {longest}",
                mend=f"set data.max_pieces={longest - dress}",
            )
        groups = store.language.astype(np.int64) @ (256 ** np.arange(store.sides))
        self._plan = BatchPlan(
            lengths,
            groups,
            batch=training.batch,
            seed=training.seed,
            window=training.window,
            temperature=training.temperature,
        )
        self._store, self._template, self._views, self._seed = store, template, views, training.seed
        self.size = training.batch
        self.records = len(store)
        self.steps_per_epoch = self._plan.steps_per_epoch
        self.fingerprint = store.fingerprint

    def batch(self, step: int, part: int = 0, parts: int = 1) -> Batch:
        """Slice ``part`` of ``parts`` of global batch ``step``: every ``parts``-th record, so that slices are alike
        in length."""
        return PairBatch(
            self._store,
            self._plan.records(step)[part::parts],
            np.arange(self.size)[part::parts],
            template=self._template,
            config=self._views,
            seed=self._seed,
            epoch=self._plan.epoch_of(step),
        )
