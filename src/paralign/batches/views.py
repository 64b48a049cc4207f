"""The views of a batch that objectives can read, as ragged arrays without padding.

``joint``: both sides concatenated and masked · ``pair``: the same rows, unmasked · ``first``, ``second``: single sides,
unmasked, in the order that a coin decided · ``text``: single sides, masked · ``translated``: the same, with some pieces
replaced by translations · ``example``: the rows of a task. Masks and coins are functions of (seed, epoch, pair id), so
they do not depend on how a batch is sliced.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from paralign.batches.masking import STREAM, PieceTranslations, mask_view, translate_view
from paralign.batches.rows import Ints, Part, Template, View, ViewsConfig, assemble_sides, take_rows
from paralign.corpus.link_store import LinkedWords, LinkStore, locate_linked_pieces
from paralign.corpus.store import TokenStore
from paralign.errors import UserError
from paralign.ragged import row_positions, row_starts
from paralign.rng import uniform
from paralign.text.words import word_spans

__all__ = [
    "PAIR_VIEWS",
    "Batch",
    "PairBatch",
    "Records",
    "Template",
    "View",
    "ViewsConfig",
    "check_all_joint",
    "linked_words",
    "take_rows",
]

PAIR_VIEWS = ("joint", "pair", "second")
"""Views that plain text does not have."""
_COIN, _JOINT = 11, 18
_EMPTY = np.empty(0, np.int64)


class Batch(Protocol):
    """A slice of a global batch, with views by name."""

    size: int
    """Records in this slice."""
    positions: Ints
    """``[size]`` positions of the slice's records in the global batch."""
    ids: Ints
    """``[size]`` identity of each record, equal for the same pair in every epoch."""

    def view(self, name: str) -> View:
        """Return a view; the same object at every call."""
        ...


class Records(Protocol):
    """The source of views: the token store, or another class that gathers pieces."""

    sides: int

    def gather(self, records: Ints, sides: Ints) -> tuple[npt.NDArray[np.integer], npt.NDArray[np.integer]]:
        """Return the pieces of the given sides, concatenated, and their lengths."""
        ...

    def gather_word_positions(
        self, records: Ints, sides: Ints
    ) -> tuple[npt.NDArray[np.integer], npt.NDArray[np.integer]]:
        """Like ``gather``, but return the position of each piece in its word: 0 for the first."""
        ...


