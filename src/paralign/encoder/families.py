"""Families of encoders: which class loads a model, which models are refused, and how to build one from scratch."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import (
    CONFIG_MAPPING,
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_MASKED_LM_MAPPING,
    MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING,
    MODEL_MAPPING,
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    PreTrainedConfig,
    __version__,
)

from paralign.config import did_you_mean
from paralign.device import only_cpu
from paralign.encoder.hub import unavailable
from paralign.errors import UserError

__all__ = [
    "ARCHITECTURES",
    "TWINS",
    "Architecture",
    "attention_implementation",
    "build",
    "first_line",
    "is_causal",
    "model_class",
    "not_an_encoder",
    "parse_arch",
    "random_like",
    "read_family",
]

TWINS = "paralign_twins"
"""Key in a model's config that holds its twin offset."""
_HINT = "use an encoder; docs/families.md lists the families"
_CAUSAL_HINT = "causal language models can only be measured; docs/families.md lists the commands"


@dataclass(frozen=True)
class Architecture:
    """How a family differs from BERT in the settings of a model built from scratch."""

    type: str
    """Name of the family in transformers."""
    template: str = "bert"
    """Special tokens around sentences: ``bert`` for [CLS] A [SEP] B [SEP], ``roberta`` for <s> A </s></s> B </s>."""
    token_types: int = 0
    """Number of token types; 0 if the family has no such setting."""
    feed_forward: float = 4
    """Feed-forward width divided by width."""
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Names of settings where they differ from BERT's."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further settings."""


_DROPOUT, _ATTENTION_DROPOUT = "hidden_dropout_prob", "attention_probs_dropout_prob"
ARCHITECTURES = {
    "bert": Architecture("bert", token_types=2),
    "roberta": Architecture("roberta", "roberta", token_types=1),
    "xlm-r": Architecture("xlm-roberta", "roberta", token_types=1),
    "distilbert": Architecture(
        "distilbert",
        names={
            "hidden_size": ("dim",),
            "num_hidden_layers": ("n_layers",),
            "num_attention_heads": ("n_heads",),
            "intermediate_size": ("hidden_dim",),
            _DROPOUT: ("dropout",),
            _ATTENTION_DROPOUT: ("attention_dropout",),
        },
    ),
    # As DeBERTa-v3 (He et al. 2023): relative positions only, which share the projections of the content.
    "deberta": Architecture(
        "deberta-v2",
        extra={
            "relative_attention": True,
            "position_biased_input": False,
            "pos_att_type": ["p2c", "c2p"],
            "share_att_key": True,
            "norm_rel_ebd": "layer_norm",
            "type_vocab_size": 0,
        },
    ),
    "modernbert": Architecture(
        "modernbert",
        feed_forward=1.5,  # as in the family: two matrices, one gating the other
        names={_DROPOUT: ("embedding_dropout", "mlp_dropout"), _ATTENTION_DROPOUT: ("attention_dropout",)},
    ),
}


def attention_implementation() -> str | None:
    """Return the attention implementation for ``attn_implementation``.

    On a CPU it is ``eager``: for rows of some hundred pieces it is 2.5 times as fast as the fused kernel, backward pass
    included. Elsewhere it is None, the family's default.
    """
    return "eager" if only_cpu() else None


def first_line(error: BaseException) -> str:
    """Return the first line or sentence of an error's message."""
    text = str(error).strip() or type(error).__name__
    return re.split(r"\n|(?<=\.)\s", text)[0][:300]


def is_causal(config: PreTrainedConfig) -> bool:
    """Return whether a config is that of a causal language model (decoder), such as Llama or GPT-2."""
    if getattr(config, "is_decoder", False):
        return True
    generates = type(config) in MODEL_FOR_CAUSAL_LM_MAPPING and type(config) not in MODEL_FOR_MASKED_LM_MAPPING
    return generates and not getattr(config, "use_bidirectional_attention", False)


def not_an_encoder(family: str, name: str) -> UserError:
    """Return the error for a causal language model where an encoder is needed."""
    message = f"this {family} model is a causal language model, not an encoder: pieces do not attend to later pieces"
    return UserError(message, where=name, hint=_CAUSAL_HINT)


