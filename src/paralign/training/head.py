"""A new vocabulary head is trained alone before the run."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import nn

from paralign.device import on_device
from paralign.encoder import Encoder
from paralign.objectives.base import Batches
from paralign.rng import seed_for
from paralign.training.callbacks import Callback, CallbackTrainer

__all__ = ["HeadFit", "fit_head"]

_HEAD = 37
"""Stream of random numbers."""
_RATE = 1e-3
_MASKED = ("joint", "text", "translated")
"""Views with masked pieces."""


def fit_head(encoder: Encoder, batches: Batches, view: str, steps: int) -> list[float]:
    """Train the vocabulary head alone on masked pieces; embeddings and layers stay as they are.

    The head's dense layer starts as the identity, so that the first logits are those of the hidden states themselves.

    Args:
        encoder: an encoder with a new head, which is changed.
        batches: batches of negative steps are used, which the run does not train on.
        view: name of a masked view.
        steps: number of batches.

    Returns:
        The mean loss per masked piece of each step.
    """
    dense = encoder.head_dense()
    with torch.no_grad():
        dense.weight.copy_(torch.eye(encoder.width))
        dense.bias.zero_()
    parameters = encoder.head_parameters()
    optimizer = torch.optim.AdamW(parameters, lr=_RATE)
    training, losses = encoder.training, []
    encoder.eval()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = _RATE * (1 - step / steps)
        masked = batches.batch(-1 - step).view(view)
        with torch.no_grad():
            states = encoder.encode(masked).at(masked.masked)
        labels = on_device(masked.labels, states.device)
        loss = nn.functional.cross_entropy(encoder.logits(states).float(), labels)
        gradients = torch.autograd.grad(loss, parameters)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        optimizer.step()
        losses.append(float(loss.detach()))
    for parameter in parameters:
        parameter.grad = None
    encoder.train(training)
    return losses


class HeadFit(Callback):
    """Train a new vocabulary head alone before the first step, if an objective needs one (``training.head_steps``)."""

    name: ClassVar[str] = ""

    def on_train_start(self, trainer: CallbackTrainer) -> None:
        """Fit the head unless the run is resumed."""
        encoder, steps = trainer.learner.encoder, trainer.config.head_steps
        objectives = trainer.learner.objectives_by_name().values()
        view = next((v for o in objectives if o.needs_logits for v in o.reads if v in _MASKED), None)
        if trainer.step or not encoder.head_is_new or not steps or view is None:
            return
        torch.manual_seed(seed_for(trainer.config.seed, _HEAD))
        with trainer.whole_weights() as learner:
            losses = fit_head(learner.encoder, trainer.batches, view, steps)
        tenth = max(1, steps // 10)
        first, last = (sum(some) / len(some) for some in (losses[:tenth], losses[-tenth:]))
        trainer.record(event="head", steps=steps, first_loss=round(first, 4), last_loss=round(last, 4))
        trainer.show(f"new vocabulary head trained alone: loss {first:.2f} to {last:.2f}")
