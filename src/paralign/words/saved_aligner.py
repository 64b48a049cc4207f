"""A trained statistical aligner in a folder, and its use on new text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from paralign.digests import FolderDigests
from paralign.errors import UserError
from paralign.ragged import row_ids
from paralign.words.alignment_cells import AlignmentCells
from paralign.words.bitext import Bitext
from paralign.words.diagonal_prior import DiagonalPrior
from paralign.words.jump_prior import JumpPrior
from paralign.words.translation_model import FLOOR, TranslationModel

__all__ = ["SavedAligner"]

SCHEMA = 1
_MIN_PROBABILITY = 1e-6


class SavedAligner:
    """The parameters of a translation model by word, independent of the text they were trained on.

    Args:
        words: the vocabularies of both sides.
        tensors: ``rows`` int64 ``[source words + 1]``, where the word pairs of each source word begin; ``target`` int32
            ``[pairs]``; ``forward`` and ``backward`` float32 ``[pairs]``; ``forward_none`` ``[target words]`` and
            ``backward_none`` ``[source words]``; for a hidden Markov model ``forward_jumps`` and ``backward_jumps``.
        facts: languages, settings, shares of words without a counterpart, tensions.
    """

    def __init__(self, words: tuple[list[str], list[str]], tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        self.words, self.tensors, self.facts = words, tensors, facts

    @classmethod
    def from_model(
        cls, model: TranslationModel, cells: AlignmentCells, bitext: Bitext, facts: dict[str, Any]
    ) -> SavedAligner:
        """Convert a trained model. Word pairs whose probabilities are below 1e-6 in both directions are left out."""
        assert model.lexical is not None
        assert model.null is not None
        forward, backward = (table[:-1].cpu() for table in model.lexical)
        kept = (forward >= _MIN_PROBABILITY) | (backward >= _MIN_PROBABILITY)
        kept_before = torch.cat([torch.zeros(1, dtype=torch.int64), torch.cumsum(kept, 0)])
        tensors = {
            "rows": kept_before[cells.rows.cpu()],
            "target": cells.target.cpu()[kept],
            "forward": forward[kept],
            "backward": backward[kept],
            "forward_none": model.null[0][:-1].cpu().clone(),
            "backward_none": model.null[1][:-1].cpu().clone(),
        }
        positions = []
        for name, prior in zip(("forward", "backward"), (model.priors[0], model.priors[1]), strict=True):
            if isinstance(prior, JumpPrior):
                tensors[f"{name}_jumps"] = prior.weights.cpu()
                positions.append({"null": prior.null})
            else:
                positions.append({"null": prior.null, "tension": prior.tension})
        words = (bitext.source.vocabulary, bitext.target.vocabulary)
        return cls(words, tensors, {"schema": SCHEMA, **facts, "positions": positions})

    def save(self, folder: Path) -> None:
        """Write ``words.safetensors`` and ``words.json`` to an existing folder."""
        save_file({name: value.contiguous() for name, value in self.tensors.items()}, folder / "words.safetensors")
        content = {**self.facts, "source": self.words[0], "target": self.words[1]}
        (folder / "words.json").write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> SavedAligner:
        """Read a folder written by :meth:`save`.

        Raises:
            UserError: if the folder is missing, damaged or of another version.
        """
        folder = Path(folder)
        FolderDigests(folder, "train it again with paralign words --save").check()
        try:
            facts = json.loads((folder / "words.json").read_text(encoding="utf-8"))
            tensors = load_file(folder / "words.safetensors")
            words = (facts.pop("source"), facts.pop("target"))
            if facts["schema"] != SCHEMA or len(words[0]) + 1 != len(tensors["rows"]):
                hint = "train it again with paralign words --save"
                raise UserError("the word aligner is damaged or of another version", where=folder, hint=hint)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, SafetensorError) as error:
            if isinstance(error, UserError):
                raise
            hint = "train one with paralign words --save"
            raise UserError("not a trained word aligner", where=folder, hint=hint) from None
        return cls(words, tensors, facts)

    def model(self, cells: AlignmentCells, bitext: Bitext) -> TranslationModel:
        """Return the model for the distinct word pairs of a new text. Unknown words and pairs get ``FLOOR``.

        Args:
            cells: the cells of the new text.
            bitext: the new text.
        """
        source, target = (
            torch.from_numpy(_find_words(vocabulary, side.vocabulary))
            for vocabulary, side in zip(self.words, (bitext.source, bitext.target), strict=True)
        )
        rows, width = self.tensors["rows"], len(self.words[1])
        saved_keys = row_ids(rows.diff()) * width + self.tensors["target"]
        first, second = source[cells.source_of(0, cells.distinct).cpu()], target[cells.target.cpu().long()]
        keys = first * width + second
        positions = torch.searchsorted(saved_keys, keys).clamp(max=max(0, len(saved_keys) - 1))
        is_saved = (first >= 0) & (second >= 0)
        is_saved &= saved_keys[positions] == keys if len(saved_keys) else False
        lexical = []
        for name in ("forward", "backward"):
            table = torch.zeros(cells.distinct + 1)
            values = self.tensors[name][positions] if len(saved_keys) else torch.zeros(len(positions))
            table[:-1] = torch.where(is_saved, values, FLOOR).clamp(min=FLOOR)
            lexical.append(table.to(cells.device))
        null = []
        for name, numbers in (("forward_none", target), ("backward_none", source)):
            table = torch.ones(len(numbers) + 1)
            table[:-1] = torch.where(numbers >= 0, self.tensors[name][numbers.clamp(min=0)], FLOOR)
            null.append(table.to(cells.device))
        return TranslationModel(lexical, null, self._priors(cells.device))

    def _priors(self, device: torch.device) -> list[DiagonalPrior] | list[JumpPrior]:
        forward, backward = self.facts["positions"]
        if "forward_jumps" not in self.tensors:
            return [DiagonalPrior(null=facts["null"], tension=facts["tension"]) for facts in (forward, backward)]
        priors = []
        for name, facts in (("forward_jumps", forward), ("backward_jumps", backward)):
            weights = self.tensors[name].to(device)
            prior = JumpPrior(null=facts["null"], max_jump=len(weights) // 2, device=device)
            prior.weights = weights
            priors.append(prior)
        return priors


def _find_words(vocabulary: list[str], words: list[str]) -> np.ndarray:
    """Return the position of each word in a vocabulary; -1 for unknown words."""
    position = {word: k for k, word in enumerate(vocabulary)}
    return np.array([position.get(word, -1) for word in words], np.int64)
