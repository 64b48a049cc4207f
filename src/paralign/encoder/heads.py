"""The vocabulary head of a masked LM, computed on hidden states without running its encoder.

There is no code for single families: while the head runs, :class:`paralign.encoder.hf.Stub` takes the place of the
encoder inside the model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from paralign.encoder.hf import Stub, base_of, width_of
from paralign.errors import UserError

__all__ = ["head_dense", "head_logits", "without_head"]


def head_logits(model: Any, states: Tensor, dense: nn.Module | None = None) -> Tensor:
    """Return the logits over the vocabulary.

    Args:
        model: a masked LM; every parameter of its head gets its gradient.
        states: hidden states. Shape: [M, d].
        dense: the layer to use in place of the head's first dense layer (see :func:`head_dense`). None: its own.

    Returns:
        The logits, of shape [M, V].

    Raises:
        UserError: with ``dense``, if the head has no dense layer.
    """
    replacements: dict[str, nn.Module] = {model.base_model_prefix: Stub(base_of(model))}
    if dense is not None:
        replacements[_dense_of(model)[0]] = dense
    with _replaced(model, replacements):
        # The backward pass of [0] would copy the gradient of all logits.
        logits: Tensor = model(inputs_embeds=states[None]).logits.squeeze(0)
    return logits


@contextmanager
def _replaced(model: nn.Module, replacements: Mapping[str, nn.Module]) -> Iterator[None]:
    """Use other submodules, given by path, inside the ``with`` block."""
    originals = {path: model.get_submodule(path) for path in replacements}
    try:
        for path, module in replacements.items():
            model.set_submodule(path, module)
        yield
    finally:
        for path, module in originals.items():
            model.set_submodule(path, module)


def head_dense(model: Any) -> nn.Linear:
    """Return the first dense layer of the vocabulary head: W1 and b1 of GELU(W1·h + b1).

    It maps d to d, or to the size of the embeddings where that differs.

    Raises:
        UserError: if the head has no dense layer.
    """
    return _dense_of(model)[1]


def _dense_of(model: Any) -> tuple[str, nn.Linear]:
    base, width = f"{model.base_model_prefix}.", width_of(model)
    vocabulary = model.get_output_embeddings()
    for path, module in model.named_modules():
        if (
            isinstance(module, nn.Linear)
            and module is not vocabulary
            and not path.startswith(base)
            and module.in_features == width
        ):
            return path, module
    raise UserError(f"the vocabulary head of {type(model).__name__} has no dense layer", hint="use tlm for this family")


def without_head(model: Any) -> Any:
    """Remove the vocabulary head of a masked LM in place, and return the model."""
    base = base_of(model)
    for name, child in list(model.named_children()):
        if base is not model and child is not base:
            setattr(model, name, nn.Identity())
    return model
