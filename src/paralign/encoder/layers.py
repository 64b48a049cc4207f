"""Layers of an encoder: reinitialize, freeze or remove them (Muller et al. 2021, section 3).

Layers are numbered from 0, as in the paper. Layer k computes hidden state k + 1; hidden state 0 is the embeddings.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from pydantic import Field, field_validator
from torch import nn

from paralign.batches.rows import View
from paralign.config import Config
from paralign.encoder import hf
from paralign.encoder.encoder import Encoder
from paralign.encoder.families import random_like
from paralign.errors import UserError

__all__ = [
    "LayersConfig",
    "configure_layers",
    "format_layers",
    "keep_layers",
    "layer_hashes",
    "layer_parameters",
    "layer_stacks",
    "parameters_above",
    "parse_layers",
    "reinitialize_layers",
]

_EMBEDDINGS = "embeddings"


class LayersConfig(Config):
    """Changes to layers before fine-tuning."""

    reset: str = ""
    """Layers to reinitialize with the family's own initializer: ``0-1``, ``0,3-5``, ``all``. Each seed has its own."""
    freeze: str = ""
    """Layers that are not trained: ``embeddings,0-3``, ``0,3-5``, ``all``."""
    keep: int | None = Field(default=None, ge=1)
    """Number of layers to use, from the first. None: all."""

    @field_validator("reset", "freeze", mode="before")
    @classmethod
    def _single(cls, value: object) -> object:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @property
    def description(self) -> str:
        """Description for tables, as in ``layers 0-1 reset``; empty if nothing is changed."""
        parts = [f"layer{'s' * (not self.reset.isdecimal())} {self.reset} reset"] if self.reset else []
        parts += [f"{self.freeze} frozen"] if self.freeze else []
        parts += [f"first {self.keep} layers"] if self.keep else []
        return ", ".join(parts)


def parse_layers(text: str, count: int, *, embeddings: bool = False) -> list[int]:
    """Parse a selection of layers: ``0-1``, ``0,3-5``, ``all``.

    Args:
        text: the selection.
        count: number of layers.
        embeddings: whether ``embeddings`` may be selected, which becomes -1.

    Returns:
        Numbers of layers in ascending order.

    Raises:
        UserError: if the text cannot be read, or for layers out of range.

    >>> parse_layers("0,3-5", 12)
    [0, 3, 4, 5]
    """
    valid = f"layers are 0 to {count - 1}"
    selected: set[int] = set()
    for part in filter(None, (part.strip() for part in text.split(","))):
        span = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        if part == _EMBEDDINGS and embeddings:
            selected.add(-1)
        elif part == "all":
            selected |= set(range(count))
        elif not span:
            more = f", or {_EMBEDDINGS}" * embeddings
            raise UserError(f"cannot read the layers {text!r}", hint=f"write 0-1 or 0,3-5 or all{more}; {valid}")
        else:
            first, last = int(span[1]), int(span[2] or span[1])
            if last >= count or first > last:
                raise UserError(f"there are no layers {part}", hint=valid)
            selected |= set(range(first, last + 1))
    if text and not selected:
        raise UserError(f"no layers in {text!r}", hint=f"write 0-1 or 0,3-5 or all; {valid}")
    return sorted(selected)


def format_layers(layers: Iterable[int]) -> str:
    """Format a set of layers, the inverse of :func:`parse_layers`.

    >>> format_layers([5, 0, 1, 2])
    '0-2,5'
    """
    runs: list[list[int]] = []
    for layer in sorted(set(layers)):
        if runs and layer == runs[-1][1] + 1:
            runs[-1][1] = layer
        else:
            runs.append([layer, layer])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def parameters_above(encoder: Encoder, layer: int) -> list[nn.Parameter]:
    """Return the trainable parameters on which a hidden state does not depend.

    Args:
        encoder: the encoder.
        layer: number of the hidden state, 0 (embeddings) to L.
    """
    zero, one = np.zeros(1, np.int64), np.ones(1, np.int64)
    view = View(ids=zero, types=zero, lengths=one, rows=zero, special=zero > 0, masked=zero[:0], labels=zero[:0])
    training = encoder.training
    parameters = [parameter for parameter in encoder.eval().parameters() if parameter.requires_grad]
    with torch.enable_grad():
        total = encoder.encode_layers(view, [layer])[0].flat.float().sum()
        gradients = torch.autograd.grad(total, parameters, allow_unused=True)
    encoder.train(training)
    return [parameter for parameter, gradient in zip(parameters, gradients, strict=True) if gradient is None]


