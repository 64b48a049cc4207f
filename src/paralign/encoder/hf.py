"""With ``families.py`` all that knows transformers' inner names: loading encoders, and facts about them."""

from __future__ import annotations

import copy
import inspect
import os
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import MODEL_MAPPING, AutoModel, AutoTokenizer
from transformers.modeling_outputs import BaseModelOutput

from paralign.encoder.families import TWINS, attention_implementation, model_class, first_line, read_family
from paralign.errors import UserError
from paralign.models import shipped

__all__ = [
    "Stub",
    "base_of",
    "checkpoint_gradients",
    "compile_layers",
    "has_head",
    "hidden_layers",
    "layer_stack",
    "load_model",
    "load_tokenizer",
    "load_twin_offset",
    "max_pieces",
    "accepts_positions",
    "save_half",
    "set_dropout",
    "uses_token_types",
    "twin_offset_of",
    "width_of",
]

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()

_PICKLED = ("pytorch_model.bin", "model.pt", "model.pth", "pytorch_model.bin.index.json")
_TOKENIZERS = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "tokenizer.model",
    "sentencepiece.bpe.model",
    "spiece.model",
    "spm.model",
)


def _local(name: str) -> Path | None:
    """The folder a model name means, or ``None`` if it is a name on the hub."""
    ours = shipped(name)
    if ours is not None:
        return ours
    path = Path(name)
    if path.exists() or name.startswith((".", "/", "~")) or name.count("/") > 1:
        return path.expanduser()
    return None


def _folder(name: str) -> Path | None:
    """The folder a name means, known to exist, or ``None`` if it is a name on the hub."""
    path = _local(name)
    if path is not None and not path.exists():
        raise UserError("no such model folder", where=name, hint="give a folder or a name on the hub")
    if path is not None and not path.is_dir():
        raise UserError("not a model folder", where=name, hint="give the folder that holds config.json")
    return path


def _check_weights(name: str) -> None:
    path = _folder(name)
    if path is None:
        return
    if not (path / "config.json").is_file():
        raise UserError("no config.json in the model folder", where=name)
    if not list(path.glob("*.safetensors")):
        if any((path / bad).exists() for bad in _PICKLED):
            raise UserError(
                "the weights are pickled and paralign reads only safetensors",
                where=name,
                hint="convert them once with transformers: save_pretrained(safe_serialization=True)",
            )
        raise UserError("no *.safetensors in the model folder", where=name)


def _check_tokenizer(name: str) -> None:
    path = _folder(name)
    if path is not None and not any((path / file).exists() for file in _TOKENIZERS):
        raise UserError("the model folder has no tokenizer", where=name, hint="save the tokenizer beside the model")


def load_model(name: str) -> Any:
    """An encoder from a folder or the hub, in fp32; only safetensors are read, no foreign code is run.

    A masked LM where the family has one: its vocabulary head is random where the weights have none. Else the encoder
    alone, without its pooling layer.

    Raises:
        UserError: naming what is missing or unreadable, or why it is not an encoder.
    """
    _check_weights(name)
    path = str(_local(name) or name)
    config = read_family(path, name)
    loader = model_class(config)
    options = {"add_pooling_layer": False} if loader is AutoModel and _pools(config) else {}
    model, info = _load(loader, path, name, options)
    if any(key.startswith("lm_predictions.") for key in info["unexpected_keys"]) and hasattr(config, "legacy"):
        model, info = _load(loader, path, name, {"legacy": False})  # the head as DeBERTa's authors named it
    missing = sorted(info["missing_keys"])
    lost = [key for key in missing if not has_head(model) or key.startswith(f"{model.base_model_prefix}.")]
    if lost:
        raise UserError(f"{len(lost)} weights of the encoder are missing, the first {lost[0]}", where=name)
    if missing:
        print(f"note: {name} has no vocabulary head of its own; it begins with a random one", file=sys.stderr)
    _try_out(model, name)
    return model


def _load(loader: Any, path: str, name: str, options: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """A model, and which weights it lacks (``missing_keys``) or has no place for (``unexpected_keys``)."""
    try:
        # Weights the folder lacks are drawn at random: from a fixed seed, so that a resumed run has the same.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model, info = loader.from_pretrained(
                path,
                use_safetensors=True,
                trust_remote_code=False,
                dtype=torch.float32,
                attn_implementation=attention_implementation(),
                output_loading_info=True,
                **options,
            )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise UserError(f"cannot load the model: {first_line(error)}", where=name) from error
    return model, info