def read_family(path: str, name: str, *, allow_causal: bool = False) -> PreTrainedConfig:
    """Read the config of an encoder.

    Args:
        path: the folder of the model, or its name on the hub.
        name: the name the user gave, for messages.
        allow_causal: whether it may be a causal language model.

    Raises:
        UserError: if the config cannot be read, if transformers does not include the family, or if the family is not
            an encoder.
    """
    try:
        raw, _ = PreTrainedConfig.get_config_dict(path)
        family = raw.get("model_type")
        if family is not None and family not in CONFIG_MAPPING:
            if raw.get("auto_map"):
                message = f"the family {family!r} needs code from the model's folder, which paralign does not run"
            else:
                message = f"cannot load the model: transformers {__version__} has no family {family!r}"
            raise UserError(message, where=name, hint=_HINT)
        config: PreTrainedConfig = AutoConfig.from_pretrained(path, trust_remote_code=False)
    except UserError:
        raise
    except Exception as error:  # checks of configs raise many types of errors
        message = f"cannot load the model: {first_line(error)}"
        raise (UserError(message, where=name) if Path(path).exists() else unavailable(name, message)) from error
    # A T5EncoderModel does not call itself an encoder-decoder, but its family is loaded with a decoder.
    if getattr(config, "is_encoder_decoder", False) or type(config) in MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING:
        raise UserError(f"{config.model_type} models are encoder-decoders, not encoders", where=name, hint=_HINT)
    if is_causal(config) and not allow_causal:
        raise not_an_encoder(config.model_type, name)
    if type(config) not in MODEL_MAPPING:
        raise UserError(f"transformers has no encoder of the family {config.model_type!r}", where=name, hint=_HINT)
    return config


def model_class(config: PreTrainedConfig) -> Any:
    """Return ``AutoModelForMaskedLM``, or ``AutoModel`` for a family without vocabulary head or a causal model."""
    has_head = type(config) in MODEL_FOR_MASKED_LM_MAPPING and not is_causal(config)
    return AutoModelForMaskedLM if has_head else AutoModel


def parse_arch(arch: str) -> tuple[str, int, int]:
    """Split ``bert:4x256`` into family, layers and width.

    Raises:
        UserError: for an unknown family or a shape that cannot be read.

    >>> parse_arch("bert:4x256")
    ('bert', 4, 256)
    """
    family, _, shape = arch.partition(":")
    match = re.fullmatch(r"(\d+)x(\d+)", shape)
    if family not in ARCHITECTURES:
        raise UserError(f"unknown architecture {family!r}", hint=did_you_mean(family, ARCHITECTURES))
    if not match or int(match[1]) < 1 or int(match[2]) < 32 or int(match[2]) % 32:
        raise UserError(f"cannot read the shape in {arch!r}", hint="write layers x width, as in bert:4x256")
    return family, int(match[1]), int(match[2])


def build(
    arch: str, tokenizer: Any, *, max_length: int = 512, dropout: float = 0.1, seed: int = 0, twins: bool = False
) -> Any:
    """Build a masked LM whose weights are drawn by the family's own initializer.

    Args:
        arch: ``family:LAYERSxWIDTH``. Attention heads have size 64, or 32 up to width 128; the feed-forward width is
            four times the width (ModernBERT: 1.5 times).
        tokenizer: gives the size of the vocabulary and the ids of special tokens.
        max_length: number of positions.
        dropout: dropout of hidden states and attention.
        seed: seed of the weights.
        twins: whether every piece gets a second embedding, for languages derived by ``trans``.
    """
    name, layers, width = parse_arch(arch)
    family = ARCHITECTURES[name]
    rows = -(-len(tokenizer) * (1 + twins) // 8) * 8  # a multiple of 8 keeps matrix kernels on their fast path
    shape: dict[str, Any] = {
        "vocab_size": rows,
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": max(1, width // (32 if width <= 128 else 64)),
        "intermediate_size": int(family.feed_forward * width),
        # RoBERTa's positions start at the padding id plus one.
        "max_position_embeddings": max_length + (tokenizer.pad_token_id + 1 if family.template == "roberta" else 0),
        _DROPOUT: dropout,
        _ATTENTION_DROPOUT: dropout,
    }
    settings = {name: value for key, value in shape.items() for name in family.names.get(key, (key,))}
    settings |= {"type_vocab_size": family.token_types} if family.token_types else {}
    config = AutoConfig.for_model(
        family.type,
        **settings,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        **family.extra,
        **({TWINS: len(tokenizer)} if twins else {}),
    )
    if hasattr(config, "cls_token_id"):  # the default belongs to another vocabulary
        config.cls_token_id, config.sep_token_id = tokenizer.cls_token_id, tokenizer.sep_token_id
    if getattr(config, "relative_attention", False):
        config.position_buckets = min(256, max_length // 2)  # small distances are exact, larger ones share buckets
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return AutoModelForMaskedLM.from_config(config, attn_implementation=attention_implementation())


def random_like(model: Any, seed: int) -> Any:
    """Return a model with the same layers and random weights from the family's own initializer.

    Its vocabulary is reduced, since only the layers are used. (``_init_weights`` has no effect on a loaded model, whose
    weights are marked as initialized.)

    Args:
        model: the model to imitate.
        seed: seed of the weights.
    """
    config = copy.deepcopy(model.config)
    special = [getattr(config, name) for name in vars(config) if name.endswith("_token_id")]
    highest = max([7, *(number for number in special if isinstance(number, int))])
    config.vocab_size = min(config.vocab_size, highest + 1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return model_class(config).from_config(config)
