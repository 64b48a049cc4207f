"""The encoder: hidden states of views, and logits over the vocabulary at chosen positions."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from numbers import Real
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from paralign.batches.batching import split_by_length
from paralign.batches.rows import View, concatenate_views
from paralign.corpus.build import TextTokenizer
from paralign.device import best_device, limit_primitive_cache, on_device
from paralign.encoder import families, heads, hf
from paralign.encoder import tokenizer as tok
from paralign.encoder.chunks import padded_inputs, restoring_order
from paralign.encoder.hidden_states import HiddenStates
from paralign.encoder.loading import load_model, load_tokenizer
from paralign.encoder.sentences import EncodesText
from paralign.errors import UserError
from paralign.text.language_tags import canonical_tag

__all__ = ["Encoder"]

E = TypeVar("E", bound="Encoder")


class Encoder(EncodesText, nn.Module):
    """A Hugging Face encoder with its tokenizer: a masked LM where its family has one.

    Args:
        model: any ``...ForMaskedLM``; an encoder alone, which has no vocabulary head and gives no logits; or a causal
            language model without its head, which can be measured but not trained.
        tokenizer: the model's fast tokenizer.
        name: the name or path the user gave, used in messages.
        chunk_cost: how many positions of padding cost as much as encoding one more chunk of rows
            (:func:`paralign.batches.batching.split_by_length`). None: 256 on a CPU, 8,192 on an accelerator.

    Raises:
        UserError: if the tokenizer has more pieces than the model has embeddings.

    >>> encoder = Encoder.from_pretrained("paralign-mini")
    >>> encoder.layers, encoder.width
    (4, 256)
    >>> encoder.encode(["The dog sees the cat.", "A cat sleeps."]).shape
    (2, 256)
    """

    def __init__(self, model: Any, tokenizer: Any, *, name: str = "", chunk_cost: int | None = None) -> None:
        super().__init__()
        limit_primitive_cache()
        embeddings = model.get_input_embeddings().weight.shape[0]
        if len(tokenizer) > embeddings:
            raise UserError(
                f"the tokenizer has {len(tokenizer):,} pieces, the model only {embeddings:,} embeddings",
                where=name or None,
                hint="use the tokenizer that was saved with the model",
            )
        self.in_checkpoints = True
        """Whether checkpoints of training contain its weights."""
        self.model = model
        self.train(model.training)  # a module begins in training mode, a loaded model does not
        self.tokenizer = tokenizer
        self.name = name
        # Measured on a CPU at 4x256 and 12x768; on an accelerator the launches of a forward and a backward pass.
        self.chunk_cost = chunk_cost if chunk_cost is not None else 256 if best_device().type == "cpu" else 8_192
        self.uses_token_types = hf.uses_token_types(model)
        """Whether the model distinguishes segments by token types."""
        self.twin_offset = hf.twin_offset_of(model)
        """Difference between the ids of a twin and its piece, for languages derived by ``trans``; 0 without twins."""
        self.template = tok.probe_template(tokenizer, types=self.uses_token_types, twin_offset=self.twin_offset)
        self.causal = families.is_causal(model.config)
        """Whether it is a causal language model: it is only measured, and its first piece does not see the sentence."""
        self.has_head = hf.has_head(model)
        """Whether there is a vocabulary head, which :meth:`logits` needs."""
        self.head_is_new = bool(getattr(model, "head_is_new", False))
        """Whether the vocabulary head has random weights because the loaded model had none, and is not trained yet."""
        self.sync_chunk_count: Callable[[int], int] | None = None
        """Maps the number of chunks of a view to a number that is the same in all processes. None: not needed."""
        self._maps: dict[str, tuple[int, Tensor, Tensor]] = {}
        self.languages_mapped: set[str] = set()
        """Languages whose map (:meth:`use_map`) has been applied."""

    # -- creating and saving

    @classmethod
    def from_pretrained(
        cls: type[E],
        name: str | Path,
        *,
        chunk_cost: int | None = None,
        allow_causal: bool = False,
        quiet: bool = False,
    ) -> E:
        """Load an encoder from a folder or the Hugging Face hub. Only safetensors are read.

        Args:
            name: a folder, a name on the hub, or the name of an encoder that comes with paralign.
            chunk_cost: see :class:`Encoder`.
            allow_causal: whether it may be a causal language model, to measure it.
            quiet: print no notes about the model.

        Raises:
            UserError: if weights, config or tokenizer are missing or cannot be read, or if it is not an encoder.
        """
        if not isinstance(name, str | Path):
            message = f"from_pretrained was given an object of type {type(name).__name__}, not a name or folder"
            raise UserError(message, hint="for a loaded model, call Encoder(model, tokenizer)")
        model = load_model(str(name), allow_causal=allow_causal, quiet=quiet)
        tokenizer = load_tokenizer(str(name), needs_mask=not families.is_causal(model.config))
        return cls(model, tokenizer, name=str(name), chunk_cost=chunk_cost)

    @classmethod
    def from_scratch(
        cls: type[E],
        arch: str,
        tokenizer: Any,
        *,
        max_length: int = 512,
        dropout: float = 0.1,
        seed: int = 0,
        chunk_cost: int | None = None,
        twins: bool = False,
    ) -> E:
        """Create an encoder with random weights.

        Args:
            arch: ``family:LAYERSxWIDTH``, as in ``bert:4x256``; see :data:`paralign.encoder.families.ARCHITECTURES`.
            tokenizer: its tokenizer; a copy is used.
            max_length: maximum sequence length in pieces, special tokens included.
            dropout: dropout of hidden states and attention.
            seed: seed of the weights.
            chunk_cost: see :class:`Encoder`.
            twins: whether every piece gets a second embedding, its twin, for languages derived by ``trans``.

        Raises:
            UserError: for an unknown family or a shape that cannot be read.
        """
        model = families.build(arch, tokenizer, max_length=max_length, dropout=dropout, seed=seed, twins=twins)
        tokenizer = copy.deepcopy(tokenizer)
        tokenizer.model_max_length = max_length
        return cls(model, tokenizer, name=arch, chunk_cost=chunk_cost)

    def save_pretrained(self, folder: str | Path, *, weights: str = "fp32") -> None:
        """Write a folder that ``AutoModel.from_pretrained`` loads without paralign.

        A new vocabulary head that has not been trained (``head_is_new``) is left out.

        Args:
            folder: the folder to write to.
            weights: ``fp32``, or ``fp16`` for half the size. The folder still loads as fp32, and the weights of this
                encoder are rounded in the same way.

        Raises:
            UserError: for other weights, or if there is a file in the place of the folder.
        """
        folder = Path(folder)
        if weights not in ("fp32", "fp16"):
            raise UserError(f"weights cannot be saved as {weights!r}", where=folder, hint="use fp32 or fp16")
        if folder.exists() and not folder.is_dir():
            raise UserError("is a file, not a folder", where=folder, hint="give the folder to write the encoder to")
        write = hf.save_half if weights == "fp16" else hf.save
        write(self.model, folder, head=not (self.has_head and self.head_is_new))
        tok.save_tokenizer(self.tokenizer, folder)

    def copy_without_head(self) -> Encoder:
        """Return a copy without vocabulary head whose weights get no gradient, as for a momentum encoder."""
        model = heads.without_head(copy.deepcopy(self.model)).requires_grad_(False)
        return type(self)(model, self.tokenizer, name=self.name, chunk_cost=self.chunk_cost)

    # -- properties

    @property
    def width(self) -> int:
        """Size of a hidden state, d."""
        return hf.width_of(self.model)

    @property
    def layers(self) -> int:
        """Number of layers, L. Hidden states are numbered from 0 (embeddings) to L."""
        return hf.hidden_layers(self.model)

    @property
    def family(self) -> str:
        """Name of the family in transformers, as in ``xlm-roberta``."""
        return str(self.model.config.model_type)

    @property
    def accepts_positions(self) -> bool:
        """Whether the model accepts position ids, which ``views.restart_positions`` needs."""
        return hf.accepts_positions(self.model)

    @property
    def max_pieces(self) -> int:
        """Maximum sequence length of the model, special tokens included."""
        return hf.max_pieces(self.model, self.tokenizer)

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        parameter: nn.Parameter = next(self.model.parameters())
        return parameter.device

    @property
    def embeddings(self) -> nn.Parameter:
        """Weights of the input embeddings. Shape: [V, d]."""
        weight: nn.Parameter = self.model.get_input_embeddings().weight
        return weight

    def base_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of the encoder without its vocabulary head; embeddings are included."""
        return list(hf.base_of(self.model).parameters())

    def head_parameters(self) -> list[nn.Parameter]:
        """Return the parameters that only the vocabulary head uses; tied embeddings are not among them."""
        base = {id(p) for p in self.base_parameters()}
        return [p for p in self.model.parameters() if id(p) not in base]

    def parameter_count(self) -> int:
        """Return the number of weights; tied weights count once."""
        return sum(p.numel() for p in self.model.parameters())

    def digest(self) -> str:
        """Return a hash of weights, names and shapes: equal digests mean equal encoders."""
        return hf.weights_digest(self.model)

    # -- tokenization

    def tokenize(self, texts: list[str], language: str | None) -> list[tok.Pieces]:
        """Tokenize texts, without special tokens and without truncation.

        Args:
            texts: the texts.
            language: their language, which matters if it is derived by ``trans`` or ``tinv``. None: no particular one.

        Returns:
            For each text its piece ids, of shape [k], and their character offsets, of shape [k, 2].
        """
        return tok.tokenize(self.tokenizer, texts, language, twin_offset=self.twin_offset)

    def tokenize_words(self, words: list[str], language: str | None) -> list[tok.Pieces]:
        """Tokenize single words as they would be within a text; see :meth:`tokenize`."""
        return tok.tokenize_words(self.tokenizer, words, language, twin_offset=self.twin_offset)

    @property
    def tokenizer_id(self) -> str:
        """Fingerprint of the tokenizer: equal ids mean equal pieces."""
        return tok.tokenizer_id(self.tokenizer, twin_offset=self.twin_offset)

    @property
    def text_tokenizer(self) -> TextTokenizer:
        """The tokenizer, as a token store needs it."""
        return tok.text_tokenizer(self.tokenizer, twin_offset=self.twin_offset)

    # -- hidden states

    encode = EncodesText.encode  # so that it is documented with this class

    def layer_number(self, layer: float, *, least: int = 0) -> int:
        """Return the number of a hidden state, 0 (embeddings) to L.

        Args:
            layer: a number, which counts from the end if negative (-1: the last), or a fraction of the depth: a
                ``float`` above 0, up to 1.0 (the last).
            least: the smallest number that can be used: 1 where the embeddings cannot.

        Raises:
            UserError: if there is no such layer.

        >>> encoder = Encoder.from_pretrained("paralign-mini")
        >>> [encoder.layer_number(layer) for layer in (2, -1, 0.5, 1.0, 1)]
        [2, 4, 2, 4, 1]
        """
        if not isinstance(layer, Real) or isinstance(layer, bool):
            number = -1
        elif isinstance(layer, float) and 0 < layer <= 1:
            number = round(layer * self.layers)
        else:
            number = int(layer) + (self.layers + 1) * (layer < 0) if float(layer).is_integer() else -1
        if not least <= number <= self.layers:
            first = "0 (embeddings)" if least == 0 else least
            hint = f"layers are {first} to {self.layers}, -1 is the last, and 0.67 is two thirds of the depth"
            raise UserError(f"there is no layer {layer!r}", where=self.name or None, hint=hint)
        return number

    def encode_views(self, requests: Sequence[tuple[View, Sequence[int]]]) -> list[list[HiddenStates]]:
        """Return hidden states of several views.

        On an accelerator their rows are encoded together. There, a step of 128 pairs spends most of its time on
        launching kernels, so a few large chunks are faster than many small ones, although they contain more padding.

        Args:
            requests: each view with the numbers of its layers.
        """
        if not self.encodes_together or len(requests) < 2:
            return [self.encode_layers(view, layers) for view, layers in requests]
        numbers = sorted({layer for _, layers in requests for layer in layers})
        states = self.encode_layers(concatenate_views([view for view, _ in requests]), numbers)
        sizes = [len(view.ids) for view, _ in requests]
        parts = {number: of_layer.flat.split(sizes) for number, of_layer in zip(numbers, states, strict=True)}
        return [[HiddenStates(parts[n][k], view) for n in layers] for k, (view, layers) in enumerate(requests)]

    def chunk_shapes(self, views: Sequence[View]) -> list[tuple[int, int]]:
        """Return rows and padded length of each chunk that :meth:`encode_views` encodes."""
        rows = [view.lengths for view in views]
        rows = [np.concatenate(rows)] if rows and self.encodes_together else rows
        return [
            (len(chunk), self._padded_length(int(lengths[chunk].max())))
            for lengths in rows
            for chunk in split_by_length(lengths, self.chunk_cost)
            if len(chunk)
        ]

    @property
    def encodes_together(self) -> bool:
        """Whether the views of a step are encoded together, which is faster on accelerators."""
        return self.device.type != "cpu"

    def _padded_length(self, longest: int) -> int:
        """Return the length to which the rows of a chunk are padded.

        On CUDA, cuDNN plans attention for every new shape, which takes longer than a step.
        """
        longest = max(1, longest)
        return longest if self.device.type == "cpu" else min(-(-longest // 8) * 8, self.max_pieces)

    def encode_layers(self, view: View, layers: Sequence[int]) -> list[HiddenStates]:
        """Encode a view once and return the hidden states of several layers.

        Args:
            view: the rows to encode.
            layers: numbers of hidden states, 0 (embeddings) to L (last).

        Raises:
            UserError: if a row is longer than the model accepts.
        """
        longest = int(view.lengths.max(initial=0))
        if longest > self.max_pieces:
            raise UserError(
                f"a row of {longest} pieces is longer than the model's {self.max_pieces}",
                hint="lower data.max_pieces",
            )
        order = split_by_length(view.lengths, self.chunk_cost) if len(view.lengths) else []
        chunks = len(order) if self.sync_chunk_count is None else self.sync_chunk_count(len(order))
        if not chunks:  # a slice without rows
            return [HiddenStates(self.embeddings.new_zeros(0, self.width), view) for _ in layers]
        parts: list[list[Tensor]] = [[] for _ in layers]
        for rows in order + [None] * (chunks - len(order)):
            length = self._padded_length(0 if rows is None else int(view.lengths[rows].max()))
            arrays, inside = padded_inputs(view, rows, length, self.template.pad_id, types=self.uses_token_types)
            if "position_ids" in arrays:
                arrays["position_ids"] += hf.first_position(self.model)
            inputs = {name: on_device(array, self.device) for name, array in arrays.items()}
            keep = on_device(np.flatnonzero(inside), self.device)
            for part, states in zip(parts, hf.hidden_states(self.model, layers, inputs), strict=True):
                part.append(states.reshape(-1, states.shape[-1]).index_select(0, keep))
        undo = on_device(restoring_order(view, order), self.device)
        flat = [torch.cat(part).index_select(0, undo) for part in parts]
        if view.language in self._maps:
            mapped, matrix, bias = self._maps[view.language]
            self.languages_mapped |= {view.language} if mapped in layers else set()
            flat = [s @ matrix.to(s) + bias.to(s) if k == mapped else s for s, k in zip(flat, layers, strict=True)]
        return [HiddenStates(states, view) for states in flat]

    def use_map(self, language: str, layer: float, matrix: Tensor, bias: Tensor | None = None) -> None:
        """Map the hidden states of a layer wherever sentences of a language are encoded.

        Args:
            language: the language, as in :meth:`encode`.
            layer: the hidden state, as in :meth:`layer_number`.
            matrix: applied from the right. Shape: [d, d].
            bias: added afterwards. None: zero. Shape: [d].

        Raises:
            UserError: if there is no such layer or language.
        """
        bias = matrix.new_zeros(len(matrix)) if bias is None else bias
        layer = self.layer_number(layer)
        self._maps[canonical_tag(language)] = layer, matrix.to(self.device), bias.to(self.device)

    # -- logits

    def logits(self, states: Tensor, dense: nn.Module | None = None) -> Tensor:
        """Return the logits over the vocabulary, from the model's own masked-LM head.

        Args:
            states: last hidden states, usually at masked positions only. Shape: [M, d].
            dense: takes the place of :meth:`head_dense`; the rest of the head is shared. None: the model's own.

        Returns:
            The logits, of shape [M, V].

        Raises:
            UserError: if the model has no vocabulary head, or, with ``dense``, one without a dense layer.
        """
        self.require_head("computing logits")
        return heads.head_logits(self.model, states, dense)

    def require_head(self, purpose: str) -> None:
        """Raise an error if there is no vocabulary head.

        Args:
            purpose: what needs one, for the message.

        Raises:
            UserError: if there is none.
        """
        if not self.has_head:
            message = f"{purpose} needs a vocabulary head, and {self.family} models have none"
            hint = "use a masked LM, or an objective without logits, such as moco or in_batch"
            raise UserError(message, where=self.name or None, hint=hint)

    def head_dense(self) -> nn.Linear:
        """Return the first dense layer of the vocabulary head, d → d.

        Raises:
            UserError: if there is no head, or one without a dense layer.
        """
        self.require_head("this layer")
        return heads.head_dense(self.model)