def _pools(config: Any) -> bool:
    found: Any = MODEL_MAPPING[type(config)]
    kinds = found if isinstance(found, tuple) else (found,)  # a few families have several
    return all("add_pooling_layer" in inspect.signature(kind).parameters for kind in kinds)


@torch.no_grad()
def _try_out(model: Any, name: str) -> None:
    """Encode two short rows, as all else relies on it: ids and a mask in, a state for every piece out, which padding
    does not change and later pieces do.

    Raises:
        UserError: saying which of these the model does not do.
    """
    kind = model.config.model_type
    hint = "docs/families.md says which families are encoders"
    base = base_of(model).eval()
    try:
        rows = model.get_input_embeddings().weight.shape[0]
        pad = min(max(0, getattr(model.config, "pad_token_id", None) or 0), rows - 1)
        ids = torch.tensor([[rows // 2, rows // 2 + 1, last, pad] for last in (rows // 3, rows // 4)])
        mask = torch.tensor([[1, 1, 1, 0]] * 2)
        out = base(input_ids=ids, attention_mask=mask, output_hidden_states=True, return_dict=True)
        alone = base(input_ids=ids[:1, :3], attention_mask=mask[:1, :3], return_dict=True).last_hidden_state
        states = out.last_hidden_state
        layers = [tuple(layer.shape) for layer in out.hidden_states]
        wanted = [(2, 4, width_of(model))] * (hidden_layers(model) + 1)
        if layers != wanted or tuple(states.shape) != wanted[0]:
            raise ValueError("not every layer gives one state a piece")
    except Exception as error:  # whatever a family may raise
        message = f"{kind} models cannot be used as encoders of text: {first_line(error)}"
        raise UserError(message, where=name, hint=hint) from error
    largest = float(states.abs().max())
    if float((states[0, :3] - alone[0]).abs().max()) > 1e-4 * largest:
        message = f"{kind} models cannot be used: the states of a sentence depend on the padding beside it"
        raise UserError(message, where=name, hint=hint)
    if float((states[0, 0] - states[1, 0]).abs().max()) <= 1e-6 * largest:
        message = f"in this {kind} model a piece does not see those behind it: a decoder, not an encoder"
        raise UserError(message, where=name, hint=hint)


def load_tokenizer(name: str) -> Any:
    """The fast tokenizer that belongs to a model (character offsets need a fast one).

    Raises:
        UserError: if there is none.
    """
    _check_tokenizer(name)
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(_local(name) or name), use_fast=True, trust_remote_code=False)
    except Exception as error:  # transformers raises many kinds here
        path, hint = _local(name), None
        if find_spec("sentencepiece") is None and (path is None or any(path.glob("*.model"))):
            hint = "a SentencePiece vocabulary needs its package: pip install 'paralign[sentencepiece]'"
        raise UserError(f"cannot load the tokenizer: {first_line(error)}", where=name, hint=hint) from error
    if not tokenizer.is_fast:
        raise UserError("the tokenizer has no fast form, so no character offsets", where=name)
    if tokenizer.mask_token_id is None:
        raise UserError("the tokenizer has no mask token", where=name, hint="an encoder's tokenizer has one")
    return tokenizer


def load_twin_offset(name: str) -> int:
    """:func:`twin_offset_of` the model a tokenizer belongs to, without loading its weights; 0 for a tokenizer alone."""
    path = _folder(name)
    if path is not None and not (path / "config.json").is_file():
        return 0
    config = read_family(str(path or name), name)
    return int(getattr(config, TWINS, 0) or 0)


def save_half(model: Any, folder: Path) -> None:
    """Write a model in half precision, its config asking for fp32 when loaded; its own weights are rounded alike."""
    half = copy.deepcopy(model).half()
    half.save_pretrained(folder)
    config = model.config.to_dict() | {"dtype": "float32", "architectures": [type(model).__name__]}
    type(model.config).from_dict(config).save_pretrained(folder)
    with torch.no_grad():
        for mine, rounded in zip(model.parameters(), half.parameters(), strict=True):
            mine.copy_(rounded)


def twin_offset_of(model: Any) -> int:
    """How many pieces have a twin: piece i's is i plus this; 0 in an encoder without twins."""
    return int(getattr(model.config, TWINS, 0) or 0)


def has_head(model: Any) -> bool:
    """Whether there is a vocabulary head around the encoder."""
    return model.base_model is not model and model_class(model.config) is not AutoModel


def base_of(model: Any) -> nn.Module:
    """The encoder inside a masked LM, without its vocabulary head; a model without head is its own."""
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
        return BaseModelOutput(last_hidden_state=inputs_embeds)


def set_dropout(model: Any, share: float) -> None:
    """Drop this share of states and attention from now on; the model's config keeps what it says."""
    for module in list(model.modules()):
        if isinstance(module, nn.Dropout):
            module.p = share
        for name, value in vars(module).items():  # families that call the function have the share beside it
            if isinstance(value, float) and "dropout" in name:
                setattr(module, name, share)
        for name, child in module.named_children():  # families that leave the layer out where the share is 0
            if type(child) is nn.Identity and "drop" in name:
                setattr(module, name, nn.Dropout(share))


def checkpoint_gradients(model: Any) -> None:
    """Keep only what enters each layer for the backward pass; the rest is computed again, with the same dropout.

    Raises:
        UserError: for a family that cannot.
    """
    if not getattr(model, "supports_gradient_checkpointing", False):
        message = f"{model.config.model_type} models have no gradient checkpointing"
        raise UserError(message, hint="leave training.gradient_checkpointing out, raise training.accumulate")
    # Its name in newer releases of transformers 5; the older one warns there.
    enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    enable({"use_reentrant": False})


def compile_layers(model: Any) -> None:
    """Compile each layer for rows of any number and length (``torch.compile``).

    Raises:
        UserError: for a family whose layers are not one stack.
    """
    stack = layer_stack(model)
    if not stack:
        raise UserError(f"{model.config.model_type} models have no stack of layers to compile", hint="leave it out")
    for layer in stack:
        layer.compile(dynamic=True)


def max_pieces(model: Any, tokenizer: Any) -> int:
    """The longest input in pieces, specials included."""
    config = model.config
    positions = int(getattr(config, "max_position_embeddings", 0) or 1 << 30)
    positions -= first_position(model)
    return min(positions, int(getattr(tokenizer, "model_max_length", 0) or 1 << 30))


def first_position(model: Any) -> int:
    """The number of a row's first position (RoBERTa counts from padding_idx + 1)."""
    embeddings = getattr(base_of(model), "embeddings", None)
    padding = getattr(getattr(embeddings, "position_embeddings", None), "padding_idx", None)
    return 0 if padding is None else int(padding) + 1


def uses_token_types(model: Any) -> bool:
    """Whether the model tells two segments apart by token types."""
    known = "token_type_ids" in inspect.signature(base_of(model).forward).parameters
    return known and int(getattr(model.config, "type_vocab_size", 0) or 0) >= 2


@torch.no_grad()
def accepts_positions(model: Any) -> bool:
    """Whether positions can be given, and change the states: not so where distances alone count."""
    base = base_of(model)
    if "position_ids" not in inspect.signature(base.forward).parameters:
        return False
    ids = torch.arange(3, device=model.device)[None] + model.get_input_embeddings().weight.shape[0] // 2
    training = base.training
    base.eval()
    one, other = (
        base(input_ids=ids, position_ids=torch.tensor([places], device=ids.device) + first_position(model))
        for places in ([0, 1, 2], [0, 1, 0])
    )
    base.train(training)
    return not torch.allclose(one.last_hidden_state, other.last_hidden_state)


def hidden_layers(model: Any) -> int:
    """Number of layers; there is one hidden state more than that."""
    return int(model.config.num_hidden_layers)


def layer_stack(model: Any) -> list[nn.Module]:
    """Its layers, from the bottom; none where they are shared or stand in several stacks."""
    count = hidden_layers(model)
    stacks = [part for part in base_of(model).modules() if isinstance(part, nn.ModuleList) and len(part) == count]
    return list(stacks[0]) if len(stacks) == 1 else []


class _Reached(Exception):
    """The layer that was asked for has been computed."""


def hidden_state_after(model: Any, layer: int, inputs: dict[str, Tensor]) -> Tensor:
    """[b, t, d] the hidden state behind layer 1 to L; the layers above it are not computed where that can be helped."""
    base, count, stack = base_of(model), hidden_layers(model), layer_stack(model)
    if layer == count or not stack:  # the last may be normalized; shared or several stacks are run whole
        out = base(**inputs, output_hidden_states=layer != count, return_dict=True)
        state: Tensor = out.last_hidden_state if layer == count else out.hidden_states[layer]
        return state
    found: list[Tensor] = []

    def stop(_: nn.Module, __: Any, output: Any) -> None:
        found.append(output if isinstance(output, Tensor) else output[0])
        raise _Reached

    handle = stack[layer - 1].register_forward_hook(stop)
    try:
        base(**inputs, return_dict=True)
    except _Reached:
        return found[0]
    finally:
        handle.remove()
    raise AssertionError("the layers are not run one after the other")


def width_of(model: Any) -> int:
    """Size of a hidden state."""
    return int(model.config.hidden_size)


os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
