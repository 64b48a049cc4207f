"""Rows of pieces, concatenated without padding, and the special tokens around sentences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeGuard

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from paralign.config import Config
from paralign.ragged import ranges, row_positions, row_starts
from paralign.rng import random_bits

__all__ = [
    "Template",
    "View",
    "ViewsConfig",
    "assemble",
    "assemble_sides",
    "concatenate_views",
    "hash_rows",
    "row_hashes",
    "take_rows",
]

Ints = npt.NDArray[np.int64]


class ViewsConfig(Config):
    """How views are built from pairs (PPA, Pan et al. 2021, sections 2.1 and 2.2)."""

    shuffle: bool = True
    """Whether the side that comes first is random, for each pair and epoch. False: PPA's −shuffling ablation."""
    mask_probability: float = Field(default=0.15, gt=0, lt=1)
    """Each piece is selected independently with this probability."""
    mask_share: float = Field(default=0.8, ge=0, le=1)
    """Share of selected pieces replaced by the mask token."""
    random_share: float = Field(default=0.1, ge=0, le=1)
    """Share of selected pieces replaced by a random non-special token; the rest stay."""
    whole_words: bool = False
    """Select words instead of pieces, each with ``mask_probability``: all pieces of a word or none."""
    avoid_double_mask: bool = False
    """If two linked pieces of a pair are selected, deselect one (AlignLM, Yang et al. 2021); needs links."""
    joint_share: float = Field(default=1.0, gt=0, le=1)
    """Share of the pairs in ``joint``, sampled again in every epoch (0.25 for XLM as the baseline of ALIGN-MLM); not
    for objectives that need links."""
    restart_positions: bool = False
    """In ``joint``, the positions of the second sentence start from 0 too (XLM)."""
    language_types: bool = False
    """In ``joint``, token types denote the language instead of the sentence (language embeddings, XLM); for two
    languages."""
    translate: Literal["input", "predict"] = "input"
    """Selected pieces with a translation (view ``translated``, DICT-MLM): with ``input``, the translation replaces the
    piece, which is predicted; with ``predict``, the piece is masked and the translation is predicted."""
    translate_share: float = Field(default=0.5, ge=0, le=1)
    """Share of these pieces that is translated; the others are masked as usual."""
    pack: int | None = Field(default=None, ge=8)
    """Plain text only: concatenate sentences of one language to rows of at most this many pieces, including special
    tokens, in a new random order in every epoch. ``training.batch`` then counts rows. Not packed by default."""

    @model_validator(mode="after")
    def _shares(self) -> ViewsConfig:
        if self.mask_share + self.random_share > 1:
            raise ValueError("mask_share and random_share add up to more than 1")
        return self


@dataclass(frozen=True)
class Template:
    """The special tokens that a tokenizer puts around sentences.

    Attributes:
        single: prefix and suffix of a single sentence.
        pair: prefix, middle and suffix of a pair.
        pair_types: token types of (prefix, first sentence, middle, second sentence, suffix); all 0 for models without
            token types.
        mask_id, pad_id: ids of the mask and padding pieces.
        special_ids: ids of all special tokens.
        vocabulary: number of pieces.
    """

    single: tuple[tuple[int, ...], tuple[int, ...]]
    pair: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
    pair_types: tuple[int, int, int, int, int]
    mask_id: int
    pad_id: int
    special_ids: tuple[int, ...]
    vocabulary: int
    twin_offset: int = 0
    """Difference between the ids of a piece and its twin (languages derived by ``trans``); 0 if there are no twins."""

    @cached_property
    def ordinary(self) -> Ints:
        """All ids that are neither special nor twins, from which random replacements are sampled."""
        return np.setdiff1d(np.arange(self.vocabulary - self.twin_offset), np.asarray(self.special_ids))

    def special_pieces(self, texts: int = 1) -> int:
        """Return the number of special tokens in a row of one text, or of two."""
        return sum(map(len, self.single if texts == 1 else self.pair))


@dataclass(frozen=True)
class View:
    """Rows of piece ids, concatenated.

    Attributes:
        ids: ``[T]`` input ids of the encoder (after masking).
        types: ``[T]`` token types.
        lengths: ``[B]`` pieces in each row, including special tokens.
        rows: ``[B]`` position in the batch of the record of each row.
        special: ``[T]`` whether the piece belongs to the template.
        masked: ``[M]`` positions in ``ids`` to be predicted.
        labels: ``[M]`` the original pieces at these positions.
    """

    ids: Ints
    types: Ints
    lengths: Ints
    rows: Ints
    special: npt.NDArray[np.bool_]
    masked: Ints
    labels: Ints
    positions: Ints | None = None
    """``[T]`` position ids of the pieces; ``None`` if they count from 0 in each row."""
    language: str | None = None
    """Language of the rows, for the encoder's maps; ``None`` if they have several, and in training."""

    @cached_property
    def starts(self) -> Ints:
        """``[B]`` where each row begins in ``ids``: the position of its first special token, [CLS] or <s>."""
        return row_starts(self.lengths)


