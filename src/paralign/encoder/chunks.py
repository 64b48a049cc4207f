"""Rows of a view as padded arrays, in chunks of rows of similar length."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from paralign.batches.rows import View
from paralign.ragged import ranges, row_starts

__all__ = ["padded_inputs", "restoring_order"]


def padded_inputs(
    view: View, rows: npt.NDArray[np.int64] | None, length: int, pad_id: int, *, types: bool
) -> tuple[dict[str, npt.NDArray[np.int64]], npt.NDArray[np.bool_]]:
    """Return padded model inputs for some rows of a view.

    Args:
        view: the view.
        rows: the rows. None: one row of which every position counts as padding.
        length: length of the padded rows.
        pad_id: id of the padding piece.
        types: whether the model needs token types.

    Returns:
        Inputs by name, each of shape [b, length], and which positions are not padding, of shape [b, length].
    """
    lengths, starts = (np.zeros(1, np.int64),) * 2 if rows is None else (view.lengths[rows], view.starts[rows])
    inside = np.arange(length) < lengths[:, None]
    source = (starts[:, None] + np.arange(length))[inside]
    padded = np.full(inside.shape, pad_id)
    padded[inside] = view.ids[source]
    inputs = {"input_ids": padded, "attention_mask": (inside | (lengths == 0)[:, None]).astype(np.int64)}
    if types:
        inputs["token_type_ids"] = np.zeros(inside.shape, np.int64)
        inputs["token_type_ids"][inside] = view.types[source]
    if view.positions is not None:
        inputs["position_ids"] = np.zeros(inside.shape, np.int64)
        inputs["position_ids"][inside] = view.positions[source]
    return inputs, inside


def restoring_order(view: View, order: list[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    """Return the index that restores the order of the view for pieces encoded in chunks of rows.

    Args:
        view: the view.
        order: rows of each chunk.

    Returns:
        The index, of shape [T].
    """
    rows = np.concatenate([np.empty(0, np.int64), *order])
    lengths = view.lengths[rows]
    begin = np.empty_like(lengths)
    begin[rows] = row_starts(lengths)
    return ranges(begin, view.lengths)
