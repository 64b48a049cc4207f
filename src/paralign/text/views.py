"""The views of a batch: what an objective may ask to be encoded, as ragged arrays without padding.

``joint``: both sides concatenated and masked · ``first``, ``second``: single sides, unmasked, in the order the coin
gave · ``text``: single sides, masked · ``example``: a task's own. Masks and coins are drawn from
(seed, epoch, pair id), so they do not depend on how a batch is sliced.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, TypeGuard

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from paralign.config import Config
from paralign.errors import UserError
from paralign.text.draws import draw, uniform
from paralign.text.linked import LinkedWords, LinkStore, linked_pieces
from paralign.text.ragged import stretches
from paralign.text.store import TokenStore

__all__ = [
    "Batch",
    "PairBatch",
    "Records",
    "Template",
    "View",
    "ViewsConfig",
    "assemble",
    "dress",
    "linked_words",
    "mask_view",
    "take_rows",
]

Ints = npt.NDArray[np.int64]
_COIN, _SELECT, _REPLACE, _RANDOM, _APART = 11, 12, 13, 14, 15
STREAM = {"joint": 0, "text": 1}


class ViewsConfig(Config):
    """How views are made from pairs (METHODS of PPA, Pan et al. 2021, sections 2.1 and 2.2)."""

    shuffle: bool = True
    """Flip a coin per pair and epoch for which side comes first (off is the −shuffling ablation)."""
    mask_probability: float = Field(default=0.15, gt=0, lt=1)
    """Each piece is selected independently with this probability."""
    mask_share: float = Field(default=0.8, ge=0, le=1)
    """Share of selected pieces replaced by the mask token."""
    random_share: float = Field(default=0.1, ge=0, le=1)
    """Share of selected pieces replaced by a random non-special piece; the rest stay."""
    whole_words: bool = False
    """Select words instead of pieces, each with that probability: all pieces of a word or none."""
    avoid_double_mask: bool = False
    """Of linked pieces of a pair that are both selected leave one alone (AlignLM, Yang et al. 2021; needs links)."""
    pack: int | None = Field(default=None, ge=8)
    """Plain text only: sentences of one language are laid end to end into rows of at most so many pieces, specials
    included, in an order drawn anew every epoch. ``training.batch`` then counts rows."""

    @model_validator(mode="after")
    def _shares(self) -> ViewsConfig:
        if self.mask_share + self.random_share > 1:
            raise ValueError("mask_share and random_share add up to more than 1")
        return self


@dataclass(frozen=True)
class Template:
    """How a tokenizer dresses sentences, read once by probing it.

    ``single``: prefix and suffix around one sentence; ``pair``: prefix, middle, suffix around two.
    ``pair_types``: the token type of (prefix, first, middle, second, suffix), all 0 where the model has no types.
    """

    single: tuple[tuple[int, ...], tuple[int, ...]]
    pair: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
    pair_types: tuple[int, int, int, int, int]
    mask_id: int
    pad_id: int
    special_ids: tuple[int, ...]
    vocabulary: int
    twins: int = 0
    """What a piece and its twin differ by, where each has one (languages derived by ``trans``)."""

    @cached_property
    def ordinary(self) -> Ints:
        """All ids that are neither special nor twins: what random replacements are drawn from."""
        return np.setdiff1d(np.arange(self.vocabulary - self.twins), np.asarray(self.special_ids))


@dataclass(frozen=True)
class View:
    """Rows of piece ids, laid end to end.

    Attributes:
        ids: [T] piece ids as the encoder reads them (after masking).
        types: [T] token types.
        lengths: [B] pieces in each row, specials included.
        rows: [B] position in the batch of the record each row comes from.
        special: [T] True where the piece belongs to the template.
        masked: [M] positions in ``ids`` to be predicted.
        labels: [M] the pieces that stood there.
    """

    ids: Ints
    types: Ints
    lengths: Ints
    rows: Ints
    special: npt.NDArray[np.bool_]
    masked: Ints
    labels: Ints

    @cached_property
    def starts(self) -> Ints:
        """[B] where each row begins in ``ids``: the position of its first special piece, [CLS] or <s>."""
        return np.cumsum(self.lengths) - self.lengths


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


Ragged = tuple[npt.NDArray[np.integer], npt.NDArray[np.integer]]
Segment = tuple[int, ...] | Ragged


def assemble(
    segments: Sequence[Segment], types: Sequence[int], rows: int
) -> tuple[Ints, Ints, Ints, npt.NDArray[np.bool_]]:
    """Lay constant and ragged segments side by side in every row.

    Args:
        segments: piece ids repeated in every row, or arrays (flat, lengths) with a stretch for each row.
        types: token type of each segment.
        rows: B.

    Returns:
        ids [T], types [T], lengths [B], special [T] (True in the constant segments).
    """
    constant = [not isinstance(segment[0], np.ndarray) if len(segment) else True for segment in segments]
    widths = np.zeros((len(segments), rows), np.int64)
    for k, segment in enumerate(segments):
        widths[k] = len(segment) if constant[k] else segment[1]
    lengths = widths.sum(0)
    begin = np.cumsum(widths, 0) - widths + (np.cumsum(lengths) - lengths)
    ids = np.empty(int(lengths.sum()), np.int64)
    kinds = np.zeros(len(ids), np.int64)
    special = np.zeros(len(ids), np.bool_)
    for k, segment in enumerate(segments):
        size = widths[k]
        place = stretches(begin[k], size)
        ids[place] = np.tile(np.asarray(segment, np.int64), rows) if constant[k] else segment[0]
        kinds[place] = types[k]
        special[place] = constant[k]
    return ids, kinds, lengths, special


Part = tuple[int, ...] | tuple[Ints, Ints]
"""Special pieces, or the sides (records, sides) of each row."""
_NONE = np.empty(0, np.int64)


def dress(
    parts: Sequence[Part], types: Sequence[int], rows: int, gather: Callable[[Ints, Ints], Ragged]
) -> tuple[Ints, Ints, Ints, npt.NDArray[np.bool_]]:
    """What :func:`assemble` makes of special pieces and of what ``gather`` says of the sides."""
    return assemble([gather(*p) if _is_sides(p) else p for p in parts], types, rows)


def _is_sides(part: Part) -> TypeGuard[tuple[Ints, Ints]]:
    return len(part) == 2 and isinstance(part[0], np.ndarray)


def take_rows(view: View, rows: Ints) -> View:
    """An unmasked view of some rows of an unmasked view."""
    lengths = view.lengths[rows]
    place = stretches(view.starts[rows], lengths)
    return View(view.ids[place], view.types[place], lengths, view.rows[rows], view.special[place], _NONE, _NONE)


def mask_view(
    view: View,
    template: Template,
    config: ViewsConfig,
    keys: Ints,
    *stream: int,
    heads: Ints | None = None,
    apart: tuple[Ints, Ints] | None = None,
) -> View:
    """Select pieces and replace them 80/10/10 (Devlin et al. 2019).

    Args:
        view: an unmasked view.
        keys: [B] identity of each row; with ``stream`` (seed, epoch, ...) it decides every draw.
        heads: [T] position in ``ids`` of the first piece of each piece's word: pieces of a word are selected together.
        apart: ([x], [x]) positions of pieces that shall not both be selected; a coin decides which is left alone.
    """
    row = np.repeat(np.arange(len(view.lengths)), view.lengths)
    place = np.arange(len(view.ids)) - view.starts[row]
    unit = place if heads is None else place[heads]
    chosen = uniform(*stream, _SELECT, keys[row], unit) < config.mask_probability
    chosen &= ~view.special
    if apart is not None:
        both = chosen[apart[0]] & chosen[apart[1]]
        first, second = apart[0][both], apart[1][both]
        coin = uniform(*stream, _APART, keys[row[first]], place[first], place[second]) < 0.5
        chosen[np.where(coin, first, second)] = False
    masked = np.flatnonzero(chosen)
    kind = uniform(*stream, _REPLACE, keys[row[masked]], place[masked])
    ids = view.ids.copy()
    ids[masked[kind < config.mask_share]] = template.mask_id
    swap = masked[(kind >= config.mask_share) & (kind < config.mask_share + config.random_share)]
    bits = draw(*stream, _RANDOM, keys[row[swap]], place[swap])
    random = template.ordinary[(bits % np.uint64(len(template.ordinary))).astype(np.int64)]
    if template.twins:  # in the language of the piece that is replaced
        random += template.twins * (view.ids[swap] >= template.twins)
    ids[swap] = random
    return View(ids, view.types, view.lengths, view.rows, view.special, masked, view.ids[masked])


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
    ) -> None:
        self._links = links
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
            raise UserError("the objective needs word links", mend="paralign align makes them")
        joint = first == second == "joint"
        sides = (np.zeros(self.size, np.int64), np.ones(self.size, np.int64))
        if not joint:
            sides = (self.swapped, 1 - self.swapped)
        places, lengths = zip(*(self._store.places(self.ids, side) for side in sides), strict=True)
        prefix, *rest = map(len, self._template.pair if joint else self._template.single)
        begins = []
        for side in (0, 1):
            rows = sum(lengths) + prefix + sum(rest) if joint else lengths[side] + prefix + sum(rest)
            before = np.where(self.swapped == side, 0, lengths[1 - side] + rest[0]) if joint else 0
            begins.append(np.cumsum(rows) - rows + prefix + before)
        pairs, counts = self._links.links(self.ids)
        if not joint:
            pairs = np.where(np.repeat(self.swapped, counts)[:, None] == 1, pairs[:, ::-1], pairs)
        words = (self._links.words(places[0]), self._links.words(places[1]))
        return linked_pieces((pairs, counts), words, (lengths[0], lengths[1]), (begins[0], begins[1]))

    def _make(self, name: str) -> View:
        first, second = self.swapped, 1 - self.swapped
        if name in ("joint", "second") and self._store.sides < 2:
            raise UserError(f"plain text has no view {name!r}", mend="tlm and moco need pairs: paralign align --pairs")
        rows = np.arange(self.size)
        if name == "joint":
            return self._masked(name, self._keys, *self._joint(first, second))
        if name == "text":
            sides = np.arange(self._store.sides)
            rows, chosen = np.repeat(rows, len(sides)), np.tile(sides, self.size)
            return self._masked(name, self._keys[rows] * 2 + chosen, *self._single(self.ids[rows], chosen, rows))
        if name in ("first", "second"):
            return self._single(self.ids, first if name == "first" else second, rows)[0]
        raise KeyError(f"pairs have no view {name!r}")

    def _masked(self, name: str, keys: Ints, view: View, heads: Ints | None) -> View:
        apart = self.linked("joint", "joint").pieces() if name == "joint" and self._config.avoid_double_mask else None
        stream = (*self._stream, STREAM[name])
        return mask_view(view, self._template, self._config, keys, *stream, heads=heads, apart=apart)

    def _single(self, records: Ints, sides: Ints, rows: Ints) -> tuple[View, Ints | None]:
        prefix, suffix = self._template.single
        return self._dress([prefix, (records, sides), suffix], (0, 0, 0), rows)

    def _joint(self, first: Ints, second: Ints) -> tuple[View, Ints | None]:
        prefix, middle, suffix = self._template.pair
        parts: list[Part] = [prefix, (self.ids, first), middle, (self.ids, second), suffix]
        return self._dress(parts, self._template.pair_types, np.arange(self.size))

    def _dress(self, parts: Sequence[Part], types: Sequence[int], rows: Ints) -> tuple[View, Ints | None]:
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
        raise UserError("the objective needs pairs with word links", mend="paralign align --pairs")
    return batch.linked(first, second)
