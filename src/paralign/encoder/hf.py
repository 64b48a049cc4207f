"""Properties of models and changes to them. Names inside transformers are only used here and in
``families.py``, ``loading.py`` and ``dropout.py``."""

from __future__ import annotations

import copy
import hashlib
import inspect
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
import transformers
from torch import Tensor, nn
from transformers import AutoModel
from transformers.modeling_outputs import BaseModelOutput

from paralign.encoder.families import TWINS, model_class
from paralign.errors import UserError

__all__ = [
    "Stub",
    "accepts_positions",
    "base_of",
    "checkpoint_gradients",
    "compile_layers",
    "has_head",
    "hidden_layers",
    "hidden_states",
    "layer_stack",
    "max_pieces",
    "save",
    "save_half",
    "set_dropout",
    "tensor_bytes",
    "twin_offset_of",
    "uses_token_types",
    "weights_digest",
    "width_of",
]

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


def save(model: Any, folder: Path, *, head: bool = True) -> None:
    """Write a model. Without ``head`` the weights of its vocabulary head are left out: loading gives it a new one."""
    prefix = f"{model.base_model_prefix}."
    base = {name: weight for name, weight in model.state_dict().items() if name.startswith(prefix)}
    model.save_pretrained(folder, state_dict=None if head else base)


def save_half(model: Any, folder: Path, *, head: bool = True) -> None:
    """Write a model in half precision that loads as fp32; see :func:`save`. The model's own weights are rounded too."""
    half = copy.deepcopy(model).half()
    save(half, folder, head=head)
    config = model.config.to_dict() | {"dtype": "float32", "architectures": [type(model).__name__]}
    type(model.config).from_dict(config).save_pretrained(folder)
    written, stored = (model, half) if head else (base_of(model), base_of(half))
    with torch.no_grad():
        for weight, rounded in zip(written.parameters(), stored.parameters(), strict=True):
            weight.copy_(rounded)


def twin_offset_of(model: Any) -> int:
    """Return the difference between the ids of a twin and its piece; 0 for an encoder without twins."""
    return int(getattr(model.config, TWINS, 0) or 0)


def has_head(model: Any) -> bool:
    """Return whether the model has a vocabulary head."""
    return model.base_model is not model and model_class(model.config) is not AutoModel


def base_of(model: Any) -> nn.Module:
    """Return the encoder inside a masked LM, without the vocabulary head; a model without head is returned itself."""
    base: nn.Module = model.base_model
    return base


class Stub(nn.Module):
    """Takes the place of the base model while a head runs: returns the states it is given.

    Attributes that a head reads from the base model, such as DeBERTa's word embeddings, are read from the base. The
    base is not a submodule of the stub.
    """

    def __init__(self, base: nn.Module) -> None:
        super().__init__()
        self._base = (base,)  # a tuple: an nn.Module would be registered as a submodule

    def __getattr__(self, name: str) -> Any:
        return getattr(self._base[0], name)

    def forward(self, *args: Any, inputs_embeds: Tensor, **kwargs: Any) -> BaseModelOutput:
        return _StubOutput(last_hidden_state=inputs_embeds)


class _StubOutput(BaseModelOutput):
    """Hidden states; other outputs of a family, such as Longformer's global attentions, are None."""

    def __getattr__(self, name: str) -> None:
        if name.startswith("__"):
            raise AttributeError(name)


def has_pooling_option(kind: type) -> bool:
    """Return whether a class of encoders may be built without its pooling layer, which nothing here reads."""
    return "add_pooling_layer" in inspect.signature(kind).parameters


def set_dropout(model: Any, share: float) -> None:
    """Set the dropout of hidden states and attention, in place; the model's config is not changed."""
    for module in list(model.modules()):
        if isinstance(module, nn.Dropout):
            module.p = share
        for name, value in vars(module).items():  # families that call the function keep the share as a number
            if isinstance(value, float) and "dropout" in name:
                setattr(module, name, share)
        for name, child in module.named_children():  # families that have no dropout layer where the share is 0
            if type(child) is nn.Identity and "drop" in name:
                setattr(module, name, nn.Dropout(share))


def checkpoint_gradients(model: Any) -> None:
    """Turn on gradient checkpointing: only the input of each layer is kept for the backward pass.

    The rest is recomputed with the same dropout masks.

    Raises:
        UserError: if the family does not support it.
    """
    if not getattr(model, "supports_gradient_checkpointing", False):
        message = f"{model.config.model_type} models have no gradient checkpointing"
        raise UserError(message, hint="remove training.gradient_checkpointing and raise training.accumulate")
    # The first is the name in newer releases of transformers 5, where the second warns.
    enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    enable({"use_reentrant": False})


def compile_layers(model: Any) -> None:
    """Compile each layer with ``torch.compile``, for any number and length of rows.

    Raises:
        UserError: if the layers of the family do not form one stack.
    """
    stack = layer_stack(model)
    if not stack:
        raise UserError(
            f"{model.config.model_type} models have no stack of layers to compile", hint="remove the setting"
        )
    for layer in stack:
        layer.compile(dynamic=True)


def max_pieces(model: Any, tokenizer: Any) -> int:
    """Return the maximum sequence length, special tokens included."""
    config = model.config
    positions = int(getattr(config, "max_position_embeddings", 0) or 1 << 30)
    positions -= first_position(model)
    return min(positions, int(getattr(tokenizer, "model_max_length", 0) or 1 << 30))


