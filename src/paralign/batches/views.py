"""The views of a batch: what an objective may ask to be encoded, as ragged arrays without padding.

``joint``: both sides concatenated and masked · ``first``, ``second``: single sides, unmasked, in the order the coin
gave · ``text``: single sides, masked · ``translated``: the same, some masked pieces replaced by translations ·
``example``: a task's own. Masks and coins are drawn from (seed, epoch, pair id), so they do not depend on how a batch
is sliced.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from paralign.batches.masking import STREAM, Translations, mask_view, translate_view
from paralign.batches.rows import Ints, Part, Template, View, ViewsConfig, dress, take_rows
from paralign.corpus.link_store import LinkedWords, LinkStore, linked_pieces
from paralign.corpus.store import TokenStore
from paralign.errors import UserError
from paralign.ragged import row_positions, row_starts
from paralign.rng import uniform
from paralign.text.words import word_spans

__all__ = ["Batch", "PairBatch", "Records", "Template", "View", "ViewsConfig", "linked_words", "take_rows"]

_COIN, _JOINT = 11, 18
_NONE = np.empty(0, np.int64)


class Batch(Protocol):
    """A slice of a global batch: hands out views by name."""

    size: int
    """Records in this slice."""
    positions: Ints
    """[size] places of the slice's records in the global batch."""
    ids: Ints
    """[size] an identity per record: equal for the same pair in any epoch."""

    def view(self, name: str) -> View:
        """The named view; the same object at every call."""
        ...


class Records(Protocol):
    """What views are made from: the token store, or anything that gathers pieces like it."""

    sides: int

    def gather(self, records: Ints, sides: Ints) -> tuple[npt.NDArray[np.integer], npt.NDArray[np.integer]]:
        """Pieces of the given sides laid end to end, and their lengths."""
        ...

    def gather_word_places(self, records: Ints, sides: Ints) -> tuple[npt.NDArray[np.integer], npt.NDArray[np.integer]]:
        """As ``gather``, for the place of each piece within its word: 0 for the first."""
        ...


