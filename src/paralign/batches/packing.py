"""Rows of several sentences each, for pretraining on plain text."""

from __future__ import annotations

import numpy as np

from paralign.batches.masking import STREAM, mask_view
from paralign.batches.rows import Ints, Part, Template, View, ViewsConfig, assemble_sides
from paralign.batches.views import Records
from paralign.ragged import row_starts

__all__ = ["PackedBatch"]


class PackedBatch:
    """A batch with the single view ``text``: masked rows ``[CLS] A [SEP] B [SEP] ...``.

    Args:
        store: the pieces of plain text.
        sentences: ``[s]`` sentences, row by row.
        keys: ``[s]`` keys of the random numbers: equal for a sentence in every epoch, different for its repetitions
            within one.
        sizes: ``[size]`` number of sentences in each row.
        positions: ``[size]`` positions of the rows in the global batch.
        template: special tokens around sentences.
        config: masking.
        seed: seed of the masks.
        epoch: masks differ between epochs.
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
        """Return the view ``text``.

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
        # Every sentence gets its own prefix and suffix; then all prefixes except the first of each row are removed.
        parts: list[Part] = [prefix, sides, suffix]
        types = (0, 0, 0)
        ids, type_ids, lengths, special = assemble_sides(parts, types, count, self._store.gather)
        inner = np.ones(count, np.bool_)
        inner[self._starts] = False
        begin = row_starts(lengths)[inner]
        keep = np.ones(len(ids), np.bool_)
        keep[(begin[:, None] + np.arange(len(prefix))).ravel()] = False
        lengths = np.add.reduceat(lengths - inner * len(prefix), self._starts)
        none = np.empty(0, np.int64)
        view = View(ids[keep], type_ids[keep], lengths, np.arange(self.size), special[keep], none, none)
        word_starts = None
        if self._config.whole_words:
            places = assemble_sides(parts, types, count, self._store.gather_word_positions)[0] * ~special
            word_starts = np.arange(len(view.ids)) - places[keep]
        # The keys of single sentences are twice the record, as for the first of two sides.
        return mask_view(
            view, self._template, self._config, self.ids * 2, *self._stream, STREAM["text"], word_starts=word_starts
        )
