"""Layers of an encoder: drawn anew, frozen, left out (Muller et al. 2021, section 3).

Layers are numbered from 0, as in the paper; layer k makes hidden state k + 1, hidden state 0 being the embeddings.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from pydantic import Field, field_validator
from torch import nn

from paralign.config import Config
from paralign.encoder import hf
from paralign.encoder.encoder import Encoder, tensor_bytes
from paralign.encoder.families import random_like
from paralign.errors import UserError

__all__ = [
    "LayersConfig",
    "parse_layers",
    "keep_layers",
    "layer_hashes",
    "layer_stacks",
    "configure_layers",
    "reinitialize_layers",
    "format_layers",
]

_EMBEDDINGS = "embeddings"


class LayersConfig(Config):
    """What is done to layers before fine-tuning."""

    reset: str = ""
    """Layers drawn anew by the family's own initializer: ``0-1``, ``0,3-5``, ``all``. Each seed draws its own."""
    freeze: str = ""
    """Layers that are not trained; ``embeddings`` may be among them: ``embeddings,0-3``."""
    keep: int | None = Field(default=None, ge=1)
    """Only the first so many layers are used."""

    @field_validator("reset", "freeze", mode="before")
    @classmethod
    def _single(cls, value: object) -> object:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @property
    def description(self) -> str:
        """For tables: ``layers 0-1 reset``; empty where nothing is done."""
        parts = [f"layer{'s' * (not self.reset.isdecimal())} {self.reset} reset"] if self.reset else []
        parts += [f"{self.freeze} frozen"] if self.freeze else []
        parts += [f"first {self.keep} layers"] if self.keep else []
        return ", ".join(parts)


def parse_layers(text: str, count: int, *, embeddings: bool = False) -> list[int]:
    """Numbers of layers: ``0-1``, ``0,3-5``, ``all``; -1 stands for ``embeddings``.

    Args:
        text: what the user wrote.
        count: layers there are.
        embeddings: whether these may be named.

    Raises:
        UserError: for layers out of range, and what cannot be read.
    """
    known = f"layers are 0 to {count - 1}"
    found: set[int] = set()
    for part in filter(None, (part.strip() for part in text.split(","))):
        span = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        if part == _EMBEDDINGS and embeddings:
            found.add(-1)
        elif part == "all":
            found |= set(range(count))
        elif not span:
            more = f", or {_EMBEDDINGS}" * embeddings
            raise UserError(f"cannot read the layers {text!r}", hint=f"write 0-1 or 0,3-5 or all{more}; {known}")
        else:
            first, last = int(span[1]), int(span[2] or span[1])
            if last >= count or first > last:
                raise UserError(f"there are no layers {part}", hint=known)
            found |= set(range(first, last + 1))
    if text and not found:
        raise UserError(f"no layers in {text!r}", hint=f"write 0-1 or 0,3-5 or all; {known}")
    return sorted(found)


def format_layers(layers: Iterable[int]) -> str:
    """The one spelling of a set of layers: ``0-2,5``."""
    runs: list[list[int]] = []
    for layer in sorted(set(layers)):
        if runs and layer == runs[-1][1] + 1:
            runs[-1][1] = layer
        else:
            runs.append([layer, layer])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def layer_stacks(model: Any) -> list[nn.ModuleList]:
    """The lists whose k-th modules together are layer k: one in most families, several in XLM's.

    Raises:
        UserError: for a family that shares weights between its layers.
    """
    count = hf.hidden_layers(model)
    lists = {name: part for name, part in hf.base_of(model).named_modules() if isinstance(part, nn.ModuleList)}
    outermost = {name: part for name, part in lists.items() if not any(name.startswith(f"{o}.") for o in lists)}
    outer = [part for part in outermost.values() if len(part) == count]
    if not outer or (count > 1 and any(len(part) == 1 for part in outermost.values())):
        raise UserError(f"{type(model).__name__} has no layers of its own weights: they cannot be changed one by one")
    return outer


def keep_layers(model: Any, count: int) -> None:
    """Drop all layers above the first ``count``, in place; the config says so."""
    before = hf.hidden_layers(model)
    for stack in layer_stacks(model):
        del stack[count:]
    for module in model.modules():  # a family that counts them itself
        if getattr(module, "n_layers", None) == before:
            module.n_layers = count
    model.config.num_hidden_layers = count
    for name in ("layer_types", "attention_window"):  # families whose layers differ
        kinds = getattr(model.config, name, None)
        if isinstance(kinds, list) and len(kinds) == before:
            setattr(model.config, name, kinds[:count])


def configure_layers(encoder: Encoder, config: LayersConfig) -> None:
    """Leave out and freeze, in place; what is to be reset is looked through.

    Raises:
        UserError: for layers that are not there.
    """
    if config.keep is not None and config.keep != encoder.layers:
        if config.keep > encoder.layers:
            raise UserError(f"the encoder has {encoder.layers} layers", hint="lower layers.keep")
        keep_layers(encoder.model, config.keep)
    parse_layers(config.reset, encoder.layers)
    frozen = parse_layers(config.freeze, encoder.layers, embeddings=True)
    if frozen:
        groups = dict(_groups(encoder))
        for layer in frozen:
            for parameter in groups[layer]:
                parameter.requires_grad_(False)


def reinitialize_layers(encoder: Encoder, layers: Iterable[int], *, seed: int) -> None:
    """Draw the weights of layers (attention, feed-forward, norms) anew, in place; all others stay bit for bit.

    Args:
        encoder: of any family whose layers have weights of their own.
        layers: numbers from 0.
        seed: of the draw.
    """
    wanted = list(layers)
    if not wanted:
        return
    for mine, fresh in zip(layer_stacks(encoder.model), layer_stacks(random_like(encoder.model, seed)), strict=True):
        for layer in wanted:
            with torch.no_grad():
                mine[layer].load_state_dict(fresh[layer].state_dict())


def layer_hashes(encoder: Encoder) -> dict[str, str]:
    """A fingerprint of the weights of the embeddings (with whatever belongs to no layer) and of each layer."""
    out = {}
    for layer, parameters in _groups(encoder):
        hasher = hashlib.blake2b(digest_size=8)
        for parameter in parameters:
            hasher.update(tensor_bytes(parameter))
        out[_EMBEDDINGS if layer < 0 else str(layer)] = hasher.hexdigest()
    return out


def _groups(encoder: Encoder) -> Iterator[tuple[int, list[nn.Parameter]]]:
    """Parameters of the embeddings (-1) and of each layer."""
    stacks = layer_stacks(encoder.model)
    layers = [[p for stack in stacks for p in stack[k].parameters()] for k in range(encoder.layers)]
    inside = {id(p) for some in layers for p in some}
    yield -1, [p for p in encoder.base_parameters() if id(p) not in inside]
    yield from enumerate(layers)
