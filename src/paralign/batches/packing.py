"""Rows of several sentences each: what pretraining on plain text reads."""

from __future__ import annotations

import numpy as np

from paralign.batches.masking import STREAM, mask_view
from paralign.batches.rows import Ints, Part, Template, View, ViewsConfig, dress
from paralign.batches.views import Records
from paralign.ragged import row_starts

__all__ = ["PackedBatch"]


class PackedBatch:
    """The masked view ``text`` of rows ``[CLS] A [SEP] B [SEP] ...``; it has no other.

    Args:
        store: where pieces come from; plain text.
        sentences: [s] sentences, row by row.
        keys: [s] what draws go by: equal for a sentence in every epoch, different for its repetitions within one.
        sizes: [size] sentences in each row.
        positions: [size] places of the rows in the global batch.
        template: how the tokenizer dresses sentences.
        config: masking.
        seed: of masks.
        epoch: masks are redrawn each epoch.
    """

    def __init__(
        self,
        store: Records,
        sentences: Ints,
        keys: Ints,
        sizes: Ints,
        positions: Ints,
        *,
        template: Template,
        config: ViewsConfig,
        seed: int,
        epoch: int,
    ) -> None:
        self.size = len(sizes)
        self.positions = positions
        self._starts = row_starts(sizes)
        self.ids = keys[self._starts]
        self._store, self._sentences, self._template, self._config = store, sentences, template, config
        self._stream = (seed, epoch)
        self._view: View | None = None

    def view(self, name: str) -> View:
        """The view ``text``.

        Raises:
            KeyError: for any other name.
        """
        if name != "text":
            raise KeyError(f"packed text has no view {name!r}")
        if self._view is None:
            self._view = self._make()
        return self._view

    def _make(self) -> View:
        prefix, suffix = self._template.single
        count = len(self._sentences)
        sides = (self._sentences, np.zeros(count, np.int64))
        # Every sentence is dressed as if it stood alone; then all prefixes but each row's first are taken out.
        parts: list[Part] = [prefix, sides, suffix]
        types = (0, 0, 0)
        ids, kinds, lengths, special = dress(parts, types, count, self._store.gather)
        inner = np.ones(count, np.bool_)
        inner[self._starts] = False
        begin = row_starts(lengths)[inner]
        keep = np.ones(len(ids), np.bool_)
        keep[(begin[:, None] + np.arange(len(prefix))).ravel()] = False
        lengths = np.add.reduceat(lengths - inner * len(prefix), self._starts)
        none = np.empty(0, np.int64)
        view = View(ids[keep], kinds[keep], lengths, np.arange(self.size), special[keep], none, none)
        heads = None
        if self._config.whole_words:
            places = dress(parts, types, count, self._store.gather_word_places)[0] * ~special
            heads = np.arange(len(view.ids)) - places[keep]
        # The keys of single sentences: twice the record, as with one side of two.
        return mask_view(view, self._template, self._config, self.ids * 2, *self._stream, STREAM["text"], heads=heads)
