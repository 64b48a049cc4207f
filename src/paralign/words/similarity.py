"""The aligner ``similarity``: words whose vectors in an encoder are similar.

``argmax`` and ``itermax`` are the methods of SimAlign (Jalili Sabet et al. 2020), ``softmax`` is that of awesome-align
(Dou and Neubig 2021). ``transport`` links words by an entropic optimal transport plan, as XLM-Align does (Chi et al.
2021). Nothing is trained.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor

from paralign.console import echo
from paralign.device import best_device
from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.ragged import row_positions
from paralign.words.size_groups import group_similar_sizes
from paralign.words.base import Aligner, AlignerConfig, AlignerOptions
from paralign.words.matching import best_matches, itermax, transport_plan
from paralign.words.symmetrization import symmetrize
from paralign.words.word_links import WordLinks
from paralign.words.word_vectors import WordVectors

__all__ = ["SimilarityAligner", "SimilarityConfig", "align_by_similarity"]

_WINDOW = 2_000
"""Sentence pairs that are encoded at once, sorted by length."""
_PROGRESS_PAIRS = 10_000
Mask = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Padded = tuple[Tensor, Tensor]
"""Vectors and their mask, as of :meth:`WordVectors.padded`."""


class SimilarityConfig(AlignerConfig):
    """Settings of ``similarity``."""

    matching: Literal["argmax", "itermax", "softmax", "transport"] = "itermax"
    """``argmax``: the most similar counterpart, in each direction. ``itermax``: mutually most similar words, then again
    among the words without a link. ``softmax``: probabilities above ``threshold``, in each direction. ``transport``:
    the largest entry of each row and column of a transport plan. All but ``itermax`` give two directions, which are
    combined by the symmetrization."""
    layer: int | None = Field(default=None, ge=0)
    """Hidden state, 0 for the embeddings. Default: two thirds of the layers (8 of 12)."""
    unit: Literal["piece", "word"] = "piece"
    """``piece``: link tokenizer pieces, and words if any of their pieces are linked. ``word``: link words by the mean
    vector of their pieces."""
    threshold: float = Field(default=1e-3, gt=0, lt=1)
    """Smallest probability of a link, for ``softmax``."""
    rounds: int = Field(default=2, ge=1)
    """Number of rounds, for ``itermax``."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Precision of the encoder. bf16 is faster where the hardware supports it, and changes some links."""
    smoothing: float = Field(default=0.1, gt=0)
    """Weight of the entropy of the transport plan, in units of cosine."""


class SimilarityAligner(Aligner):
    """Links between words with similar vectors in an encoder (``--model``); nothing is trained."""

    name: ClassVar[str] = "similarity"
    Config: ClassVar[type[AlignerConfig]] = SimilarityConfig
    accepts: ClassVar[frozenset[str]] = frozenset({"model"})
    requires: ClassVar[frozenset[str]] = frozenset({"model"})
    default_symmetrization: ClassVar[str] = "intersect"
    config: SimilarityConfig

    def __init__(self, config: SimilarityConfig, options: AlignerOptions) -> None:
        super().__init__(config, options)
        if config.matching == "itermax" and options.symmetrise is not None:
            hint = "leave --symmetrise out, or add --set words.matching=argmax"
            raise UserError("itermax has no two directions to combine", hint=hint)
        assert options.model is not None
        self.encoder = Encoder.from_pretrained(options.model).to(best_device())

    def align(self, count: int) -> WordLinks:
        reported = 0

        def progress(done: int) -> None:
            nonlocal reported
            if done - reported >= _PROGRESS_PAIRS or done == count:
                reported = done
                echo(f"linked {done:,} of {count:,} pairs", quiet=self.options.quiet)

        return align_by_similarity(
            self.encoder,
            (pair.texts for pair in self.pairs[:count]),
            self.config,
            method=self.symmetrization,
            tokenised=self.options.tokenised,
            languages=self.options.spec.languages,
            progress=progress,
        )


