"""The encoder: hidden states of views without padding in sight, and vocabulary scores where they are wanted."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from paralign.device import best_device, on_device
from paralign.encoder import families, heads, hf
from paralign.encoder import tokenizer as tok
from paralign.errors import UserError
from paralign.text.batching import split_by_length
from paralign.text.views import View

__all__ = ["Encoder", "States", "raw_bytes"]

E = TypeVar("E", bound="Encoder")


class States:
    """Hidden states of a view, rows laid end to end as in the view itself.

    Attributes:
        flat: [T, d] states of every piece, specials included.
        view: the view they belong to.
    """

    def __init__(self, flat: Tensor, view: View) -> None:
        self.flat = flat
        self.view = view

    def at(self, positions: npt.NDArray[np.int64]) -> Tensor:
        """[M, d] states of chosen pieces."""
        return self.flat.index_select(0, on_device(positions, self.flat.device))

    def cls(self) -> Tensor:
        """[B, d] state of each row's first piece, [CLS] or <s>."""
        return self.at(self.view.starts)

    def mean(self) -> Tensor:
        """[B, d] mean over each row's pieces without specials; zero for a row without any."""
        inner = np.flatnonzero(~self.view.special)
        row = np.repeat(np.arange(len(self.view.lengths)), self.view.lengths)[inner]
        count = np.bincount(row, minlength=len(self.view.lengths))
        rows = on_device(row, self.flat.device)
        total = self.flat.new_zeros(len(count), self.flat.shape[1], dtype=torch.float32)
        total = total.index_add(0, rows, self.at(inner).float())
        return total / on_device(np.maximum(count, 1).astype(np.float32), total.device)[:, None]

    def pool(self, how: str) -> Tensor:
        """[B, d] sentence vectors, ``cls`` or ``mean``."""
        if how not in ("cls", "mean"):
            raise ValueError(f"pool is 'cls' or 'mean', not {how!r}")
        return self.cls() if how == "cls" else self.mean()


