"""The vocabulary head of a masked LM, taken from its encoder: by itself, through another first layer, or away.

No code per family: a head is run on gathered states, the model's encoder replaced by a stub.
"""

from __future__ import annotations

import copy
from typing import Any

from torch import Tensor, nn

from paralign.encoder.hf import Stub, base_of, width_of
from paralign.errors import UserError

__all__ = ["head_dense", "head_of", "head_through", "without_head"]


class _Head:
    """The vocabulary head of a masked LM as a function of states; shares every parameter with the model."""

    def __init__(self, model: Any) -> None:
        shell = copy.copy(model)
        shell._modules = dict(model._modules)
        shell._modules[model.base_model_prefix] = Stub(base_of(model))
        self._shell = shell

    def __call__(self, states: Tensor) -> Tensor:
        scores: Tensor = self._shell(inputs_embeds=states[None]).logits[0]
        return scores


def head_of(model: Any) -> _Head:
    """Scores over the vocabulary from hidden states: [M, d] → [M, V]. Make it again after a deep copy."""
    return _Head(model)


def head_dense(model: Any) -> nn.Linear:
    """The first dense layer of the vocabulary head, d → d (d → e where embeddings are of another size): W1 and b1 of
    GELU(W1·h + b1).

    Raises:
        UserError: for a head without one.
    """
    return _dense_of(model)[1]


def head_through(model: Any, dense: nn.Module) -> _Head:
    """The vocabulary head with another first layer, all else shared with the model."""
    head = _Head(model)
    *path, name = _dense_of(model)[0].split(".")
    place = head._shell
    for step in path:  # copies along the way, so that the model keeps its own
        part = copy.copy(place._modules[step])
        part._modules = dict(part._modules)
        place._modules[step] = part
        place = part
    place._modules[name] = dense
    return head


def _dense_of(model: Any) -> tuple[str, nn.Linear]:
    base, width = f"{model.base_model_prefix}.", width_of(model)
    vocabulary = model.get_output_embeddings()
    for name, part in model.named_modules():
        if (
            isinstance(part, nn.Linear)
            and part is not vocabulary
            and not name.startswith(base)
            and part.in_features == width
        ):
            return name, part
    raise UserError(f"the vocabulary head of {type(model).__name__} has no dense layer", hint="use tlm for this family")


def without_head(model: Any) -> Any:
    """Remove the vocabulary head from a masked LM, in place."""
    base = base_of(model)
    for name, child in list(model.named_children()):
        if base is not model and child is not base:
            setattr(model, name, nn.Identity())
    return model
