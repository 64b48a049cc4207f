"""Dropout with random numbers that are fast to generate on a CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint
from transformers import AttentionInterface, PreTrainedConfig, PreTrainedModel
from transformers.masking_utils import AttentionMaskInterface, eager_mask

__all__ = ["Dropout", "use_fast_dropout"]

_STEPS = 1 << 16
_BLOCK = 1 << 17
_LARGE = 1 << 22
"""Number of attention weights of a layer from which they are not kept for the gradient."""
_ATTENTION = "paralign"
_FAMILIES = frozenset(
    ("albert", "bert", "camembert", "distilbert", "electra", "roberta", "xlm-roberta", "xlm-roberta-xl", "xmod")
)
"""Families whose eager attention is that of BERT (one function, which transformers copies to each of them)."""
_WORDS: dict[int, tuple[Any, Any]] = {2: (np.uint16, np.int16), 4: (np.uint32, np.int32), 8: (np.uint64, np.int64)}


class Dropout(nn.Dropout):
    """``nn.Dropout`` that, on a CPU, generates 16 random bits for each element itself.

    This is eight times as fast as torch's generator, which took a seventh of a training step. The dropped share is
    ``p`` rounded to 1/65,536, and kept elements are scaled accordingly. Each call draws one number from torch's
    generator as the seed of all others, so ``torch.manual_seed`` and saved generator states work as usual.

    On other devices, and with ``inplace``, it is ``nn.Dropout``.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Drop elements of a tensor of any shape; return the input itself in evaluation mode."""
        return super().forward(input) if self.inplace else _drop(input, self.p, self.training)


def _drop(input: Tensor, p: float, training: bool) -> Tensor:
    out_of = round(p * _STEPS)
    if not training or input.device.type != "cpu" or not 0 < out_of < _STEPS:
        return nn.functional.dropout(input, p, training)
    out: Tensor = _Drop.apply(input, out_of)  # type: ignore[no-untyped-call]
    return out


class _Drop(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input: Tensor, out_of: int) -> Tensor:
        noise = _noise(input, out_of)
        ctx.save_for_backward(noise)
        return input * noise

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (noise,) = ctx.saved_tensors
        return gradient * noise, None


def _noise(like: Tensor, out_of: int) -> Tensor:
    """Return 0 for ``out_of`` in 65,536 elements, and for the others the factor that keeps the mean."""
    seed = int(torch.empty((), dtype=torch.int64).random_())
    random_words = np.random.SFC64(seed).random_raw
    word, signed = _WORDS[like.element_size()]
    # The bits of the factor are multiplied, not the factor: torch is slow to convert booleans to bf16.
    scale = torch.tensor([_STEPS / (_STEPS - out_of)], dtype=like.dtype).view(torch.uint8).numpy().view(word)
    kept = np.empty(like.numel(), word)
    for start in range(0, len(kept), _BLOCK):  # small enough to stay in the cache
        part = kept[start : start + _BLOCK]
        bits = random_words(-(-len(part) // 4)).view(np.uint16)[: len(part)]
        np.multiply((bits >= out_of).view(np.uint8), scale, out=part, dtype=word)
    return torch.from_numpy(kept.view(signed)).view(like.dtype).view(like.shape)


def use_fast_dropout(module: nn.Module) -> None:
    """Replace every plain ``nn.Dropout`` inside a module by :class:`Dropout`, in place.

    Subclasses of ``nn.Dropout`` are kept. A layer that is used in several places is replaced by one layer. In BERT and
    families with the same attention, eager attention uses this dropout for its weights too.

    >>> from torch import nn
    >>> body = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.1))
    >>> use_fast_dropout(body)
    >>> type(body[1]) is Dropout, body[1].p
    (True, 0.1)
    """
    replaced: dict[nn.Module, Dropout] = {}
    for path, layer in list(module.named_modules(remove_duplicate=False)):
        if path and type(layer) is nn.Dropout:
            if layer not in replaced:
                replaced[layer] = Dropout(layer.p, layer.inplace).train(layer.training)
            module.set_submodule(path, replaced[layer])
        elif isinstance(layer, PreTrainedModel) and _has_bert_attention(layer.config):
            layer.set_attn_implementation(_ATTENTION)


def _has_bert_attention(config: PreTrainedConfig) -> bool:
    # Configs with output_attentions can be saved with eager attention only.
    eager = config._attn_implementation == "eager" and not config.output_attentions
    return eager and config.model_type in _FAMILIES


def _attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[Tensor, Tensor | None]:
    """Compute BERT's eager attention with the dropout of this module; arguments and result as for transformers.

    Large matrices of weights are computed again for the gradient instead of kept, with the same result. The second
    result is None then.
    """
    scaling = query.size(-1) ** -0.5 if scaling is None else scaling
    arguments = (query, key, value, attention_mask, scaling, dropout if module.training else 0.0)
    if torch.is_grad_enabled() and query.shape[:3].numel() * key.size(2) >= _LARGE:
        out, _ = checkpoint(_weighted_values, *arguments, use_reentrant=False)
        return out, None
    return _weighted_values(*arguments)


def _weighted_values(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scaling: float, dropout: float
) -> tuple[Tensor, Tensor]:
    """Return the values weighted by attention, of shape [n, L, h, d / h], and the weights, of shape [n, h, L, L]."""
    scores = torch.matmul(query, key.transpose(2, 3)) * scaling
    if mask is not None:
        scores = scores + mask
    weights = _drop(nn.functional.softmax(scores, dim=-1), dropout, True)
    return torch.matmul(weights, value).transpose(1, 2).contiguous(), weights


AttentionInterface.register(_ATTENTION, _attention)
AttentionMaskInterface.register(_ATTENTION, eager_mask)
