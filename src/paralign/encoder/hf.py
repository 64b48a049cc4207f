"""The one file that knows transformers' inner names: loading and building masked LMs, and facts about them."""

from __future__ import annotations

import copy
import inspect
import os
import re
import sys
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForMaskedLM, AutoTokenizer
from transformers.modeling_outputs import BaseModelOutput

from paralign.config import did_you_mean
from paralign.device import only_cpu
from paralign.errors import UserError
from paralign.models import shipped

__all__ = [
    "ARCHITECTURES",
    "Stub",
    "base_of",
    "build",
    "hidden_layers",
    "load_model",
    "load_tokenizer",
    "load_twins",
    "max_pieces",
    "new_twin",
    "parse_arch",
    "save_half",
    "set_dropout",
    "takes_types",
    "twins_of",
    "width_of",
]

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()

ARCHITECTURES = {"bert": "bert", "roberta": "roberta", "xlm-r": "xlm-roberta"}
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


_TWINS = "paralign_twins"
"""Key of a model's config."""


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
        raise UserError("no such model folder", where=name, mend="give a folder or a name on the hub")
    if path is not None and not path.is_dir():
        raise UserError("not a model folder", where=name, mend="give the folder that holds config.json")
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
                mend="convert them once with transformers: save_pretrained(safe_serialization=True)",
            )
        raise UserError("no *.safetensors in the model folder", where=name)


def _check_tokenizer(name: str) -> None:
    path = _folder(name)
    if path is not None and not any((path / file).exists() for file in _TOKENIZERS):
        raise UserError("the model folder has no tokenizer", where=name, mend="save the tokenizer beside the model")


def attention() -> str | None:
    """How attention is computed: on a CPU plainly, which for rows of some hundred pieces is 2.5 times as fast as the
    fused kernel with its backward pass; elsewhere (``None``) as the family does by itself."""
    return "eager" if only_cpu() else None


def load_model(name: str) -> Any:
    """A masked LM from a folder or the hub, in fp32; only safetensors are read, no foreign code is run.

    Raises:
        UserError: naming what is missing or unreadable.
    """
    _check_weights(name)
    try:
        # Weights the folder lacks are drawn at random: from a fixed seed, so that a resumed run has the same.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model, info = AutoModelForMaskedLM.from_pretrained(
                str(_local(name) or name),
                use_safetensors=True,
                trust_remote_code=False,
                dtype=torch.float32,
                attn_implementation=attention(),
                output_loading_info=True,
            )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise UserError(f"cannot load the model: {_first_line(error)}", where=name) from error
    missing = sorted(info["missing_keys"])
    lost = [key for key in missing if key.startswith(f"{model.base_model_prefix}.")]
    if lost:
        raise UserError(f"{len(lost)} weights of the encoder are missing, the first {lost[0]}", where=name)
    if missing:
        print(f"note: {name} has no vocabulary head of its own; it begins with a random one", file=sys.stderr)
    return model


def load_tokenizer(name: str) -> Any:
    """The fast tokenizer that belongs to a model (character offsets need a fast one).

    Raises:
        UserError: if there is none.
    """
    _check_tokenizer(name)
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(_local(name) or name), use_fast=True, trust_remote_code=False)
    except Exception as error:  # transformers raises many kinds here
        raise UserError(f"cannot load the tokenizer: {_first_line(error)}", where=name) from error
    if not tokenizer.is_fast:
        raise UserError("the tokenizer has no fast form, so no character offsets", where=name)
    if tokenizer.mask_token_id is None:
        raise UserError("the tokenizer has no mask token", where=name, mend="masked-LM encoders are needed")
    return tokenizer


