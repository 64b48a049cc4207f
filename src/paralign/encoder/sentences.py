"""Vectors of sentences: texts are tokenized, encoded in batches of similar length, and pooled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, Protocol, overload

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from paralign.batches.batching import BUDGET, batches_by_length
from paralign.batches.rows import View, assemble
from paralign.config import did_you_mean
from paralign.encoder.hidden_states import POOLINGS, HiddenStates
from paralign.encoder.layer_cache import layers_of
from paralign.errors import UserError
from paralign.ragged import batched
from paralign.text.language_tags import canonical_tag
from paralign.text.normalization import lone_surrogate

__all__ = [
    "EncodesText",
    "EncodesViews",
    "check_pooling",
    "cut_pieces",
    "encoded",
    "sentence_vectors",
    "sentence_view",
]

Pieces = Sequence[npt.NDArray[np.int64]]
Vectors = npt.NDArray[np.float32]
_BLOCK = 10_000
"""Number of texts that are tokenized at once: offsets take more memory than pieces."""
_ARGUMENTS = ("language", "pool", "layer", "normalize_embeddings", "convert_to_tensor")
_INSTEAD = {
    "batch_size": "leave it out: texts of similar length are encoded together",
    "show_progress_bar": "leave it out: there is none",
    "convert_to_numpy": "leave it out: the result is an array, or with convert_to_tensor=True a tensor",
    "device": "use encoder.to(device) before",
    "prompt": "put the prompt in front of the texts",
    "prompt_name": "put the prompt in front of the texts",
    "pooling": "use pool",
}
"""Argument of ``SentenceTransformer.encode`` and the like -> what to do instead."""


class EncodesViews(Protocol):
    """What sentence vectors need of an encoder."""

    training: bool
    template: Any
    causal: bool
    name: str

    @property
    def layers(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def max_pieces(self) -> int: ...
    @property
    def device(self) -> torch.device: ...
    def layer_number(self, layer: float) -> int: ...
    def tokenize(self, texts: list[str], language: str | None) -> list[Any]: ...
    def encode_layers(self, view: View, layers: Sequence[int]) -> list[HiddenStates]: ...
    def train(self, mode: bool = True) -> Any: ...


class EncodesText:
    """Gives an encoder the method :meth:`encode`."""

    @overload
    def encode(self: EncodesViews, texts: View) -> HiddenStates: ...
    @overload
    def encode(
        self: EncodesViews,
        texts: str | Sequence[str],
        language: str | None = ...,
        *,
        pool: str = ...,
        layer: float = ...,
        normalize_embeddings: bool = ...,
        convert_to_tensor: Literal[False] = ...,
    ) -> Vectors: ...
    @overload
    def encode(
        self: EncodesViews,
        texts: str | Sequence[str],
        language: str | None = ...,
        *,
        pool: str = ...,
        layer: float = ...,
        normalize_embeddings: bool = ...,
        convert_to_tensor: Literal[True],
    ) -> Tensor: ...

    def encode(
        self: EncodesViews,
        texts: str | Sequence[str] | View,
        language: str | None = None,
        *,
        pool: str = "mean",
        layer: float = -1,
        normalize_embeddings: bool = False,
        convert_to_tensor: bool = False,
        **other: Any,
    ) -> Vectors | Tensor | HiddenStates:
        """Return sentence vectors in the form of ``SentenceTransformer.encode``: in fp32, without dropout or gradient.

        Texts of similar length are encoded together, on the device of the encoder (``encoder.to("cuda")`` moves it).
        Texts that are longer than the encoder accepts are cut. :meth:`tokenize` and :meth:`encode_layers` are the steps
        below this method; a :class:`~paralign.batches.rows.View` instead of texts gives its last hidden states, with
        gradient.

        Args:
            texts: n sentences, or a single one.
            language: their language. It matters if the encoder has a map for it (:meth:`use_map`), or if it is derived
                by ``trans`` or ``tinv``. None: no particular one.
            pool: ``mean`` over pieces, special ones excluded (sentence-transformers includes them: its vectors
                differ); ``cls``, the first piece, which suits encoders aligned with MoCo; or ``last``, the last piece,
                for causal language models.
            layer: hidden state, as in :meth:`layer_number`: 0 is the embeddings, -1 the last, 0.67 two thirds of the
                depth.
            normalize_embeddings: divide each vector by its length, so that dot products are cosines.
            convert_to_tensor: return a tensor on the device of the encoder instead of a NumPy array.
            other: nothing. For other arguments of ``SentenceTransformer.encode``, the error says what to do instead.

        Returns:
            The vectors, of shape [n, d]; [d] for a single text.

        Raises:
            UserError: for texts that are not strings or have a lone surrogate, an unknown language or pooling, ``cls``
                for a causal language model, or a layer that does not exist.
            TypeError: for any other argument.

        >>> from paralign import Encoder
        >>> encoder = Encoder.from_pretrained("paralign-mini")
        >>> encoder.encode(["The dog sleeps.", "A cat sees the house."], language="en").shape
        (2, 256)
        >>> english, german = encoder.encode(["The dog sleeps.", "Der Hund schläft."], normalize_embeddings=True)
        >>> 0 < float(english @ german) < 1
        True
        """
        for name in other:
            hint = _INSTEAD.get(name) or did_you_mean(name, _ARGUMENTS)
            raise TypeError(f"encode() has no argument {name!r} ({hint})")
        if isinstance(texts, View):
            return self.encode_layers(texts, [self.layers])[0]
        if pool not in POOLINGS:
            raise UserError(f"unknown pooling {pool!r}", hint=did_you_mean(str(pool), POOLINGS))
        sentences = list(texts) if isinstance(texts, Iterable) and not isinstance(texts, str) else [texts]
        wrong = [type(text).__name__ for text in sentences if not isinstance(text, str)]
        if wrong:
            raise UserError(f"texts are strings, not {wrong[0]}", hint="encode(list_of_strings)")
        for number, text in enumerate(sentences):
            if lone_surrogate(text):
                hint = 'remove it, as with text.encode("utf-8", "ignore").decode()'
                raise UserError(f"text {number} has a lone surrogate, which is no character: {text[:50]!r}", hint=hint)
        language = None if language is None else canonical_tag(language)
        pools, _ = sentence_vectors(self, sentences, language, pools=[pool], layer=self.layer_number(layer))
        vectors = pools[pool]
        if normalize_embeddings:
            lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
            vectors = vectors / np.maximum(lengths, np.finfo(np.float32).tiny)
        vectors = vectors[0] if isinstance(texts, str) else vectors
        return torch.from_numpy(vectors).to(self.device) if convert_to_tensor else vectors


def check_pooling(encoder: EncodesViews, pool: str) -> None:
    """Check that a pooling says something about the sentence.

    Raises:
        UserError: for ``cls`` of a causal language model.
    """
    if pool == "cls" and encoder.causal:
        message = "the first piece of a causal language model does not depend on the sentence after it"
        raise UserError(message, where=encoder.name or None, hint="use the pooling last or mean")


def sentence_view(encoder: EncodesViews, pieces: Pieces, language: str | None) -> View:
    """Return a view of single sentences.

    Args:
        encoder: gives the special tokens around a sentence.
        pieces: ids of each sentence, without special tokens.
        language: their language, for the encoder's maps. None: no particular one.
    """
    prefix, suffix = encoder.template.single
    lengths = np.array([len(p) for p in pieces], np.int64)
    flat = np.concatenate(pieces) if len(pieces) else np.empty(0, np.int64)
    rows = np.arange(len(pieces))
    ids, types, total, special = assemble([prefix, (flat, lengths), suffix], (0, 0, 0), len(pieces))
    none = np.empty(0, np.int64)
    return View(ids, types, total, rows, special, none, none, language=language)


def cut_pieces(encoder: EncodesViews, texts: list[str], language: str | None) -> tuple[Pieces, int]:
    """Return the pieces of texts, truncated to the encoder's maximum sequence length, and how many were truncated."""
    longest = encoder.max_pieces - encoder.template.special_pieces()
    pieces: list[npt.NDArray[np.int64]] = []
    for block in batched(texts, _BLOCK):
        pieces += (ids for ids, _ in encoder.tokenize(block, language))
    return [p[:longest] for p in pieces], sum(len(p) > longest for p in pieces)


