"""Families of encoders: which class loads a folder, which folders are refused, and how one is built from scratch."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import (
    CONFIG_MAPPING,
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_MASKED_LM_MAPPING,
    MODEL_MAPPING,
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    PreTrainedConfig,
    __version__,
)

from paralign.config import did_you_mean
from paralign.device import only_cpu
from paralign.errors import UserError

__all__ = [
    "ARCHITECTURES",
    "TWINS",
    "Architecture",
    "attention_implementation",
    "build",
    "model_class",
    "first_line",
    "parse_arch",
    "random_like",
    "read_family",
]

TWINS = "paralign_twins"
"""Key of a model's config."""
_MEND = "give an encoder: docs/families.md says which"


@dataclass(frozen=True)
class Architecture:
    """What a family calls the settings of a model from scratch, where it differs from BERT."""

    type: str
    """transformers' name of the family."""
    dress: str = "bert"
    """How sentences are dressed: ``bert`` for [CLS] A [SEP] B [SEP], ``roberta`` for <s> A </s></s> B </s>."""
    types: int = 0
    """Segments told apart by token types; 0: there is no such setting."""
    inner: float = 4
    """Feed-forward width over width."""
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)


_DROPOUT, _ATTENTION_DROPOUT = "hidden_dropout_prob", "attention_probs_dropout_prob"
ARCHITECTURES = {
    "bert": Architecture("bert", types=2),
    "roberta": Architecture("roberta", "roberta", types=1),
    "xlm-r": Architecture("xlm-roberta", "roberta", types=1),
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
    # As DeBERTa-v3 (He et al. 2023): relative positions alone, their projections shared with those of the content.
    "deberta": Architecture(
        "deberta-v2",
        more={
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
        inner=1.5,  # of two matrices, one gating the other: the family's own
        names={_DROPOUT: ("embedding_dropout", "mlp_dropout"), _ATTENTION_DROPOUT: ("attention_dropout",)},
    ),
}


def attention_implementation() -> str | None:
    """How attention is computed: on a CPU plainly, which for rows of some hundred pieces is 2.5 times as fast as the
    fused kernel with its backward pass; elsewhere (``None``) as the family does by itself."""
    return "eager" if only_cpu() else None


def first_line(error: BaseException) -> str:
    """What an error says, on one line."""
    text = str(error).strip() or type(error).__name__
    return re.split(r"\n|(?<=\.)\s", text)[0][:300]


def read_family(path: str, name: str) -> PreTrainedConfig:
    """A model's config, of an encoder that transformers knows by itself.

    Args:
        path: its folder, or its name on the hub.
        name: how the user called it.

    Raises:
        UserError: for a config that cannot be read, a family that transformers does not know, and families that are
            no encoders.
    """
    try:
        raw, _ = PreTrainedConfig.get_config_dict(path)
        kind = raw.get("model_type")
        if kind is not None and kind not in CONFIG_MAPPING:
            if raw.get("auto_map"):
                message = f"the family {kind!r} needs code that comes with the model, and paralign runs none"
            else:
                message = f"cannot load the model: transformers {__version__} does not know the family {kind!r}"
            raise UserError(message, where=name, hint=_MEND)
        config: PreTrainedConfig = AutoConfig.from_pretrained(path, trust_remote_code=False)
    except UserError:
        raise
    except Exception as error:  # a config's own checks raise many kinds
        raise UserError(f"cannot load the model: {first_line(error)}", where=name) from error
    if getattr(config, "is_encoder_decoder", False):
        raise UserError(f"{config.model_type} models are encoder-decoders, not encoders", where=name, hint=_MEND)
    generates = type(config) in MODEL_FOR_CAUSAL_LM_MAPPING and type(config) not in MODEL_FOR_MASKED_LM_MAPPING
    if getattr(config, "is_decoder", False) or (
        generates and not getattr(config, "use_bidirectional_attention", False)
    ):
        message = f"this {config.model_type} model reads from left to right: a decoder, not an encoder"
        raise UserError(message, where=name, hint=_MEND)
    if type(config) not in MODEL_MAPPING:
        raise UserError(f"transformers has no encoder of the family {config.model_type!r}", where=name, hint=_MEND)
    return config


def model_class(config: PreTrainedConfig) -> Any:
    """``AutoModelForMaskedLM``, or ``AutoModel`` for a family without vocabulary head."""
    return AutoModelForMaskedLM if type(config) in MODEL_FOR_MASKED_LM_MAPPING else AutoModel


def parse_arch(arch: str) -> tuple[str, int, int]:
    """``bert:4x256`` as (family, layers, width).

    Raises:
        UserError: for an unknown family or an unreadable shape.
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
    """A masked LM with random weights by the family's own initializer; heads of 64 (of 32 up to width 128).

    Args:
        arch: ``family:LAYERSxWIDTH``; the feed-forward width is four times the width (ModernBERT: 1.5 times).
        tokenizer: gives vocabulary size and special ids.
        max_length: positions the model can tell apart.
        dropout: of hidden states and attention.
        seed: of the weights.
        twins: a second row for every piece, for languages that are derived by ``trans``.
    """
    name, layers, width = parse_arch(arch)
    family = ARCHITECTURES[name]
    rows = -(-len(tokenizer) * (1 + twins) // 8) * 8  # a multiple of 8 keeps matrix kernels on their fast path
    shape: dict[str, Any] = {
        "vocab_size": rows,
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": max(1, width // (32 if width <= 128 else 64)),
        "intermediate_size": int(family.inner * width),
        # RoBERTa counts positions from behind the number of the padding.
        "max_position_embeddings": max_length + (tokenizer.pad_token_id + 1 if family.dress == "roberta" else 0),
        _DROPOUT: dropout,
        _ATTENTION_DROPOUT: dropout,
    }
    asked = {own: value for general, value in shape.items() for own in family.names.get(general, (general,))}
    asked |= {"type_vocab_size": family.types} if family.types else {}
    config = AutoConfig.for_model(
        family.type,
        **asked,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        **family.more,
        **({TWINS: len(tokenizer)} if twins else {}),
    )
    if hasattr(config, "cls_token_id"):  # its default is another vocabulary's
        config.cls_token_id, config.sep_token_id = tokenizer.cls_token_id, tokenizer.sep_token_id
    if getattr(config, "relative_attention", False):
        config.position_buckets = min(256, max_length // 2)  # near distances one by one, farther ones together
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return AutoModelForMaskedLM.from_config(config, attn_implementation=attention_implementation())


def random_like(model: Any, seed: int) -> Any:
    """A model of the same layers, drawn by the family's own initializer; its embeddings are fewer.

    ``_init_weights`` on a model that was loaded would do nothing: its weights are marked as initialized.
    """
    config = copy.deepcopy(model.config)
    special = [getattr(config, name) for name in vars(config) if name.endswith("_token_id")]
    highest = max([7, *(number for number in special if isinstance(number, int))])
    config.vocab_size = min(config.vocab_size, highest + 1)  # the embeddings are not asked for
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return model_class(config).from_config(config)
