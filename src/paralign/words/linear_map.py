"""A linear map between the contextual vectors of two languages (Wang et al. 2019)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.formats.links import Link
from paralign.words.similarity import SimilarityConfig, WordVectors

__all__ = ["LinearMap", "fit_map"]

SCHEMA = 1
_WINDOW = 2_000


@dataclass(frozen=True)
class LinearMap:
    """How vectors of one language become those of another.

    Attributes:
        matrix: fp32 [d, d]; a vector x of ``source`` becomes x · matrix.
        facts: ``source``, ``target``, ``layer``, ``kind``, ``model_hash``, ``words`` (links it was learnt from), and
            the mean cosine of linked words ``before`` and ``after``.
    """

    matrix: Tensor
    facts: dict[str, Any]

    def save(self, folder: Path) -> None:
        """Write ``map.safetensors`` and ``map.json`` into a folder that is there."""
        save_file({"matrix": self.matrix.contiguous()}, folder / "map.safetensors")
        facts = json.dumps({"schema": SCHEMA, **self.facts}, indent=1, ensure_ascii=False)
        (folder / "map.json").write_text(facts + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> LinearMap:
        """Read what :meth:`save` wrote.

        Raises:
            UserError: if it is not there, or of another version.
        """
        try:
            facts = json.loads((Path(folder) / "map.json").read_text(encoding="utf-8"))
            matrix = load_file(Path(folder) / "map.safetensors")["matrix"]
        except (OSError, ValueError, KeyError, SafetensorError):
            raise UserError("no linear map here", where=folder, hint="make one with paralign map") from None
        if facts.pop("schema", None) != SCHEMA:
            raise UserError("the map is of another version", where=folder, hint="make it again")
        return cls(matrix, facts)

    def use(self, encoder: Encoder, digest: str, where: str | Path) -> None:
        """Put it to an encoder.

        Raises:
            UserError: if it was learnt from another one.
        """
        if self.facts["model_hash"] != digest:
            hint = "make one for this encoder with paralign map"
            raise UserError("the map was learnt from another encoder", where=where, hint=hint)
        encoder.use_map(self.facts["source"], int(self.facts["layer"]), self.matrix)


def fit_map(
    encoder: Encoder,
    pairs: Iterable[tuple[str, str]],
    links: Iterable[Sequence[Link]],
    *,
    layer: int,
    kind: str = "orthogonal",
    tokenised: bool = False,
    languages: tuple[str | None, str | None] = (None, None),
) -> tuple[Tensor, dict[str, Any]]:
    """Learn the map that brings the second side's words nearest to the first side's.

    Words' vectors are the means of their pieces' states, divided by their length. ``orthogonal`` is the rotation that
    minimizes the squared distance of linked words (Procrustes: U·Vᵀ of the singular value decomposition of their
    product), ``linear`` the least-squares solution with a ridge of one thousandth of the mean variance.

    Args:
        encoder: in whose states.
        pairs: texts in normal form.
        links: of each pair, words from 0.
        layer: hidden state, 1 to L.
        kind: ``orthogonal`` or ``linear``.
        tokenised: words are what stands between spaces.
        languages: of both sides, where one is derived by what is done to pieces.

    Returns:
        [d, d] the matrix for vectors of the second side, and ``words``, ``before``, ``after``.

    Raises:
        UserError: if there are fewer linked words than dimensions.
    """
    d = encoder.width
    gram, cross = (torch.zeros(d, d, dtype=torch.float64) for _ in range(2))
    count, kept = 0, []
    every = zip(pairs, links, strict=True)
    config = SimilarityConfig(unit="word")
    while some := list(islice(every, _WINDOW)):
        linked = [(k, i, j) for k, (_, pair) in enumerate(some) for i, j in pair]
        sides = []
        for side, language in enumerate(languages):
            with encoder.speaking(language):
                sides.append(WordVectors(encoder, [text[side] for text, _ in some], layer, config, tokenised))
        first = sides[0].pick([(k, i) for k, i, _ in linked])
        second = sides[1].pick([(k, j) for k, _, j in linked])
        both = (first >= 0) & (second >= 0)
        y, x = (side.states[torch.from_numpy(at[both])].cpu().double() for side, at in
                zip(sides, (first, second), strict=True))  # fmt: skip
        gram += x.T @ x
        cross += x.T @ y
        count += len(x)
        kept.append((x[:200], y[:200]))
    if count < d:
        raise UserError(f"{count:,} linked words are fewer than the {d} dimensions of a vector", hint="give more pairs")
    if kind == "orthogonal":
        left, _, right = torch.linalg.svd(cross)
        matrix = left @ right
    elif kind == "linear":
        matrix = torch.linalg.solve(gram + 1e-3 * gram.trace() / d * torch.eye(d, dtype=torch.float64), cross)
    else:
        raise UserError(f"unknown kind {kind!r}", hint="orthogonal or linear")
    x, y = (torch.cat(part) for part in zip(*kept, strict=True))
    cosine = torch.nn.functional.cosine_similarity
    facts = {"words": count, "before": float(cosine(x, y).mean()), "after": float(cosine(x @ matrix, y).mean())}
    return matrix.float(), facts