def first_position(model: Any) -> int:
    """Return the id of a row's first position: 0, or the padding id plus one for RoBERTa."""
    embeddings = getattr(base_of(model), "embeddings", None)
    padding = getattr(getattr(embeddings, "position_embeddings", None), "padding_idx", None)
    return 0 if padding is None else int(padding) + 1


def uses_token_types(model: Any) -> bool:
    """Return whether the model distinguishes two segments by token types."""
    accepted = "token_type_ids" in inspect.signature(base_of(model).forward).parameters
    return accepted and int(getattr(model.config, "type_vocab_size", 0) or 0) >= 2


@torch.no_grad()
def accepts_positions(model: Any) -> bool:
    """Return whether the model accepts position ids that change its states; models of relative positions do not."""
    base = base_of(model)
    if "position_ids" not in inspect.signature(base.forward).parameters:
        return False
    ids = torch.arange(3, device=model.device)[None] + model.get_input_embeddings().weight.shape[0] // 2
    training = base.training
    base.eval()
    ascending, restarted = (
        base(input_ids=ids, position_ids=torch.tensor([positions], device=ids.device) + first_position(model))
        for positions in ([0, 1, 2], [0, 1, 0])
    )
    base.train(training)
    return not torch.allclose(ascending.last_hidden_state, restarted.last_hidden_state)


def hidden_layers(model: Any) -> int:
    """Return the number of layers; there is one more hidden state."""
    return int(model.config.num_hidden_layers)


def layer_stack(model: Any) -> list[nn.Module]:
    """Return the layers in order; empty if they are shared or form several stacks."""
    return list(_find_stack(base_of(model), hidden_layers(model))[1])


def _find_stack(base: nn.Module, count: int) -> tuple[str, nn.ModuleList]:
    """Return the name and the list of the layers; an empty list if they are shared or form several stacks."""
    stacks = [(n, part) for n, part in base.named_modules() if isinstance(part, nn.ModuleList) and len(part) == count]
    return stacks[0] if len(stacks) == 1 else ("", nn.ModuleList())


class _Recorder(nn.Module):
    """A layer that keeps its input and its output."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer
        self.seen: tuple[Tensor, Tensor] | None = None

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:  # some families read attributes of their layers
            return getattr(super().__getattr__("layer"), name)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        output = self.layer(*args, **kwargs)
        state = args[0] if args else kwargs["hidden_states"]
        if isinstance(output, Tensor | tuple):
            self.seen = (state, output if isinstance(output, Tensor) else output[0])
        return output


def hidden_states(model: Any, layers: Sequence[int], inputs: dict[str, Tensor]) -> list[Tensor]:
    """Return the hidden states of some layers. Layers above the highest of them are not computed where possible.

    Args:
        model: the model.
        layers: numbers of hidden states, 0 (embeddings) to L.
        inputs: padded inputs of the base model, each of shape [b, t].

    Returns:
        For each layer a tensor of shape [b, t, d].

    Raises:
        UserError: if the model does not return the states of its layers.
    """
    base, count, top = base_of(model), hidden_layers(model), max(layers)
    if set(layers) == {count}:
        return [base(**inputs, return_dict=True).last_hidden_state] * len(layers)
    path, stack = _find_stack(base, count)
    if not stack:  # shared layers or several stacks
        return _states_of_all_layers(base, layers, inputs)
    # Hooks would do, but compiled layers compile again for every new hook.
    top = 2 if top == 1 and _has_convolution(base) else max(1, top)
    parts = [_Recorder(layer) if {k, k + 1} & set(layers) else layer for k, layer in enumerate(stack[:top])]
    parent, _, name = path.rpartition(".")
    owner = base.get_submodule(parent)
    setattr(owner, name, nn.ModuleList(parts))
    try:
        last = getattr(base(**inputs, return_dict=True), "last_hidden_state", None)
    finally:
        setattr(owner, name, stack)
    seen = {k + here: part.seen[here] for k, part in enumerate(parts) if isinstance(part, _Recorder)
            and part.seen is not None for here in (0, 1)}  # fmt: skip
    found = [last if layer == count else seen.get(layer) for layer in layers]  # the last state may be normalized
    length = inputs["input_ids"].shape[1]
    if any(states is None or states.shape[1] != length for states in found):  # SqueezeBERT; Longformer pads rows
        return _states_of_all_layers(base, layers, inputs)
    return cast("list[Tensor]", found)


def _states_of_all_layers(base: Any, layers: Sequence[int], inputs: dict[str, Tensor]) -> list[Tensor]:
    states = base(**inputs, output_hidden_states=True, return_dict=True).hidden_states
    if states is None:
        raise UserError("this encoder does not return its hidden states")
    return [states[layer] for layer in layers]


def _has_convolution(base: nn.Module) -> bool:
    """Return whether a convolution changes the output of the first layer, the input of the second (DeBERTa-v2)."""
    return getattr(getattr(base, "encoder", None), "conv", None) is not None


def width_of(model: Any) -> int:
    """Return the size of a hidden state."""
    return int(model.config.hidden_size)


def weights_digest(model: nn.Module) -> str:
    """Return a hash of weights, names and shapes: equal digests mean equal models."""
    hasher = hashlib.blake2b(digest_size=8)
    for name, value in sorted(model.state_dict().items()):
        hasher.update(f"{name}{tuple(value.shape)}".encode())
        hasher.update(tensor_bytes(value))
    return hasher.hexdigest()


def tensor_bytes(value: Tensor) -> bytes:
    """Return the bytes of a tensor in row-major order."""
    raw: bytes = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    return raw


os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
