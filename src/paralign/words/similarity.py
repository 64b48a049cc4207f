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

from paralign.console import progress_lines
from paralign.device import best_device
from paralign.encoder import Encoder
from paralign.encoder.precision import choose_precision
from paralign.errors import UserError
from paralign.ragged import batched, row_positions, unique_rows
from paralign.words.base import Aligner, AlignerConfig, AlignerOptions, WordPair
from paralign.words.matching import best_matches, itermax, transport_plan
from paralign.words.size_groups import group_similar_sizes
from paralign.words.symmetrization import symmetrize
from paralign.words.word_links import WordLinks
from paralign.words.word_vectors import Unit, WordVectors, link_layer

__all__ = ["SimilarityAligner", "SimilarityConfig", "align_by_similarity", "link_vectors"]

_WINDOW = 2_000
"""Sentence pairs that are encoded at once, sorted by length."""
_CELLS, _CELLS_OF_ACCELERATOR = 1 << 17, 1 << 21
"""Similarities that are computed at once, with padding."""
_PROGRESS_PAIRS = 10_000
Mask = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Padded = tuple[Tensor, Tensor]
"""Vectors and their mask, as of :meth:`WordVectors.padded`."""


class SimilarityConfig(AlignerConfig):
    """Settings of ``similarity``."""

    matching: Literal["argmax", "itermax", "softmax", "transport"] = "transport"
    """``transport``: the largest entry of each row and column of a transport plan. ``argmax``: the most similar
    counterpart, in each direction. ``itermax``: mutually most similar words, then again among the words without a link.
    ``softmax``: probabilities above ``threshold``, in each direction. All but ``itermax`` give two directions, which
    are combined by the symmetrization."""
    layer: int | float | None = None
    """Hidden state: 0 for the embeddings, -1 for the last, or a fraction of the depth such as 0.67. Default: 7/12 of
    the layers, rounded (7 of 12, 2 of 4)."""
    unit: Unit = "both"
    """``piece``: link tokenizer pieces, and words if any of their pieces are linked. ``word``: link words by the mean
    vector of their pieces. ``both``: link pieces by the mean of their own vector and their word's."""
    threshold: float = Field(default=1e-3, gt=0, lt=1)
    """Smallest probability of a link, for ``softmax``."""
    rounds: int = Field(default=2, ge=1)
    """Number of rounds, for ``itermax``."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Precision of the encoder. bf16 is faster where the hardware supports it, and changes some links."""
    smoothing: float = Field(default=0.1, gt=0)
    """Weight of the entropy of the transport plan, in units of cosine, for ``transport``."""


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
        if config.matching == "itermax" and options.symmetrize is not None:
            hint = "leave --symmetrize out, or add --set words.matching=transport"
            raise UserError("itermax has no two directions to combine", hint=hint)
        assert options.model is not None
        self.encoder = Encoder.from_pretrained(options.model, allow_causal=True, quiet=options.quiet).to(best_device())
        choose_precision(config.precision, [self.encoder], option="--set words.precision=fp32")  # refuses bf16

    def read(self, pairs: Iterable[WordPair]) -> None:
        self.texts = [pair.texts for pair in pairs]  # the encoder needs no words

    def align(self, count: int) -> WordLinks:
        text = f"linked {{:,}} of {count:,} pairs"
        return align_by_similarity(
            self.encoder,
            islice(self.texts, count),
            self.config,
            method=self.symmetrization,
            tokenized=self.options.tokenized,
            languages=self.options.spec.languages,
            progress=progress_lines(_PROGRESS_PAIRS, text, last=count, quiet=self.options.quiet),
        )


def align_by_similarity(
    encoder: Encoder,
    pairs: Iterable[tuple[str, str]],
    config: SimilarityConfig,
    *,
    method: str = "intersect",
    tokenized: bool = False,
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
        tokenized: words are separated by spaces. Default: words are found in the text.
        languages: languages of both sides, for encoders that treat one of them differently (a linear map, a derived
            language). Default ``None``: not known.
        progress: called with the number of pairs that are done. Default ``None``: no progress.

    Raises:
        UserError: for a layer that the encoder does not have.
    """
    layer = link_layer(encoder, config.layer)
    parts: list[Ints] = []
    done = 0
    for window in batched(pairs, _WINDOW):
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
                    tokenized=tokenized,
                )
            )
        found = link_vectors(sides[0], sides[1], config, method)
        found[:, 0] += done
        parts.append(found)
        done += len(window)
        if progress is not None:
            progress(done)
    links = np.concatenate([np.empty((0, 3), np.int64), *parts])
    return WordLinks.from_arrays(done, [links[:, 0]], [links[:, 1]], [links[:, 2]])


def link_vectors(source: WordVectors, target: WordVectors, config: SimilarityConfig, method: str) -> Ints:
    """Link the words of sentence pairs whose vectors are given.

    Args:
        source: vectors of the source sentences.
        target: vectors of the target sentences.
        config: the matching; layer, unit and precision are those of the vectors.
        method: how both directions are combined, see :func:`paralign.words.symmetrization.symmetrize`.

    Returns:
        Pair, source word and target word of each link, sorted, of shape [links, 3].
    """
    parts: list[Ints] = []
    most = _CELLS if source.states.device.type == "cpu" else _CELLS_OF_ACCELERATOR
    for block in _blocks(source.sizes, target.sizes, most):
        k, i, j = np.nonzero(_links(source.padded(block), target.padded(block), config, method))
        pair = block[k]
        count, first, second = _expand_words(source.word_ranges(pair, i), target.word_ranges(pair, j))
        parts.append(np.stack([np.repeat(pair, count), first, second], 1))
    # Several links between pieces may be the same link between words.
    return unique_rows(np.concatenate([np.empty((0, 3), np.int64), *parts]))


def _blocks(m: Ints, n: Ints, most: int) -> Iterator[Ints]:
    """Yield the pairs that have words on both sides, in groups of similar sizes."""
    order = np.lexsort((n, m // 4))
    order = order[(m[order] > 0) & (n[order] > 0)]
    if len(order):
        yield from group_similar_sizes(order, m, n, most)


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
    with torch.autocast(inside.device.type, enabled=False):  # of evaluation: only the encoder is computed in bf16
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