class PairBatch:
    """Views over records of a store, made when first asked for.

    Args:
        store: where pieces come from.
        records: [size] records of this slice.
        positions: [size] their places in the global batch.
        template: how the tokenizer dresses sentences.
        config: masking and shuffling.
        seed: of masks and coins.
        epoch: masks and coins are redrawn each epoch.
        keys: [size] what draws go by, where a record may come twice in an epoch; ``records`` by default.
        links: word links of the store.
        translations: of pieces, for the view ``translated``.
    """

    def __init__(
        self,
        store: Records,
        records: Ints,
        positions: Ints,
        *,
        template: Template,
        config: ViewsConfig,
        seed: int,
        epoch: int,
        keys: Ints | None = None,
        links: LinkStore | None = None,
        translations: Translations | None = None,
    ) -> None:
        self._links, self._translations = links, translations
        self.size = len(records)
        self.positions = positions
        self.ids = records
        self._keys = records if keys is None else keys
        self._store, self._template, self._config = store, template, config
        self._stream = (seed, epoch)
        self._views: dict[str, View] = {}
        self._linked: dict[tuple[str, str], LinkedWords] = {}
        self.swapped = np.zeros(self.size, np.int64)
        if config.shuffle and store.sides == 2:
            self.swapped = (uniform(seed, epoch, _COIN, self._keys) < 0.5).astype(np.int64)

    def view(self, name: str) -> View:
        """The named view.

        Raises:
            KeyError: for a name this batch does not have.
        """
        if name not in self._views:
            self._views[name] = self._make(name)
        return self._views[name]

    @property
    def languages(self) -> list[str]:
        """Those of the whole corpus."""
        assert isinstance(self._store, TokenStore)
        return self._store.languages

    def speaks(self, name: str, language: str) -> npt.NDArray[np.bool_]:
        """[size] whether the side in ``first`` or ``second`` is in a language."""
        assert isinstance(self._store, TokenStore)
        side = self.swapped if name == "first" else 1 - self.swapped
        wanted = self.languages.index(language) if language in self.languages else -1
        found: npt.NDArray[np.bool_] = self._store.language[self.ids, side].astype(np.int64) == wanted
        return found

    def word_links(self, place: int) -> list[tuple[str, str]] | None:
        """The linked words of a record of the slice, the store's first side first; ``None`` without links."""
        if self._links is None or not isinstance(self._store, TokenStore):
            return None
        record, tokenised = int(self.ids[place]), bool(self._links.meta["tokenised"])
        texts = [self._store.text(record, side) for side in (0, 1)]
        words = [[text[a:b] for a, b in word_spans(text, tokenised=tokenised)] for text in texts]
        pairs, _ = self._links.links(self.ids[place : place + 1])
        return [(words[0][i], words[1][j]) for i, j in pairs.tolist()]

    def linked(self, first: str, second: str) -> LinkedWords:
        """The linked words, as pieces of ``joint`` twice (both sides stand in it) or of ``first`` and ``second``.

        In ``joint`` the first word is that of the store's first side, otherwise that of the side in ``first``.

        Raises:
            UserError: without links.
        """
        if (first, second) not in self._linked:
            self._linked[first, second] = self._find_linked(first, second)
        return self._linked[first, second]

    def _find_linked(self, first: str, second: str) -> LinkedWords:
        if self._links is None or not isinstance(self._store, TokenStore):
            raise UserError("the objective needs word links", hint="paralign align makes them")
        joint = first == second == "joint"
        if joint and self._config.joint_share < 1:
            raise UserError("word links need all pairs side by side", hint="leave views.joint_share out")
        sides = (np.zeros(self.size, np.int64), np.ones(self.size, np.int64))
        if not joint:
            sides = (self.swapped, 1 - self.swapped)
        places, lengths = zip(*(self._store.places(self.ids, side) for side in sides), strict=True)
        prefix, *rest = map(len, self._template.pair if joint else self._template.single)
        begins = []
        for side in (0, 1):
            rows = sum(lengths) + prefix + sum(rest) if joint else lengths[side] + prefix + sum(rest)
            before = np.where(self.swapped == side, 0, lengths[1 - side] + rest[0]) if joint else 0
            begins.append(row_starts(rows) + prefix + before)
        pairs, counts = self._links.links(self.ids)
        if not joint:
            pairs = np.where(np.repeat(self.swapped, counts)[:, None] == 1, pairs[:, ::-1], pairs)
        words = (self._links.words(places[0]), self._links.words(places[1]))
        return linked_pieces((pairs, counts), words, (lengths[0], lengths[1]), (begins[0], begins[1]))

    def _make(self, name: str) -> View:
        first, second = self.swapped, 1 - self.swapped
        if name in ("joint", "second") and self._store.sides < 2:
            raise UserError(f"plain text has no view {name!r}", hint="give pairs: --pairs SRC-TGT=PATH")
        rows = np.arange(self.size)
        if name == "joint":
            chosen = rows
            if self._config.joint_share < 1:
                chosen = np.flatnonzero(uniform(*self._stream, _JOINT, self._keys) < self._config.joint_share)
            return self._masked(name, self._keys[chosen], *self._joint(chosen, first[chosen], second[chosen]))
        if name in ("text", "translated"):
            sides = np.arange(self._store.sides)
            rows, chosen = np.repeat(rows, len(sides)), np.tile(sides, self.size)
            return self._masked(name, self._keys[rows] * 2 + chosen, *self._single(self.ids[rows], chosen, rows))
        if name in ("first", "second"):
            return self._single(self.ids, first if name == "first" else second, rows)[0]
        raise KeyError(f"pairs have no view {name!r}")

    def _masked(self, name: str, keys: Ints, view: View, heads: Ints | None) -> View:
        apart = self.linked("joint", "joint").pieces() if name == "joint" and self._config.avoid_double_mask else None
        stream = (*self._stream, STREAM[name])
        made = mask_view(view, self._template, self._config, keys, *stream, heads=heads, apart=apart)
        if name != "translated":
            return made
        if self._translations is None:
            raise UserError("the objective needs a dictionary", hint="give --dictionary SRC-TGT=PATH")
        return translate_view(made, self._translations, self._template, self._config, keys, *stream)

    def _single(self, records: Ints, sides: Ints, rows: Ints) -> tuple[View, Ints | None]:
        prefix, suffix = self._template.single
        return self._dress([prefix, (records, sides), suffix], (0, 0, 0), rows)

    def _joint(self, rows: Ints, first: Ints, second: Ints) -> tuple[View, Ints | None]:
        prefix, middle, suffix = self._template.pair
        records = self.ids[rows]
        parts: list[Part] = [prefix, (records, first), middle, (records, second), suffix]
        types: Sequence[int | Ints] = self._template.pair_types
        if self._config.language_types:
            a, b = self._kinds(records, first), self._kinds(records, second)
            types = (a, a, a, b, b)
        view, heads = self._dress(parts, types, rows)
        if self._config.restart_positions:
            assert isinstance(self._store, TokenStore)
            before = len(prefix) + self._store.places(records, first)[1] + len(middle)
            place = row_positions(view.lengths)
            shift = np.repeat(before, view.lengths)
            view = replace(view, positions=np.where(place >= shift, place - shift, place))
        return view, heads

    def _kinds(self, records: Ints, sides: Ints) -> Ints:
        """Token types by language.

        Raises:
            UserError: for more than two, or an encoder whose types do not tell sentences apart.
        """
        assert isinstance(self._store, TokenStore)
        if len(self.languages) > 2 or not any(self._template.pair_types):
            what = "an encoder without token types" if len(self.languages) <= 2 else f"{len(self.languages)} languages"
            raise UserError(f"views.language_types with {what}", hint="leave it out: it needs two of each")
        return self._store.language[records, sides].astype(np.int64)

    def _dress(self, parts: Sequence[Part], types: Sequence[int | Ints], rows: Ints) -> tuple[View, Ints | None]:
        ids, kinds, lengths, special = dress(parts, types, len(rows), self._store.gather)
        heads = None
        if self._config.whole_words:
            heads = np.arange(len(ids)) - dress(parts, types, len(rows), self._store.gather_word_places)[0] * ~special
        return View(ids, kinds, lengths, rows, special, _NONE, _NONE), heads


def linked_words(batch: Batch, first: str, second: str) -> LinkedWords:
    """:meth:`PairBatch.linked` of any batch.

    Raises:
        UserError: for a batch of anything but pairs.
    """
    if not isinstance(batch, PairBatch):
        raise UserError("the objective needs pairs with word links", hint="paralign align --pairs")
    return batch.linked(first, second)