def layer_stacks(model: Any) -> list[nn.ModuleList]:
    """Return the module lists whose k-th modules together are layer k: one in most families, several in XLM.

    Raises:
        UserError: for a family that shares weights between its layers.
    """
    count = hf.hidden_layers(model)
    lists = {name: part for name, part in hf.base_of(model).named_modules() if isinstance(part, nn.ModuleList)}
    outermost = {name: part for name, part in lists.items() if not any(name.startswith(f"{o}.") for o in lists)}
    outer = [part for part in outermost.values() if len(part) == count]
    if not outer or (count > 1 and any(len(part) == 1 for part in outermost.values())):
        raise UserError(f"{type(model).__name__} shares weights between its layers: they cannot be changed one by one")
    return outer


def keep_layers(model: Any, count: int) -> None:
    """Remove all layers above the first ``count``, in place, and update the config."""
    before = hf.hidden_layers(model)
    for stack in layer_stacks(model):
        del stack[count:]
    for module in model.modules():  # families that keep their own count
        if getattr(module, "n_layers", None) == before:
            module.n_layers = count
        if type(module).__name__ == "EsmContactPredictionHead":  # it reads the attention of all layers
            used, weight = count * module.in_features // before, module.regression.weight
            module.in_features = module.regression.in_features = used
            module.regression.weight = nn.Parameter(weight.data[:, :used].clone(), weight.requires_grad)
    model.config.num_hidden_layers = count
    for name in ("layer_types", "attention_window"):  # families whose layers differ
        values = getattr(model.config, name, None)
        if isinstance(values, list) and len(values) == before:
            setattr(model.config, name, values[:count])


def configure_layers(encoder: Encoder, config: LayersConfig) -> None:
    """Remove and freeze layers, in place. Layers to reinitialize are only checked, since each seed has its own.

    Raises:
        UserError: for layers that do not exist.
    """
    if config.keep is not None and config.keep != encoder.layers:
        if config.keep > encoder.layers:
            raise UserError(
                f"layers.keep is {config.keep}, but the encoder has {encoder.layers} layers", hint="lower it"
            )
        keep_layers(encoder.model, config.keep)
    parse_layers(config.reset, encoder.layers)
    frozen = parse_layers(config.freeze, encoder.layers, embeddings=True)
    if frozen:
        groups = dict(_groups(encoder))
        for layer in frozen:
            for parameter in groups[layer]:
                parameter.requires_grad_(False)


def reinitialize_layers(encoder: Encoder, layers: Iterable[int], *, seed: int) -> None:
    """Reinitialize the weights of layers (attention, feed-forward, norms), in place. Other weights do not change.

    Args:
        encoder: an encoder whose layers do not share weights.
        layers: numbers of layers, from 0.
        seed: seed of the new weights.
    """
    chosen = list(layers)
    if not chosen:
        return
    for stack, random_stack in zip(
        layer_stacks(encoder.model), layer_stacks(random_like(encoder.model, seed)), strict=True
    ):
        for layer in chosen:
            with torch.no_grad():
                stack[layer].load_state_dict(random_stack[layer].state_dict())


def layer_hashes(encoder: Encoder) -> dict[str, str]:
    """Return a hash of the weights of each layer, and of ``embeddings``, which includes weights outside the layers."""
    out = {}
    for layer, parameters in _groups(encoder):
        hasher = hashlib.blake2b(digest_size=8)
        for parameter in parameters:
            hasher.update(hf.tensor_bytes(parameter))
        out[_EMBEDDINGS if layer < 0 else str(layer)] = hasher.hexdigest()
    return out


def layer_parameters(encoder: Encoder) -> dict[str, list[nn.Parameter]]:
    """Return the parameters of the encoder without its vocabulary head: ``embeddings``, and each layer from ``0``.

    Parameters outside the layers are among the embeddings. For a family that shares weights between its layers, there
    are ``embeddings`` and ``layers``.
    """
    try:
        return {_EMBEDDINGS if layer < 0 else str(layer): parameters for layer, parameters in _groups(encoder)}
    except UserError:
        tables = [p for name, p in hf.base_of(encoder.model).named_parameters() if "embedding" in name]
        known = {id(p) for p in tables}
        return {_EMBEDDINGS: tables, "layers": [p for p in encoder.base_parameters() if id(p) not in known]}


def _groups(encoder: Encoder) -> Iterator[tuple[int, list[nn.Parameter]]]:
    """Yield the parameters of the embeddings (-1) and of each layer."""
    stacks = layer_stacks(encoder.model)
    layers = [[p for stack in stacks for p in stack[k].parameters()] for k in range(encoder.layers)]
    inside = {id(p) for parameters in layers for p in parameters}
    yield -1, [p for p in encoder.base_parameters() if id(p) not in inside]
    yield from enumerate(layers)