def encoded(
    encoder: EncodesViews, pieces: Pieces, language: str | None, layers: Sequence[int], budget: int = BUDGET
) -> Iterator[tuple[list[int], list[HiddenStates]]]:
    """Yield the numbers of sentences of similar length and their states of each layer, without dropout."""
    training = encoder.training
    encoder.train(False)
    try:
        for rows in batches_by_length([len(ids) + 2 for ids in pieces], budget):
            view = sentence_view(encoder, [pieces[r] for r in rows], language)
            yield rows, encoder.encode_layers(view, layers)
    finally:
        encoder.train(training)


@torch.no_grad()
def sentence_vectors(
    encoder: EncodesViews,
    texts: list[str],
    language: str | None,
    *,
    pools: Sequence[str],
    layer: int | None = None,
    budget: int = BUDGET,
) -> tuple[dict[str, Vectors], int]:
    """Return sentence vectors, in fp32 and without dropout.

    Args:
        encoder: the encoder; its training mode is restored.
        texts: n sentences.
        language: their language, for the encoder's maps and for derived languages. None: no particular one.
        pools: ``cls`` (first piece), ``mean`` (over pieces, special ones excluded), ``last`` (last piece); one or more.
        layer: number of the hidden state, 0 for the embeddings. None: the last.
        budget: number of padded pieces encoded at once.

    Returns:
        The vectors by pooling, of shape [n, d], and the number of sentences that were truncated.

    >>> from paralign.encoder import Encoder
    >>> encoder = Encoder.from_pretrained("paralign-mini")
    >>> vectors, cut = sentence_vectors(encoder, ["The dog sleeps.", "A cat sleeps."], "en", pools=["mean"])
    >>> vectors["mean"].shape, cut
    ((2, 256), 0)
    """
    for pool in pools:
        check_pooling(encoder, pool)
    pieces, cut = cut_pieces(encoder, texts, language)

    def pooled(layers: Sequence[int]) -> list[dict[str, Vectors]]:
        out = [{pool: np.zeros((len(texts), encoder.width), np.float32) for pool in pools} for _ in layers]
        for rows, hidden in encoded(encoder, pieces, language, layers, budget):
            for vectors, states in zip(out, hidden, strict=True):
                for pool in pools:
                    vectors[pool][rows] = states.pool(pool).float().cpu().numpy()
        return out

    (vectors,) = layers_of(
        lambda: (id(encoder), language, tuple(pools), budget, tuple(texts)),
        [encoder.layers if layer is None else layer],
        encoder.layers + 1,
        len(texts) * encoder.width * 4 * len(pools),
        pooled,
    )
    return vectors, cut
