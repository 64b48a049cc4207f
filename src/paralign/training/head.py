"""A new vocabulary head is trained alone before the run."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from paralign.batches.masking import STREAM
from paralign.device import on_device
from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.objectives.base import Batches
from paralign.rng import seed_for
from paralign.training.callbacks import Callback, CallbackTrainer

__all__ = ["HeadFit", "fit_head", "fit_new_head"]

_HEAD = 37
"""Stream of random numbers."""
_RATE = 1e-3


def fit_head(
    encoder: Encoder,
    batches: Batches,
    view: str,
    steps: int,
    *,
    slices: int = 1,
    progress: Callable[[str], None] = lambda note: None,
) -> list[float]:
    """Train the vocabulary head alone on masked pieces; embeddings and layers stay as they are.

    The head's dense layer, if it maps d to d, starts as the identity, so that the first logits are those of the hidden
    states themselves.

    Args:
        encoder: an encoder with a new head, which is changed.
        batches: batches of negative steps are used, which the run does not train on.
        view: name of a masked view.
        steps: number of batches.
        slices: number of slices in which a batch is computed, one after another, to save memory.
        progress: called with a note after each step.

    Returns:
        The mean loss per masked piece of each step.
    """
    _start_as_identity(encoder)
    parameters = encoder.head_parameters()
    optimizer = torch.optim.AdamW(parameters, lr=_RATE)
    training, losses = encoder.training, []
    encoder.eval()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = _RATE * (1 - step / steps)
        optimizer.zero_grad()
        views = [batches.batch(-1 - step, part, slices).view(view) for part in range(slices)]
        count, total = max(1, sum(len(masked.labels) for masked in views)), 0.0
        for masked in views:
            with torch.no_grad():
                states = encoder.encode(masked).at(masked.masked)
            labels = on_device(masked.labels, states.device)
            loss = nn.functional.cross_entropy(encoder.logits(states).float(), labels, reduction="sum") / count
            gradients = torch.autograd.grad(loss, parameters, allow_unused=True)  # LUKE's head of entities is not used
            for parameter, gradient in zip(parameters, gradients, strict=True):
                if gradient is not None:
                    parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient
            total += float(loss.detach())
        optimizer.step()
        losses.append(total)
        progress(f"new vocabulary head: step {step + 1} of {steps}, loss {total:.2f}")
    optimizer.zero_grad()
    encoder.train(training)
    return losses


@torch.no_grad()
def _start_as_identity(encoder: Encoder) -> None:
    try:
        dense = encoder.head_dense()
    except UserError:  # families whose head has none, as XLM
        return
    if dense.in_features == dense.out_features:  # ELECTRA and ALBERT map to the size of the embeddings
        dense.weight.copy_(torch.eye(encoder.width))
        if dense.bias is not None:
            dense.bias.zero_()


def fit_new_head(trainer: CallbackTrainer, steps: int) -> list[float]:
    """Train the vocabulary head of a learner alone if it is new and an objective needs it.

    Returns:
        The losses of :func:`fit_head`; none if the head is not trained.
    """
    objectives = trainer.learner.objectives_by_name().values()
    view = next((v for o in objectives if o.needs_logits for v in o.reads if v in STREAM), None)
    if not trainer.learner.encoder.head_is_new or not steps or view is None:
        return []
    torch.manual_seed(seed_for(trainer.config.seed, _HEAD))
    with trainer.whole_weights() as learner:
        slices = trainer.ranks * trainer.config.accumulate
        return fit_head(learner.encoder, trainer.batches, view, steps, slices=slices, progress=trainer.show)


class HeadFit(Callback):
    """Train a new vocabulary head alone before the first step, if an objective needs one (``training.head_steps``)."""

    def on_train_start(self, trainer: CallbackTrainer) -> None:
        """Fit the head unless the run is resumed."""
        steps = 0 if trainer.step else trainer.config.head_steps
        losses = fit_new_head(trainer, steps)
        if not losses:
            return
        tenth = max(1, steps // 10)
        first, last = (sum(some) / len(some) for some in (losses[:tenth], losses[-tenth:]))
        means = {"first_loss": round(first, 4), "last_loss": round(last, 4)}
        trainer.record(event="head", step=trainer.step, steps=steps, **means)
        trainer.show(f"new vocabulary head trained alone: loss {first:.2f} to {last:.2f}")
