"""The cosine between the gradients of the losses of a mixture, on the weights they share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import torch
from torch import Tensor, nn

from paralign.encoder.layers import layer_parameters
from paralign.errors import UserError
from paralign.training.config import TrainingConfig
from paralign.training.learner import Learner

__all__ = ["GradientCosines", "check_losses", "gradient_cosines"]

Cosines = dict[str, dict[str, float | None]]


def gradient_cosines(losses: Mapping[str, Tensor], groups: Mapping[str, Sequence[nn.Parameter]]) -> Cosines:
    """Return the cosine between the gradients of each pair of losses, on each group of parameters and on all of them.

    The graph of the losses is kept, and no ``.grad`` changes: a backward pass can follow. The factor of a loss does not
    matter.

    Args:
        losses: two or more scalars by name.
        groups: parameters by name of the group; those without ``requires_grad`` are ignored.

    Returns:
        Cosines by pair of losses in their order and by group, with ``all`` for all weights, such as
        ``{"tlm moco": {"layer 1": 0.3, "all": 0.2}}``. A cosine is None if a gradient is 0, as of a layer that a loss
        does not reach.

    >>> weight = nn.Parameter(torch.tensor([1.0, 2.0]))
    >>> gradient_cosines({"a": weight[0], "b": 3 * weight.sum()}, {"layer": [weight]})
    {'a b': {'layer': 0.7071, 'all': 0.7071}}
    """
    trained = {name: [p for p in group if p.requires_grad] for name, group in groups.items()}
    parameters = [p for group in trained.values() for p in group]
    numbers = [k for k, group in enumerate(trained.values()) for _ in group]
    gradients: list[Sequence[Tensor | None]] = []
    for loss in losses.values():
        none: Sequence[Tensor | None] = [None] * len(parameters)
        reached = loss.requires_grad and parameters
        gradients.append(
            torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True) if reached else none
        )
    # One number for each group and each pair of losses, a loss with itself included.
    pairs = [(a, b) for a in range(len(losses)) for b in range(a, len(losses))]
    products = torch.zeros(len(pairs), len(trained), device=parameters[0].device if parameters else None)
    for row, (a, b) in enumerate(pairs):
        for group, x, y in zip(numbers, gradients[a], gradients[b], strict=True):
            if x is not None and y is not None:
                products[row, group] += (x.float() * y.float()).sum()
    by_pair = dict(zip(pairs, products.cpu().double(), strict=True))
    names, out = list(losses), {}
    for a, b in combinations(range(len(names)), 2):
        own = [torch.cat([by_pair[k], by_pair[k].sum()[None]]) for k in ((a, b), (a, a), (b, b))]
        norm = (own[1] * own[2]).sqrt()
        cosines = [round(float(x / n), 4) if n > 0 else None for x, n in zip(own[0], norm, strict=True)]
        out[f"{names[a]} {names[b]}"] = dict(zip([*trained, "all"], cosines, strict=True))
    return out


def check_losses(config: TrainingConfig, losses: int) -> None:
    """Check that there are losses to compare, if gradient cosines are measured.

    Args:
        config: settings of the loop.
        losses: number of losses of the run.

    Raises:
        UserError: if there is only one.
    """
    if config.gradient_cosine_every and losses < 2:
        message = "training.gradient_cosine_every compares losses, and this run has only one"
        raise UserError(message, hint="remove it, or add an objective")


class GradientCosines:
    """Measures gradient cosines every ``training.gradient_cosine_every`` steps (Yu et al. 2020 call negative ones
    conflicts), on the first slice of the first process, within the step: nothing is encoded again.

    Args:
        learner: encoder and objectives.
        config: settings of the loop.

    Raises:
        UserError: if there is only one loss.
    """

    def __init__(self, learner: Learner, config: TrainingConfig) -> None:
        self.every = config.gradient_cosine_every
        self._learner = learner
        check_losses(config, len(learner.weights()))

    def due(self, step: int) -> bool:
        """Return whether to measure in a step, counted from 1."""
        return bool(self.every) and step % self.every == 0

    def measure(self, out: Mapping[str, Tensor]) -> Cosines:
        """Return the cosines on the encoder's layers.

        Args:
            out: what the learner returned for a slice, before its backward pass.
        """
        losses = {name: out[name] for name in self._learner.weights()}  # in one order, however the batch is divided
        return gradient_cosines(losses, layer_parameters(self._learner.encoder))
