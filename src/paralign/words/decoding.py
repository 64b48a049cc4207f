"""From the posteriors of both directions to links."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from paralign.words.alignment_cells import AlignmentCells
from paralign.words.bitext import Bitext
from paralign.words.symmetrization import symmetrize
from paralign.words.translation_model import Posteriors, TranslationModel
from paralign.words.word_links import WordLinks

__all__ = ["UnsortedLinks", "decode"]


@dataclass
class UnsortedLinks:
    """Links block by block. Sorting them does not need the model, which can be deleted before.

    Attributes:
        pairs: number of sentence pairs.
        rows: int32 arrays, the sentence pair of each link.
        source: int32 arrays, the source word of each link.
        target: int32 arrays, the target word of each link.
        posterior: float32 arrays, the probability of each link; ``None`` without probabilities.
    """

    pairs: int
    rows: list[Any]
    source: list[Any]
    target: list[Any]
    posterior: list[Any] | None

    def links(self) -> WordLinks:
        """Return the sorted links, and free the unsorted ones."""
        posterior = None if self.posterior is None else _concatenate(self.posterior)
        rows, source, target = (_concatenate(parts) for parts in (self.rows, self.source, self.target))
        return WordLinks.from_arrays(self.pairs, rows, source, target, posterior)


def decode(
    model: TranslationModel,
    cells: AlignmentCells,
    bitext: Bitext,
    method: str = "grow-diag-final-and",
    *,
    pairs: int | None = None,
    posteriors: bool = False,
) -> UnsortedLinks:
    """Link each word to its most probable counterpart (or none) in each direction, and combine the directions.

    Args:
        model: the model, for these cells.
        cells: the cells of the text.
        bitext: the text.
        method: see :func:`paralign.words.symmetrization.symmetrize`.
        pairs: link only the first pairs, this many. Default ``None``: all.
        posteriors: also return the probability of each link, the geometric mean of both directions' posteriors.
    """
    pair_of_row, offsets = bitext.pair_of_row.numpy(), bitext.offsets.numpy()
    pairs = bitext.pairs if pairs is None else pairs
    result = UnsortedLinks(pairs, [], [], [], [] if posteriors else None)
    for block in cells:
        rows = block.rows.cpu().numpy()
        wanted = pair_of_row[rows] < pairs
        if not wanted.any():
            continue
        probabilities = model.posteriors(block, count=False)
        forward, backward = _best_links(probabilities)
        links = symmetrize(forward.cpu().numpy(), backward.cpu().numpy(), method)
        k, i, j = np.nonzero(links & wanted[:, None, None])
        row = rows[k]
        for parts, values in (
            (result.rows, pair_of_row[row]),
            (result.source, i + offsets[row, 0]),
            (result.target, j + offsets[row, 1]),
        ):
            parts.append(values.astype(np.int32))  # half the memory until they are sorted
        if result.posterior is not None:
            mean = torch.sqrt(probabilities.forward * probabilities.backward).cpu().numpy()
            result.posterior.append(mean[k, i, j].astype(np.float32))
    return result


def _concatenate(parts: list[Any]) -> list[Any]:
    """Return the parts as a list of one array, and empty ``parts``."""
    whole = np.concatenate([np.empty(0, np.int32), *parts]) if parts else np.empty(0, np.int32)
    parts.clear()
    return [whole]


def _best_links(posteriors: Posteriors) -> tuple[Tensor, Tensor]:
    """Return ``[k, m, n]`` masks of both directions: the most probable counterpart, if more probable than none."""
    best, position = posteriors.forward.max(1, keepdim=True)
    kept = (best > posteriors.forward_null.unsqueeze(1)) & (best > 0)
    shape, device = posteriors.forward.shape, best.device
    forward = torch.zeros(shape, dtype=torch.bool, device=device).scatter_(1, position, kept)
    best, position = posteriors.backward.max(2, keepdim=True)
    kept = (best > posteriors.backward_null.unsqueeze(2)) & (best > 0)
    backward = torch.zeros(shape, dtype=torch.bool, device=device).scatter_(2, position, kept)
    return forward, backward
