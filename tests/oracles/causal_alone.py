"""Vectors of a causal language model by transformers alone: one sentence at a time, without padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch


@torch.no_grad()
def states_alone(model: Any, tokenizer: Any, text: str) -> tuple[list[int], np.ndarray]:
    """Return the ids of a text with its special tokens, and the hidden states of all layers. Shape: [L + 1, t, d]."""
    ids = tokenizer(text)["input_ids"]
    out = model(input_ids=torch.tensor([ids]), output_hidden_states=True, use_cache=False)
    return ids, torch.cat(out.hidden_states).numpy()


def vectors_alone(model: Any, tokenizer: Any, texts: Sequence[str], layer: int, pool: str) -> list[list[float]]:
    """Return the vector of each text: the state of its last piece, or the mean over pieces that are not special."""
    out = []
    for text in texts:
        ids, states = states_alone(model, tokenizer, text)
        inner = [k for k, number in enumerate(ids) if number not in tokenizer.all_special_ids]
        vector = states[layer][-1] if pool == "last" else states[layer][inner].astype(np.float64).mean(0)
        out.append(vector.tolist())
    return out