def align_by_similarity(
    encoder: Encoder,
    pairs: Iterable[tuple[str, str]],
    config: SimilarityConfig,
    *,
    method: str = "intersect",
    tokenised: bool = False,
    languages: tuple[str | None, str | None] = (None, None),
    progress: Callable[[int], None] | None = None,
) -> WordLinks:
    """Link the words of sentence pairs by the similarity of their vectors.

    Args:
        encoder: the encoder. Its mode (training or evaluation) does not change.
        pairs: normalized texts; a side may be empty. Sentences longer than the encoder's maximum are read in windows
            that overlap by half.
        config: layer and matching.
        method: how both directions are combined, see :func:`paralign.words.symmetrization.symmetrize`.
        tokenised: words are separated by spaces. Default: words are found in the text.
        languages: languages of both sides, for encoders that treat one of them differently (a linear map, a derived
            language). Default ``None``: not known.
        progress: called with the number of pairs that are done. Default ``None``: no progress.

    Raises:
        UserError: for a layer that the encoder does not have.
    """
    layer = -(-2 * encoder.layers // 3) if config.layer is None else config.layer
    if layer > encoder.layers:
        hint = f"the last is {encoder.layers}"
        raise UserError(f"the encoder has no layer {layer}", where=encoder.name or None, hint=hint)
    rows: list[Ints] = []
    words: tuple[list[Ints], list[Ints]] = ([], [])
    done = 0
    for window in _windows(pairs):
        sides: list[WordVectors] = []
        for side, language in enumerate(languages):
            sides.append(
                WordVectors(
                    encoder,
                    [pair[side] for pair in window],
                    language,
                    layer=layer,
                    unit=config.unit,
                    normalize=config.matching != "softmax",
                    bf16=config.precision == "bf16",
                    tokenised=tokenised,
                )
            )
        for block in _blocks(sides[0].sizes, sides[1].sizes):
            k, i, j = np.nonzero(_links(sides[0].padded(block), sides[1].padded(block), config, method))
            pair = block[k]
            count, source, target = _expand_words(sides[0].word_ranges(pair, i), sides[1].word_ranges(pair, j))
            rows.append(np.repeat(pair, count) + done)
            words[0].append(source)
            words[1].append(target)
        done += len(window)
        if progress is not None:
            progress(done)
    # Several links between pieces may be the same link between words.
    columns = [np.concatenate([np.empty(0, np.int64), *parts]) for parts in (rows, *words)]
    unique = np.unique(np.stack(columns, 1), axis=0)
    return WordLinks.from_arrays(done, [unique[:, 0]], [unique[:, 1]], [unique[:, 2]])


def _windows(pairs: Iterable[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    iterator = iter(pairs)
    while window := list(islice(iterator, _WINDOW)):
        yield window


def _blocks(m: Ints, n: Ints) -> Iterator[Ints]:
    """Yield the pairs that have words on both sides, in groups of similar sizes."""
    order = np.lexsort((n, m // 4))
    order = order[(m[order] > 0) & (n[order] > 0)]
    if len(order):
        yield from group_similar_sizes(order, m, n)


def _expand_words(source: tuple[Ints, Ints], target: tuple[Ints, Ints]) -> tuple[Ints, Ints, Ints]:
    """Return the links between all words of linked pieces: a piece may cover several words.

    Args:
        source: first and last source word of each link.
        target: first and last target word of each link.

    Returns:
        how many links between words each link gives, and the source and target words of these.
    """
    width = target[1] - target[0] + 1
    count = (source[1] - source[0] + 1) * width
    position, widths = row_positions(count), np.repeat(width, count)
    return count, np.repeat(source[0], count) + position // widths, np.repeat(target[0], count) + position % widths


def _links(source: Padded, target: Padded, config: SimilarityConfig, method: str) -> Mask:
    """Return ``[k, m, n]`` the links between the vectors of a block of sentence pairs."""
    inside = source[1].unsqueeze(2) & target[1].unsqueeze(1)
    values = torch.bmm(source[0], target[0].transpose(1, 2))
    if config.matching == "itermax":
        return itermax((values + 1) / 2, inside, config.rounds).cpu().numpy()
    if config.matching == "softmax":
        values = values.masked_fill_(~inside, -torch.inf)
        forward, backward = ((torch.softmax(values, dim) > config.threshold) & inside for dim in (1, 2))
    else:
        if config.matching == "transport":
            values = transport_plan(values, source[1], target[1], config.smoothing)
        forward, backward = best_matches(values, inside)
    return symmetrize(forward.cpu().numpy(), backward.cpu().numpy(), method)