class Encoder(nn.Module):
    """Thin owner of a Hugging Face encoder, a masked LM where its family has one, and its tokenizer.

    Args:
        model: any ``...ForMaskedLM``; or an encoder alone, which has no vocabulary scores.
        tokenizer: its fast tokenizer.
        name: how the user called it.
        chunk_cost: what one more chunk of rows costs, in positions (:func:`paralign.text.batching.split_by_length`);
            by default what it does on this machine.
    """

    def __init__(self, model: Any, tokenizer: Any, *, name: str = "", chunk_cost: int | None = None) -> None:
        super().__init__()
        if len(tokenizer) > model.get_input_embeddings().weight.shape[0]:
            raise UserError(
                f"the tokenizer has {len(tokenizer):,} pieces, the model only "
                f"{model.get_input_embeddings().weight.shape[0]:,} embeddings",
                where=name or None,
            )
        self.model = model
        self.tokenizer = tokenizer
        self.name = name
        # Measured on a CPU at 4x256 and 12x768; on an accelerator the launches of a forward and a backward pass.
        self.chunk_cost = chunk_cost if chunk_cost is not None else 256 if best_device().type == "cpu" else 2_048
        self.types = hf.takes_types(model)
        self.twins = hf.twins_of(model)
        """What a piece and its twin differ by, for languages derived by ``trans``; 0 where there are none."""
        self.template = tok.probe_template(tokenizer, types=self.types, twins=self.twins)
        self._head = heads.head_of(model) if hf.has_head(model) else None
        self.together: Callable[[int], int] | None = None
        """Makes the number of chunks a view is encoded in the same in all processes, where that matters."""
        self._maps: dict[str, tuple[int, Tensor]] = {}
        self._language: str | None = None
        self.mapped: set[str] = set()
        """Languages whose map has been used."""

    # -- making and saving

    @classmethod
    def from_pretrained(cls: type[E], name: str | Path, *, chunk_cost: int | None = None) -> E:
        """Load an encoder from a folder or the hub (safetensors only).

        Raises:
            UserError: naming what is missing.
        """
        return cls(hf.load_model(str(name)), hf.load_tokenizer(str(name)), name=str(name), chunk_cost=chunk_cost)

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
        """An encoder with random weights, ``arch`` as in ``bert:4x256``; with ``twins`` a second row for each piece."""
        model = families.build(arch, tokenizer, max_length=max_length, dropout=dropout, seed=seed, twins=twins)
        tokenizer = copy.deepcopy(tokenizer)
        tokenizer.model_max_length = max_length
        return cls(model, tokenizer, name=arch, chunk_cost=chunk_cost)

    def save_pretrained(self, folder: Path, *, weights: str = "fp32") -> None:
        """Write a plain folder that ``AutoModel.from_pretrained`` loads without paralign.

        Args:
            folder: where to.
            weights: ``fp16`` halves the file; loaded they are fp32 again. This encoder's own are rounded to match.
        """
        if weights == "fp16":
            hf.save_half(self.model, folder)
        else:
            self.model.save_pretrained(folder)
        tok.save_tokenizer(self.tokenizer, folder)

    def headless_twin(self) -> Encoder:
        """A copy with its own weights, without gradient and without vocabulary head: a momentum encoder."""
        model = heads.without_head(copy.deepcopy(self.model)).requires_grad_(False)
        return type(self)(model, self.tokenizer, name=self.name, chunk_cost=self.chunk_cost)

    # -- facts

    @property
    def width(self) -> int:
        """Size of a hidden state, d."""
        return hf.width_of(self.model)

    @property
    def layers(self) -> int:
        """Number of layers L; hidden states are numbered 0 (embeddings) to L."""
        return hf.hidden_layers(self.model)

    @property
    def family(self) -> str:
        """transformers' name of the family."""
        return str(self.model.config.model_type)

    @property
    def has_head(self) -> bool:
        """Whether it gives vocabulary scores."""
        return self._head is not None

    @property
    def reads_positions(self) -> bool:
        """Whether positions may be given to it, as for ``views.restart_positions``."""
        return hf.reads_positions(self.model)

    @property
    def max_pieces(self) -> int:
        """The longest row, specials included."""
        return hf.max_pieces(self.model, self.tokenizer)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        parameter: nn.Parameter = next(self.model.parameters())
        return parameter.device

    @property
    def embeddings(self) -> nn.Parameter:
        """[V, d] the input word embeddings."""
        weight: nn.Parameter = self.model.get_input_embeddings().weight
        return weight

    def base_parameters(self) -> list[nn.Parameter]:
        """Parameters of the encoder itself, embeddings included, vocabulary head not."""
        return list(hf.base_of(self.model).parameters())

    def head_parameters(self) -> list[nn.Parameter]:
        """Parameters that only vocabulary scores use (tied embeddings are not among them)."""
        base = {id(p) for p in self.base_parameters()}
        return [p for p in self.model.parameters() if id(p) not in base]

    def parameter_count(self) -> int:
        """Weights, tied ones counted once."""
        return sum(p.numel() for p in self.model.parameters())

    def digest(self) -> str:
        """Hash of weights, names and shapes: equal digests mean equal encoders."""
        hasher = hashlib.blake2b(digest_size=8)
        for name, value in sorted(self.model.state_dict().items()):
            hasher.update(f"{name}{tuple(value.shape)}".encode())
            hasher.update(raw_bytes(value))
        return hasher.hexdigest()

    # -- text in

    def tokenize(self, texts: list[str], language: str | None = None) -> list[tok.Pieces]:
        """Piece ids and character offsets of each text, without specials; in a language (see :meth:`speaking`)."""
        return tok.tokenize(self.tokenizer, texts, language or self._language, twins=self.twins)

    @property
    def tokenizer_id(self) -> str:
        """Fingerprint of the tokenizer."""
        return tok.tokenizer_id(self.tokenizer, twins=self.twins)

    # -- states out

    def encode(self, view: View) -> States:
        """Last hidden states of a view."""
        return self.encode_layers(view, [self.layers])[0]

    def encode_layers(self, view: View, layers: Sequence[int]) -> list[States]:
        """Hidden states of chosen layers (0 = embeddings, L = last), the view encoded once.

        Raises:
            UserError: if a row is longer than the model can take.
        """
        longest = int(view.lengths.max(initial=0))
        if longest > self.max_pieces:
            raise UserError(
                f"a row of {longest} pieces is longer than the model's {self.max_pieces}",
                mend="lower data.max_pieces",
            )
        base = hf.base_of(self.model)
        device = self.device
        order = split_by_length(view.lengths, self.chunk_cost) if len(view.lengths) else []
        chunks = len(order) if self.together is None else self.together(len(order))
        if not chunks:  # a slice of which no pair was drawn
            return [States(self.embeddings.new_zeros(0, self.width), view) for _ in layers]
        parts: list[list[Tensor]] = [[] for _ in layers]
        for rows in order + [None] * (chunks - len(order)):
            # Where there are no more rows, one piece runs through the layers that nobody reads.
            lengths, starts = (np.zeros(1, np.int64),) * 2 if rows is None else (view.lengths[rows], view.starts[rows])
            wide = int(lengths.max(initial=1))
            inside = np.arange(wide) < lengths[:, None]
            source = (starts[:, None] + np.arange(wide))[inside]
            padded = np.full(inside.shape, self.template.pad_id)
            padded[inside] = view.ids[source]
            inputs = {"input_ids": padded, "attention_mask": (inside | (lengths == 0)[:, None]).astype(np.int64)}
            if self.types:
                inputs["token_type_ids"] = np.zeros(inside.shape, np.int64)
                inputs["token_type_ids"][inside] = view.types[source]
            if view.positions is not None:
                inputs["position_ids"] = np.zeros(inside.shape, np.int64)
                inputs["position_ids"][inside] = view.positions[source]
                inputs["position_ids"] += hf.first_position(self.model)
            tensors = {k: on_device(v, device) for k, v in inputs.items()}
            keep = on_device(np.flatnonzero(inside), device)
            if len(layers) == 1 and layers[0]:
                found = [hf.state_behind(self.model, layers[0], tensors)]
            else:
                whole = base(**tensors, output_hidden_states=True, return_dict=True).hidden_states
                if whole is None:
                    raise UserError("this encoder does not give its hidden states", where=self.name or None)
                found = [whole[layer] for layer in layers]
            for part, states in zip(parts, found, strict=True):
                part.append(states.reshape(-1, states.shape[-1]).index_select(0, keep))
        back = on_device(_undo(view, order), device)
        flat = [torch.cat(part).index_select(0, back) for part in parts]
        if self._language in self._maps:
            mapped, matrix = self._maps[self._language]
            self.mapped |= {self._language} if mapped in layers else set()
            flat = [s @ matrix.to(s) if k == mapped else s for s, k in zip(flat, layers, strict=True)]
        return [States(states, view) for states in flat]

    def use_map(self, language: str, layer: int, matrix: Tensor) -> None:
        """Multiply the hidden states of a layer by a [d, d] matrix where sentences of a language are encoded (see
        :meth:`speaking`)."""
        self._maps[language] = (layer, matrix.to(self.device))

    @contextmanager
    def speaking(self, language: str | None) -> Iterator[None]:
        """Within it sentences are in this language: its map is used, if it has one, and its pieces are the twins where
        it is derived by ``trans``."""
        before, self._language = self._language, language
        try:
            yield
        finally:
            self._language = before

    def scores(self, states: Tensor) -> Tensor:
        """Vocabulary scores [M, V] by the model's own masked-LM head at states [M, d].

        Raises:
            UserError: if it has none.
        """
        self.check_head("scoring pieces")
        assert self._head is not None
        return self._head(states)

    def check_head(self, who: str) -> None:
        """Refuse an encoder without vocabulary head.

        Args:
            who: what needs one.

        Raises:
            UserError: if there is none.
        """
        if self._head is None:
            message = f"{who} needs a vocabulary head, and {self.family} models have none"
            mend = "use moco, word_l2 or word_contrastive, or a masked LM"
            raise UserError(message, where=self.name or None, mend=mend)

    def head_dense(self) -> nn.Linear:
        """The vocabulary head's first dense layer, [d, d].

        Raises:
            UserError: if there is no head, or one without a dense layer.
        """
        self.check_head("this layer")
        return heads.head_dense(self.model)

    def scores_through(self, states: Tensor, dense: nn.Module) -> Tensor:
        """Vocabulary scores [M, V] by the head with another first dense layer, the rest shared."""
        return heads.head_through(self.model, dense)(states)


def raw_bytes(value: Tensor) -> bytes:
    """The bytes of a tensor, row by row."""
    raw: bytes = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    return raw


def _undo(view: View, order: list[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    """Index that brings pieces encoded in ``order`` back to the order of the view."""
    rows = np.concatenate(order)
    lengths = view.lengths[rows]
    begin = np.empty_like(lengths)
    begin[rows] = np.cumsum(lengths) - lengths
    return np.repeat(begin - view.starts, view.lengths) + np.arange(len(view.ids))
