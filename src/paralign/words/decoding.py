"""From posteriors of both directions to links."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from paralign.words.bitext import Bitext
from paralign.words.cells import Cells
from paralign.words.found import WordLinks
from paralign.words.symmetrize import symmetrise
from paralign.words.translation_model import Posteriors, WordModel

__all__ = ["Linked", "decode"]


@dataclass
class Linked:
    """Links by block, before they are put in order: the model and the cells are not needed for that.

    Attributes:
        pairs: how many there are.
        rows, source, target: int32 parts: pair, words.
        sure: float32 parts, posteriors; ``None`` where they are not wanted.
    """

    pairs: int
    rows: list[Any]
    source: list[Any]
    target: list[Any]
    sure: list[Any] | None

    def links(self) -> WordLinks:
        """In order; what was held is let go."""
        sure = None if self.sure is None else _joined(self.sure)
        return WordLinks.of(self.pairs, _joined(self.rows), _joined(self.source), _joined(self.target), sure)


def decode(
    model: WordModel,
    cells: Cells,
    bitext: Bitext,
    method: str = "grow-diag-final-and",
    *,
    pairs: int | None = None,
    posteriors: bool = False,
) -> Linked:
    """Link each word with its likeliest counterpart in either direction, or none, and join the directions.

    Args:
        model: over these cells.
        cells: of this text.
        bitext: whose pairs are numbered.
        method: see :func:`paralign.words.symmetrize.symmetrise`.
        pairs: only of the first so many.
        posteriors: tell of each link the geometric mean of both directions' posteriors.
    """
    pair, offset = bitext.pair.numpy(), bitext.offset.numpy()
    pairs = bitext.pairs if pairs is None else pairs
    out = Linked(pairs, [], [], [], [] if posteriors else None)
    for block in cells:
        place = block.rows.cpu().numpy()
        if (pair[place] >= pairs).all():
            continue
        found = model.posteriors(block, count=False)
        forward, backward = _directed(found)
        links = symmetrise(forward.cpu().numpy(), backward.cpu().numpy(), method)
        k, i, j = np.nonzero(links & (pair[place] < pairs)[:, None, None])
        row = place[k]
        some = (out.rows, pair[row]), (out.source, i + offset[row, 0]), (out.target, j + offset[row, 1])
        for parts, values in some:
            parts.append(values.astype(np.int32))  # half the bytes while all are held
        if out.sure is not None:
            both = torch.sqrt(found.forward * found.backward).cpu().numpy()
            out.sure.append(both[k, i, j].astype(np.float32))
    return out


def _joined(parts: list[Any]) -> list[Any]:
    """The parts as one, which are let go."""
    whole = np.concatenate([np.empty(0, np.int32), *parts]) if parts else np.empty(0, np.int32)
    parts.clear()
    return [whole]


def _directed(found: Posteriors) -> tuple[Tensor, Tensor]:
    """[k, m, n] the likeliest source word of each target word, where likelier than none, and the other way round."""
    best, place = found.forward.max(1, keepdim=True)
    kept = (best > found.forward_none.unsqueeze(1)) & (best > 0)
    forward = torch.zeros(found.forward.shape, dtype=torch.bool, device=best.device).scatter_(1, place, kept)
    best, place = found.backward.max(2, keepdim=True)
    kept = (best > found.backward_none.unsqueeze(2)) & (best > 0)
    backward = torch.zeros(found.backward.shape, dtype=torch.bool, device=best.device).scatter_(2, place, kept)
    return forward, backward