class PairBatch:
    """Views of records of a store, built on first use.

    Args:
        store: the pieces.
        records: ``[size]`` records of this slice.
        positions: ``[size]`` their positions in the global batch.
        template: special tokens around sentences.
        config: masking and shuffling.
        seed: seed of masks and coins.
        epoch: masks and coins differ between epochs.
        keys: ``[size]`` keys of the random numbers, for records that may repeat within an epoch; by default
            ``records``.
        links: word links of the store; ``None`` if no objective needs them.
        translations: dictionary of pieces for the view ``translated``; ``None`` if no objective needs it.
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
        translations: PieceTranslations | None = None,
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
        """Return a view.

        Raises:
            KeyError: for an unknown name.
            UserError: for plain text without the view, or without the dictionary that ``translated`` needs.
        """
        if name not in self._views:
            self._views[name] = self._make(name)
        return self._views[name]

    @property
    def languages(self) -> list[str]:
        """Languages of the whole corpus."""
        assert isinstance(self._store, TokenStore)
        return self._store.languages

    def in_language(self, name: str, language: str) -> npt.NDArray[np.bool_]:
        """Return whether the side in a view is in a language, bool ``[size]``.

        Args:
            name: ``first`` or ``second``.
            language: canonical tag.
        """
        assert isinstance(self._store, TokenStore)
        side = self._side(name)
        index = self.languages.index(language) if language in self.languages else -1
        result: npt.NDArray[np.bool_] = self._store.language_at(self.ids, side) == index
        return result

    def _side(self, name: str) -> Ints:
        """Return the side of the store in the view ``first`` or ``second``, ``[size]``."""
        return self.swapped if name == "first" else 1 - self.swapped

    def words(self, name: str) -> Ints:
        """Return the word of each piece of ``first`` or ``second`` but specials, numbered from 0 in its sentence.

        Words are those of the links, if there are any. It is the first word that the piece overlaps; -1 for none.
        """
        assert isinstance(self._store, TokenStore)
        side = self._side(name)
        if self._links is None:
            return self._store.gather_words(self.ids, side)[0]
        return self._links.words(self._store.piece_positions(self.ids, side)[0])[:, 0]

    def texts(self, name: str) -> list[str]:
        """Return the sentences of the view ``first`` or ``second``."""
        assert isinstance(self._store, TokenStore)
        return [self._store.text(*where) for where in zip(self.ids.tolist(), self._side(name).tolist(), strict=True)]

    def word_links(self, position: int) -> list[tuple[str, str]] | None:
        """Return the linked words of a record of the slice (first side of the store, second side).

        Args:
            position: of the record in the slice.

        Returns:
            ``None`` without links.
        """
        if self._links is None or not isinstance(self._store, TokenStore):
            return None
        record, tokenized = int(self.ids[position]), bool(self._links.meta["tokenized"])
        texts = [self._store.text(record, side) for side in (0, 1)]
        words = [[text[a:b] for a, b in word_spans(text, tokenized=tokenized)] for text in texts]
        pairs, _ = self._links.links(self.ids[position : position + 1])
        return [(words[0][i], words[1][j]) for i, j in pairs.tolist()]

    def linked_words(self, first: str, second: str) -> LinkedWords:
        """Return the pieces of linked words, in ``joint`` (given twice) or in ``first`` and ``second``.

        In ``joint``, the first word is that of the store's first side, otherwise that of the side in ``first``.

        Args:
            first, second: the views that contain the first and the second word.

        Raises:
            UserError: without links.
        """
        if (first, second) not in self._linked:
            self._linked[first, second] = self._compute_linked_words(first, second)
        return self._linked[first, second]

    def _compute_linked_words(self, first: str, second: str) -> LinkedWords:
        if self._links is None or not isinstance(self._store, TokenStore):
            raise UserError("the objective needs word links", hint="paralign align computes them")
        joint = first == second == "joint"
        if joint:
            check_all_joint(self._config)
        sides = (np.zeros(self.size, np.int64), np.ones(self.size, np.int64))
        if not joint:
            sides = (self.swapped, 1 - self.swapped)
        pieces, lengths = zip(*(self._store.piece_positions(self.ids, side) for side in sides), strict=True)
        prefix, *rest = map(len, self._template.pair if joint else self._template.single)
        begins = []
        for side in (0, 1):
            rows = sum(lengths) + prefix + sum(rest) if joint else lengths[side] + prefix + sum(rest)
            before = np.where(self.swapped == side, 0, lengths[1 - side] + rest[0]) if joint else 0
            begins.append(row_starts(rows) + prefix + before)
        pairs, counts = self._links.links(self.ids)
        if not joint:
            pairs = np.where(np.repeat(self.swapped, counts)[:, None] == 1, pairs[:, ::-1], pairs)
        words = (self._links.words(pieces[0]), self._links.words(pieces[1]))
        return locate_linked_pieces((pairs, counts), words, (lengths[0], lengths[1]), (begins[0], begins[1]))

    def _make(self, name: str) -> View:
        first, second = self.swapped, 1 - self.swapped
        if name in PAIR_VIEWS and self._store.sides < 2:
            raise UserError(f"plain text has no view {name!r}", hint="use pairs: --pairs SRC-TGT=PATH")
        rows = np.arange(self.size)
        if name in ("joint", "pair"):
            chosen = rows
            if self._config.joint_share < 1:
                chosen = np.flatnonzero(uniform(*self._stream, _JOINT, self._keys) < self._config.joint_share)
            view, word_starts = self._joint(chosen, first[chosen], second[chosen])
            return view if name == "pair" else self._masked(name, self._keys[chosen], view, word_starts)
        if name in ("text", "translated"):
            sides = np.arange(self._store.sides)
            rows, chosen = np.repeat(rows, len(sides)), np.tile(sides, self.size)
            return self._masked(name, self._keys[rows] * 2 + chosen, *self._single(self.ids[rows], chosen, rows))
        if name in ("first", "second"):
            return self._single(self.ids, first if name == "first" else second, rows)[0]
        raise KeyError(f"pairs have no view {name!r}")

    def _masked(self, name: str, keys: Ints, view: View, word_starts: Ints | None) -> View:
        apart = (
            self.linked_words("joint", "joint").pieces() if name == "joint" and self._config.avoid_double_mask else None
        )
        stream = (*self._stream, STREAM[name])
        masked = mask_view(view, self._template, self._config, keys, *stream, word_starts=word_starts, apart=apart)
        if name != "translated":
            return masked
        if self._translations is None:
            raise UserError("the objective needs a dictionary", hint="use --dictionary SRC-TGT=PATH")
        return translate_view(masked, self._translations, self._template, self._config, keys, *stream)

    def _single(self, records: Ints, sides: Ints, rows: Ints) -> tuple[View, Ints | None]:
        prefix, suffix = self._template.single
        return self._assemble([prefix, (records, sides), suffix], (0, 0, 0), rows)

    def _joint(self, rows: Ints, first: Ints, second: Ints) -> tuple[View, Ints | None]:
        prefix, middle, suffix = self._template.pair
        records = self.ids[rows]
        parts: list[Part] = [prefix, (records, first), middle, (records, second), suffix]
        types: Sequence[int | Ints] = self._template.pair_types
        if self._config.language_types:
            a, b = self._language_types(records, first), self._language_types(records, second)
            types = (a, a, a, b, b)
        view, word_starts = self._assemble(parts, types, rows)
        if self._config.restart_positions:
            assert isinstance(self._store, TokenStore)
            before = len(prefix) + self._store.piece_positions(records, first)[1] + len(middle)
            positions = row_positions(view.lengths)
            shift = np.repeat(before, view.lengths)
            view = replace(view, positions=np.where(positions >= shift, positions - shift, positions))
        return view, word_starts

    def _language_types(self, records: Ints, sides: Ints) -> Ints:
        """Return the token types that denote languages.

        Raises:
            UserError: for more than two languages, or an encoder without token types.
        """
        assert isinstance(self._store, TokenStore)
        if len(self.languages) > 2 or not any(self._template.pair_types):
            what = "an encoder without token types" if len(self.languages) <= 2 else f"{len(self.languages)} languages"
            hint = "remove it: it needs two languages and two token types"
            raise UserError(f"views.language_types cannot be used with {what}", hint=hint)
        return self._store.language_at(records, sides)

    def _assemble(self, parts: Sequence[Part], types: Sequence[int | Ints], rows: Ints) -> tuple[View, Ints | None]:
        ids, types_of_pieces, lengths, special = assemble_sides(parts, types, len(rows), self._store.gather)
        word_starts = None
        if self._config.whole_words:
            word_starts = (
                np.arange(len(ids))
                - assemble_sides(parts, types, len(rows), self._store.gather_word_positions)[0] * ~special
            )
        return View(ids, types_of_pieces, lengths, rows, special, _EMPTY, _EMPTY), word_starts


def check_all_joint(config: ViewsConfig) -> None:
    """Check that the view ``joint`` has all pairs, as word links in it need.

    Raises:
        UserError: if it has a share of them.
    """
    if config.joint_share < 1:
        message = "views.joint_share below 1 cannot be combined with word links between concatenated sentences"
        raise UserError(message, hint="remove views.joint_share")


def linked_words(batch: Batch, first: str, second: str) -> LinkedWords:
    """Return the pieces of linked words of a batch; see :meth:`PairBatch.linked_words`.

    Raises:
        UserError: for a batch of other records than pairs.
    """
    if not isinstance(batch, PairBatch):
        raise UserError("the objective needs pairs with word links", hint="paralign align --pairs")
    return batch.linked_words(first, second)