def load_twins(name: str) -> int:
    """:func:`twins_of` the model a tokenizer belongs to, without loading its weights; 0 for a tokenizer alone."""
    path = _folder(name)
    if path is not None and not (path / "config.json").is_file():
        return 0
    try:
        config = AutoConfig.from_pretrained(str(path or name), trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read the model's settings: {_first_line(error)}", where=name) from error
    return int(getattr(config, _TWINS, 0) or 0)


def _first_line(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return re.split(r"\n|(?<=\.)\s", text)[0][:300]


def parse_arch(arch: str) -> tuple[str, int, int]:
    """``bert:4x256`` as (family, layers, width).

    Raises:
        UserError: for an unknown family or an unreadable shape.
    """
    family, _, shape = arch.partition(":")
    match = re.fullmatch(r"(\d+)x(\d+)", shape)
    if family not in ARCHITECTURES:
        raise UserError(f"unknown architecture {family!r}", mend=did_you_mean(family, ARCHITECTURES))
    if not match or int(match[1]) < 1 or int(match[2]) < 32 or int(match[2]) % 32:
        raise UserError(f"cannot read the shape in {arch!r}", mend="write layers x width, as in bert:4x256")
    return family, int(match[1]), int(match[2])


def build(
    arch: str, tokenizer: Any, *, max_length: int = 512, dropout: float = 0.1, seed: int = 0, twins: bool = False
) -> Any:
    """A masked LM with random weights by the family's own initialiser; heads of 64 (of 32 up to width 128).

    Args:
        arch: ``family:LAYERSxWIDTH``; the feed-forward width is four times the width.
        tokenizer: gives vocabulary size and special ids.
        max_length: positions the model can tell apart.
        dropout: of hidden states and attention.
        seed: of the weights.
        twins: a second row for every piece, for languages that are derived by ``trans``.
    """
    family, layers, width = parse_arch(arch)
    rows = -(-len(tokenizer) * (1 + twins) // 8) * 8  # a multiple of 8 keeps matrix kernels on their fast path
    config = AutoConfig.for_model(
        ARCHITECTURES[family],
        vocab_size=rows,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=max(1, width // (32 if width <= 128 else 64)),
        intermediate_size=4 * width,
        max_position_embeddings=max_length if family == "bert" else max_length + tokenizer.pad_token_id + 1,
        type_vocab_size=2 if family == "bert" else 1,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        **({_TWINS: len(tokenizer)} if twins else {}),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return AutoModelForMaskedLM.from_config(config, attn_implementation=attention())


def save_half(model: Any, folder: Path) -> None:
    """Write a model in half precision, its config asking for fp32 when loaded; its own weights are rounded alike."""
    half = copy.deepcopy(model).half()
    half.save_pretrained(folder)
    config = model.config.to_dict() | {"dtype": "float32", "architectures": [type(model).__name__]}
    type(model.config).from_dict(config).save_pretrained(folder)
    with torch.no_grad():
        for mine, rounded in zip(model.parameters(), half.parameters(), strict=True):
            mine.copy_(rounded)


def twins_of(model: Any) -> int:
    """How many pieces have a twin: piece i's is i plus this; 0 in an encoder without twins."""
    return int(getattr(model.config, _TWINS, 0) or 0)


def base_of(model: Any) -> nn.Module:
    """The encoder inside a masked LM, without its vocabulary head."""
    base: nn.Module = model.base_model
    if base is model:
        raise UserError(f"{type(model).__name__} has no vocabulary head apart from its encoder")
    return base


class Stub(nn.Module):
    """Stands where the base model stood: hands back the states it is given."""

    def forward(self, *args: Any, inputs_embeds: Tensor, **kwargs: Any) -> BaseModelOutput:
        return BaseModelOutput(last_hidden_state=inputs_embeds)


def set_dropout(model: Any, share: float) -> None:
    """Drop this share of states and attention from now on; the model's config keeps what it says."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = share
        for name in ("attention_dropout", "activation_dropout", "dropout"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, share)


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


def takes_types(model: Any) -> bool:
    """Whether the model tells two segments apart by token types."""
    known = "token_type_ids" in inspect.signature(base_of(model).forward).parameters
    return known and int(getattr(model.config, "type_vocab_size", 0) or 0) >= 2


def hidden_layers(model: Any) -> int:
    """Number of layers; there is one hidden state more than that."""
    return int(model.config.num_hidden_layers)


def new_twin(model: Any, seed: int) -> Any:
    """A masked LM of the same layers, drawn by the family's own initialiser; its embeddings are fewer.

    ``_init_weights`` on a model that was loaded would do nothing: its weights are marked as initialised.
    """
    config = copy.deepcopy(model.config)
    special = [getattr(config, name) for name in vars(config) if name.endswith("_token_id")]
    highest = max([7, *(number for number in special if isinstance(number, int))])
    config.vocab_size = min(config.vocab_size, highest + 1)  # the embeddings are not asked for
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return AutoModelForMaskedLM.from_config(config)


class _Reached(Exception):
    """The layer that was asked for has been computed."""


def state_behind(model: Any, layer: int, inputs: dict[str, Tensor]) -> Tensor:
    """[b, t, d] the hidden state behind layer 1 to L; the layers above it are not computed where that can be helped."""
    base, count = base_of(model), hidden_layers(model)
    stacks = [part for part in base.modules() if isinstance(part, nn.ModuleList) and len(part) == count]
    if layer == count or len(stacks) != 1:  # the last may be normalised; shared or several stacks are run whole
        out = base(**inputs, output_hidden_states=layer != count, return_dict=True)
        state: Tensor = out.last_hidden_state if layer == count else out.hidden_states[layer]
        return state
    found: list[Tensor] = []

    def stop(_: nn.Module, __: Any, output: Any) -> None:
        found.append(output if isinstance(output, Tensor) else output[0])
        raise _Reached

    handle = stacks[0][layer - 1].register_forward_hook(stop)
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
