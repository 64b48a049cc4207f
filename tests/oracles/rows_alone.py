"""Hidden states and logits of a view, one unpadded row at a time, from the forward pass of transformers."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch


@torch.no_grad()
def rows_alone(model: Any, view: Any, *, types: bool) -> tuple[list[torch.Tensor], torch.Tensor, torch.Tensor]:
    """Hidden states [T, d] of every layer, last hidden states [T, d] and scores [T, V], rows end to end."""
    layers: list[list[torch.Tensor]] = []
    last, scores = [], []
    ends = np.cumsum(view.lengths)
    for start, end in zip(ends - view.lengths, ends, strict=True):
        inputs = {"input_ids": torch.tensor(view.ids[None, start:end])}
        if types:
            inputs["token_type_ids"] = torch.tensor(view.types[None, start:end])
        out = model(**inputs, output_hidden_states=True)
        layers.append([state[0] for state in out.hidden_states])
        scores.append(out.logits[0])
        last.append(model.base_model(**inputs).last_hidden_state[0])
    return [torch.cat(rows) for rows in zip(*layers, strict=True)], torch.cat(last), torch.cat(scores)
