"""A linear map between the contextual vectors of two languages (Wang et al. 2019)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from paralign.digests import FolderDigests, check_schema
from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.formats.links import Link
from paralign.ragged import batched
from paralign.words.word_vectors import WordVectors

__all__ = ["KINDS", "LinearMap", "fit_map"]

SCHEMA = 2
"""Version 1 had no bias."""
KINDS = ("orthogonal", "linear")
_WINDOW = 2_000
"""Sentence pairs that are encoded at once, sorted by length."""
_SAMPLE = 200
"""Linked words of each window on which the cosines are measured."""
_SAMPLED_WINDOWS = 100
"""Number of windows on which the cosines are measured, the first ones."""


@dataclass(frozen=True)
class LinearMap:
    """A map from the vectors of one language to those of another.

    Shapes:
        matrix: ``[d, d]``
        bias: ``[d]``

    Attributes:
        matrix: fp32; a vector x of the language ``source`` becomes x · matrix + bias.
        facts: ``source``, ``target``, ``layer``, ``kind``, ``model``, ``model_hash``. Maps from linked words also have
            their number ``words``, and the mean cosine of linked words ``before`` and ``after``; maps from text have
            the number of ``sentences``.
        bias: fp32. None: zero.
    """

    matrix: Tensor
    facts: dict[str, Any]
    bias: Tensor | None = None

    def save(self, folder: Path) -> None:
        """Write ``map.safetensors`` and ``map.json`` to an existing folder."""
        tensors = {"matrix": self.matrix} if self.bias is None else {"matrix": self.matrix, "bias": self.bias}
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "map.safetensors")
        facts = json.dumps({"schema": SCHEMA, **self.facts}, indent=1, ensure_ascii=False)
        (folder / "map.json").write_text(facts + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> LinearMap:
        """Read a folder written by :meth:`save`.

        Raises:
            UserError: if the folder is missing, damaged or of another version.
        """
        hint = "create one with paralign map"
        if not Path(folder).is_dir():
            raise UserError("there is no such folder", where=folder, hint=hint)
        FolderDigests(Path(folder), hint).check()
        try:
            facts = json.loads((Path(folder) / "map.json").read_text(encoding="utf-8"))
            tensors = load_file(Path(folder) / "map.safetensors")
            matrix = tensors["matrix"]
            facts["layer"] = int(facts["layer"])
            if {"source", "target", "kind", "model_hash"} - facts.keys():
                raise KeyError
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, SafetensorError):
            raise UserError("not a linear map", where=folder, hint=hint) from None
        check_schema(facts, SCHEMA, folder, hint)
        del facts["schema"]
        return cls(matrix, facts, tensors.get("bias"))

    def apply_to(self, encoder: Encoder, digest: str, folder: str | Path) -> None:
        """Make an encoder map the states of the language ``source``.

        Args:
            encoder: the encoder, which is changed.
            digest: its digest.
            folder: the map's folder, named in errors.

        Raises:
            UserError: if the map was learned for another encoder.
        """
        if self.facts["model_hash"] != digest:
            hint = "create one for this encoder with paralign map"
            raise UserError("the linear map was learned for another encoder", where=folder, hint=hint)
        encoder.use_map(self.facts["source"], int(self.facts["layer"]), self.matrix, self.bias)


def fit_map(
    encoder: Encoder,
    pairs: Iterable[tuple[str, str]],
    links: Iterable[Sequence[Link]],
    *,
    layer: int,
    kind: str = "orthogonal",
    tokenized: bool = False,
    languages: tuple[str | None, str | None] = (None, None),
) -> tuple[Tensor, dict[str, Any]]:
    """Fit the map from word vectors of the second language to those of the first.

    The vector of a word is the mean of its pieces' states, scaled to length 1. ``orthogonal`` is the rotation that
    minimizes the squared distance of linked words (Procrustes: U·Vᵀ of the singular value decomposition of their
    product). ``linear`` is the least-squares solution, with a ridge of one thousandth of the mean variance.

    Args:
        encoder: the encoder.
        pairs: normalized texts.
        links: the links of each pair, words counted from 0.
        layer: the hidden state, 1 to the number of layers.
        kind: one of ``KINDS``.
        tokenized: words are separated by spaces. Default: words are found in the text.
        languages: languages of both sides, for encoders that treat one of them differently (a derived language).
            Default ``None``: not known.

    Shapes:
        matrix: ``[d, d]``

    Returns:
        the matrix, and the facts ``words``, ``before`` and ``after``.

    Raises:
        UserError: if there are fewer linked words than dimensions.
    """
    if kind not in KINDS:
        raise UserError(f"unknown kind of map {kind!r}", hint=" or ".join(KINDS))
    d = encoder.width
    gram, cross = (torch.zeros(d, d, dtype=torch.float64) for _ in range(2))
    count = 0
    samples: list[tuple[Tensor, Tensor]] = []
    for x, y in _linked_vectors(encoder, zip(pairs, links, strict=True), layer, tokenized, languages):
        if kind == "linear":
            gram += x.T @ x
        cross += x.T @ y
        count += len(x)
        if len(samples) < _SAMPLED_WINDOWS:
            samples.append((x[:_SAMPLE].clone(), y[:_SAMPLE].clone()))  # views would keep the whole window
    if count < d:
        message = f"{count:,} linked words are fewer than the {d} dimensions of a vector"
        raise UserError(message, hint="give more pairs")
    if kind == "orthogonal":
        left, _, right = torch.linalg.svd(cross)
        matrix = left @ right
    else:
        matrix = torch.linalg.solve(gram + 1e-3 * gram.trace() / d * torch.eye(d, dtype=torch.float64), cross)
    x, y = (torch.cat(part) for part in zip(*samples, strict=True))
    cosine = torch.nn.functional.cosine_similarity
    facts = {"words": count, "before": float(cosine(x, y).mean()), "after": float(cosine(x @ matrix, y).mean())}
    return matrix.float(), facts


def _linked_vectors(
    encoder: Encoder,
    pairs: Iterable[tuple[tuple[str, str], Sequence[Link]]],
    layer: int,
    tokenized: bool,
    languages: tuple[str | None, str | None],
) -> Iterable[tuple[Tensor, Tensor]]:
    """Yield float64 ``[links, d]`` vectors of linked words, of the second and of the first language, by window."""
    for window in batched(pairs, _WINDOW):
        links = [(k, i, j) for k, (_, row) in enumerate(window) for i, j in row]
        sides = []
        for side, language in enumerate(languages):
            texts = [text[side] for text, _ in window]
            sides.append(WordVectors(encoder, texts, language, layer=layer, unit="word", tokenized=tokenized))
        first = sides[0].positions_of([(k, i) for k, i, _ in links])
        second = sides[1].positions_of([(k, j) for k, _, j in links])
        both = (first >= 0) & (second >= 0)
        yield (
            sides[1].states[torch.from_numpy(second[both])].cpu().double(),
            sides[0].states[torch.from_numpy(first[both])].cpu().double(),
        )
