"""A trained counting aligner in a folder, and how it is put to new text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from paralign.errors import UserError
from paralign.ragged import row_ids
from paralign.words.bitext import Bitext
from paralign.words.cells import Cells
from paralign.words.diagonal import Diagonal
from paralign.words.jumps import Jumps
from paralign.words.translation_model import FLOOR, WordModel

__all__ = ["SavedWords"]

SCHEMA = 1
_LEAST = 1e-6


class SavedWords:
    """Parameters by word, no longer by the text they were learnt from.

    Args:
        words: of both sides, in the order of their numbers.
        tensors: ``rows`` int64 [source words + 1] where the pairs of each source word begin, ``target`` int32 [D],
            ``forward`` and ``backward`` float32 [D], ``forward_none`` [target words], ``backward_none`` [source words],
            and of a hidden Markov model ``forward_jumps``, ``backward_jumps``.
        facts: languages, settings, shares without a counterpart and tensions.
    """

    def __init__(self, words: tuple[list[str], list[str]], tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        self.words, self.tensors, self.facts = words, tensors, facts

    @classmethod
    def of(cls, model: WordModel, cells: Cells, bitext: Bitext, facts: dict[str, Any]) -> SavedWords:
        """Keep a model; pairs both of whose probabilities are below 1e-6 are left out."""
        assert model.words is not None
        assert model.none is not None
        forward, backward = (table[:-1].cpu() for table in model.words)
        kept = (forward >= _LEAST) | (backward >= _LEAST)
        before = torch.cat([torch.zeros(1, dtype=torch.int64), torch.cumsum(kept, 0)])
        tensors = {
            "rows": before[cells.rows.cpu()],
            "target": cells.target.cpu()[kept],
            "forward": forward[kept],
            "backward": backward[kept],
            "forward_none": model.none[0][:-1].cpu().clone(),
            "backward_none": model.none[1][:-1].cpu().clone(),
        }
        places = []
        for name, where in zip(("forward", "backward"), (model.positions[0], model.positions[1]), strict=True):
            if isinstance(where, Jumps):
                tensors[f"{name}_jumps"] = where.weights.cpu()
                places.append({"null": where.null})
            else:
                places.append({"null": where.null, "tension": where.tension})
        words = (bitext.source.words, bitext.target.words)
        return cls(words, tensors, {"schema": SCHEMA, **facts, "positions": places})

    def save(self, folder: Path) -> None:
        """Write ``words.safetensors`` and ``words.json`` into a folder that is there."""
        save_file({name: value.contiguous() for name, value in self.tensors.items()}, folder / "words.safetensors")
        whole = {**self.facts, "source": self.words[0], "target": self.words[1]}
        (folder / "words.json").write_text(json.dumps(whole, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> SavedWords:
        """Read what :meth:`save` wrote.

        Raises:
            UserError: if it is not there, or not whole.
        """
        folder = Path(folder)
        try:
            facts = json.loads((folder / "words.json").read_text(encoding="utf-8"))
            tensors = load_file(folder / "words.safetensors")
            words = (facts.pop("source"), facts.pop("target"))
            if facts["schema"] != SCHEMA or len(words[0]) + 1 != len(tensors["rows"]):
                raise UserError("the model is of another version or damaged", where=folder, hint="train it again")
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            if isinstance(error, UserError):
                raise
            hint = "train one with paralign words --save"
            raise UserError("no trained word aligner here", where=folder, hint=hint) from None
        return cls(words, tensors, facts)

    def model(self, cells: Cells, bitext: Bitext) -> WordModel:
        """The parameters for the distinct word pairs of a text; pairs and words that are not known are as unlikely as
        can be."""
        source, target = (
            torch.from_numpy(_places(have, want))
            for have, want in zip(self.words, (bitext.source.words, bitext.target.words), strict=True)
        )
        rows, width = self.tensors["rows"], len(self.words[1])
        owner = row_ids(rows.diff())
        known = owner * width + self.tensors["target"]
        at = source[cells.source_of(0, cells.distinct).cpu()], target[cells.target.cpu().long()]
        asked = at[0] * width + at[1]
        found = torch.searchsorted(known, asked).clamp(max=max(0, len(known) - 1))
        hit = (at[0] >= 0) & (at[1] >= 0)
        hit &= known[found] == asked if len(known) else False
        device = cells.device
        tables = []
        for name in ("forward", "backward"):
            table = torch.zeros(cells.distinct + 1)
            values = self.tensors[name][found] if len(known) else torch.zeros(len(found))
            table[:-1] = torch.where(hit, values, FLOOR).clamp(min=FLOOR)
            tables.append(table.to(device))
        nones = []
        for name, place in (("forward_none", target), ("backward_none", source)):
            none = torch.ones(len(place) + 1)
            none[:-1] = torch.where(place >= 0, self.tensors[name][place.clamp(min=0)], FLOOR)
            nones.append(none.to(device))
        return WordModel(tables, nones, self._positions(device))

    def _positions(self, device: torch.device) -> list[Diagonal] | list[Jumps]:
        first, second = self.facts["positions"]
        if "forward_jumps" not in self.tensors:
            return [Diagonal(null=some["null"], tension=some["tension"]) for some in (first, second)]
        out = []
        for name, some in (("forward_jumps", first), ("backward_jumps", second)):
            weights = self.tensors[name].to(device)
            jumps = Jumps(null=some["null"], farthest=len(weights) // 2, device=device)
            jumps.weights = weights
            out.append(jumps)
        return out


def _places(have: list[str], want: list[str]) -> np.ndarray:
    """The number of each wanted word; -1 for unknown ones."""
    number = {word: place for place, word in enumerate(have)}
    return np.array([number.get(word, -1) for word in want], np.int64)