def concatenate_views(views: Sequence[View]) -> View:
    """Return one view with the rows of all, in order. Nothing in it is marked as masked."""
    positions = None
    if any(view.positions is not None for view in views):
        positions = np.concatenate(
            [row_positions(view.lengths) if view.positions is None else view.positions for view in views]
        )
    return View(
        ids=np.concatenate([view.ids for view in views]),
        types=np.concatenate([view.types for view in views]),
        lengths=np.concatenate([view.lengths for view in views]),
        rows=np.concatenate([view.rows for view in views]),
        special=np.concatenate([view.special for view in views]),
        masked=np.empty(0, np.int64),
        labels=np.empty(0, np.int64),
        positions=positions,
    )


Ragged = tuple[npt.NDArray[np.integer], npt.NDArray[np.integer]]
Segment = tuple[int, ...] | Ragged


def assemble(
    segments: Sequence[Segment], types: Sequence[int | Ints], rows: int
) -> tuple[Ints, Ints, Ints, npt.NDArray[np.bool_]]:
    """Concatenate segments in every row.

    Args:
        segments: constant piece ids for all rows, or arrays (flat ids, lengths) with a segment for each row.
        types: token type of each segment, one for all rows or ``[B]``.
        rows: B, the number of rows.

    Returns:
        ids ``[T]``, types ``[T]``, lengths ``[B]``, special ``[T]`` (True in the constant segments).
    """
    constant = [not isinstance(segment[0], np.ndarray) if len(segment) else True for segment in segments]
    widths = np.zeros((len(segments), rows), np.int64)
    for k, segment in enumerate(segments):
        widths[k] = len(segment) if constant[k] else segment[1]
    lengths = widths.sum(0)
    begin = row_starts(widths) + row_starts(lengths)
    ids = np.empty(int(lengths.sum()), np.int64)
    type_ids = np.zeros(len(ids), np.int64)
    special = np.zeros(len(ids), np.bool_)
    for k, segment in enumerate(segments):
        size = widths[k]
        positions = ranges(begin[k], size)
        ids[positions] = np.tile(np.asarray(segment, np.int64), rows) if constant[k] else segment[0]
        value = types[k]
        type_ids[positions] = np.repeat(value, size) if isinstance(value, np.ndarray) else value
        special[positions] = constant[k]
    return ids, type_ids, lengths, special


Part = tuple[int, ...] | tuple[Ints, Ints]
"""Special tokens, or arrays (records, sides) with the side for each row."""
_EMPTY = np.empty(0, np.int64)


def assemble_sides(
    parts: Sequence[Part], types: Sequence[int | Ints], rows: int, gather: Callable[[Ints, Ints], Ragged]
) -> tuple[Ints, Ints, Ints, npt.NDArray[np.bool_]]:
    """Like :func:`assemble`, for special tokens and sides of records.

    Args:
        parts: special tokens, or records and sides.
        types, rows: as for :func:`assemble`.
        gather: returns ids and lengths of sides, for instance :meth:`paralign.corpus.store.TokenStore.gather`.
    """
    return assemble([gather(*p) if _is_sides(p) else p for p in parts], types, rows)


def _is_sides(part: Part) -> TypeGuard[tuple[Ints, Ints]]:
    return len(part) == 2 and isinstance(part[0], np.ndarray)


def hash_rows(ids: npt.NDArray[np.integer], lengths: npt.NDArray[np.integer]) -> npt.NDArray[np.uint64]:
    """Return a hash of each row of pieces; 0 for an empty row.

    Args:
        ids: pieces of all rows, one row after the other.
        lengths: ``[n]`` number of pieces of each row.
    """
    out = np.zeros(len(lengths), np.uint64)
    filled = lengths > 0
    if filled.any():
        bits = random_bits(row_positions(lengths), np.asarray(ids, np.int64))
        with np.errstate(over="ignore"):
            out[filled] = np.add.reduceat(bits, row_starts(lengths)[filled])
    return out


def row_hashes(view: View) -> Ints:
    """Return a hash of the pieces of each row of a view, ``[b]``."""
    return hash_rows(view.ids, view.lengths).astype(np.int64)


def take_rows(view: View, rows: Ints) -> View:
    """Return an unmasked view with the given rows of an unmasked view.

    Args:
        view: without masked pieces.
        rows: ``[b]`` rows to keep, in this order.
    """
    lengths = view.lengths[rows]
    positions = ranges(view.starts[rows], lengths)
    return View(
        view.ids[positions],
        view.types[positions],
        lengths,
        view.rows[rows],
        view.special[positions],
        _EMPTY,
        _EMPTY,
    )
