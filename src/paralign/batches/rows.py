"""Rows of pieces laid end to end without padding, and how sentences are dressed into them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeGuard

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from paralign.config import Config
from paralign.ragged import ranges, row_starts

__all__ = ["Template", "View", "ViewsConfig", "assemble", "dress", "take_rows"]

Ints = npt.NDArray[np.int64]


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
    joint_share: float = Field(default=1.0, gt=0, le=1)
    """Share of the pairs that are laid side by side in ``joint``, drawn anew every epoch (XLM as the baseline of
    ALIGN-MLM: a quarter); not with objectives that need links."""
    restart_positions: bool = False
    """In ``joint`` the second sentence counts its positions from 0, as the first does (XLM)."""
    language_types: bool = False
    """In ``joint`` token types tell languages apart, not sentences: language embeddings (XLM); for two languages."""
    translate: Literal["input", "predict"] = "input"
    """Of selected pieces that have a translation (view ``translated``, DICT-MLM): for ``input`` it stands in the
    piece's place, which is to be predicted; for ``predict`` the piece is masked and the translation to be predicted."""
    translate_share: float = Field(default=0.5, ge=0, le=1)
    """How many of these; the others are masked as always."""
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
    twin_offset: int = 0
    """What a piece and its twin differ by, where each has one (languages derived by ``trans``)."""

    @cached_property
    def ordinary(self) -> Ints:
        """All ids that are neither special nor twins: what random replacements are drawn from."""
        return np.setdiff1d(np.arange(self.vocabulary - self.twin_offset), np.asarray(self.special_ids))


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
    positions: Ints | None = None
    """[T] position of each piece in its row, where they are not simply counted."""

    @cached_property
    def starts(self) -> Ints:
        """[B] where each row begins in ``ids``: the position of its first special piece, [CLS] or <s>."""
        return row_starts(self.lengths)


Ragged = tuple[npt.NDArray[np.integer], npt.NDArray[np.integer]]
Segment = tuple[int, ...] | Ragged


def assemble(
    segments: Sequence[Segment], types: Sequence[int | Ints], rows: int
) -> tuple[Ints, Ints, Ints, npt.NDArray[np.bool_]]:
    """Lay constant and ragged segments side by side in every row.

    Args:
        segments: piece ids repeated in every row, or arrays (flat, lengths) with a stretch for each row.
        types: token type of each segment, one for all rows or [B].
        rows: B.

    Returns:
        ids [T], types [T], lengths [B], special [T] (True in the constant segments).
    """
    constant = [not isinstance(segment[0], np.ndarray) if len(segment) else True for segment in segments]
    widths = np.zeros((len(segments), rows), np.int64)
    for k, segment in enumerate(segments):
        widths[k] = len(segment) if constant[k] else segment[1]
    lengths = widths.sum(0)
    begin = row_starts(widths) + row_starts(lengths)
    ids = np.empty(int(lengths.sum()), np.int64)
    kinds = np.zeros(len(ids), np.int64)
    special = np.zeros(len(ids), np.bool_)
    for k, segment in enumerate(segments):
        size = widths[k]
        place = ranges(begin[k], size)
        ids[place] = np.tile(np.asarray(segment, np.int64), rows) if constant[k] else segment[0]
        kind = types[k]
        kinds[place] = np.repeat(kind, size) if isinstance(kind, np.ndarray) else kind
        special[place] = constant[k]
    return ids, kinds, lengths, special


Part = tuple[int, ...] | tuple[Ints, Ints]
"""Special pieces, or the sides (records, sides) of each row."""
_NONE = np.empty(0, np.int64)


def dress(
    parts: Sequence[Part], types: Sequence[int | Ints], rows: int, gather: Callable[[Ints, Ints], Ragged]
) -> tuple[Ints, Ints, Ints, npt.NDArray[np.bool_]]:
    """What :func:`assemble` makes of special pieces and of what ``gather`` says of the sides."""
    return assemble([gather(*p) if _is_sides(p) else p for p in parts], types, rows)


def _is_sides(part: Part) -> TypeGuard[tuple[Ints, Ints]]:
    return len(part) == 2 and isinstance(part[0], np.ndarray)


def take_rows(view: View, rows: Ints) -> View:
    """An unmasked view of some rows of an unmasked view."""
    lengths = view.lengths[rows]
    place = ranges(view.starts[rows], lengths)
    return View(view.ids[place], view.types[place], lengths, view.rows[rows], view.special[place], _NONE, _NONE)
