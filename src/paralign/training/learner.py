"""Encoder and objectives as one module, which is distributed and run under autocast."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from paralign.batches.views import Batch
from paralign.encoder import Encoder
from paralign.encoder.dropout import use_fast_dropout
from paralign.encoder.hidden_states import spread
from paralign.encoder.layers import parameters_above
from paralign.errors import UserError
from paralign.objectives.base import Objective, Share, Step
from paralign.objectives.global_batch import GlobalObjective

__all__ = ["Learner"]


class Learner(nn.Module):
    """The encoder and the objectives that are trained. ``forward`` returns the sum of every named loss.

    Args:
        encoder: the encoder being trained.
        objectives: the objectives to minimize, by name.

    Raises:
        UserError: for a causal language model, which is only measured.
    """

    def __init__(self, encoder: Encoder, objectives: Mapping[str, Objective]) -> None:
        super().__init__()
        if encoder.causal:
            message = "objectives train encoders, not causal language models: pieces do not attend to later pieces"
            raise UserError(message, where=encoder.name or None)
        self.encoder = encoder
        self.objectives = nn.ModuleDict(objectives)
        use_fast_dropout(self)
        self._vectors: list[Tensor] = []  # of each slice of a step
        self.requests = _requests(encoder, objectives.values())
        self._views = list(dict.fromkeys(view for o in objectives.values() for view in o.requests(encoder)))
        if not any(o.needs_logits for o in objectives.values()):
            unread = encoder.head_parameters()
            top = max((max(layers) for layers in self.requests.values()), default=encoder.layers)
            if top < encoder.layers:
                unread += parameters_above(encoder, top)
            for parameter in unread:
                parameter.requires_grad_(False)

    def objectives_by_name(self) -> Mapping[str, Objective]:
        """Return the objectives by name."""
        return {name: o for name, o in self.objectives.items() if isinstance(o, Objective)}

    def encoders(self) -> list[Encoder]:
        """Return the encoder, and those that objectives hold: momentum encoders and frozen copies."""
        return [part for part in self.modules() if isinstance(part, Encoder)]

    def weights(self, step: int | None = None, steps: int = 1) -> dict[str, float]:
        """Return the weight of every named loss in the total loss.

        Args:
            step: number of the step, from 0. None: the final weights, after any warm-up.
            steps: number of steps of the run.
        """
        out: dict[str, float] = {}
        for objective in self.objectives_by_name().values():
            warmup = objective.config.weight_warmup
            length = warmup * steps if warmup < 1 else warmup
            factor = 1.0 if step is None or step >= length else step / length
            out |= {name: factor * weight for name, weight in objective.weights().items()}
        return out

    def counts(self, batch: Batch) -> dict[str, int]:
        """Return the number of terms of every named loss in this slice."""
        return {name: n for o in self.objectives_by_name().values() for name, n in o.counts(batch).items()}

    def chance(self) -> dict[str, float]:
        """Return the loss at chance level of every loss that has one."""
        return {name: c for o in self.objectives_by_name().values() for name, c in o.chance().items()}

    def start_step(self) -> None:
        """Forget the slices of the last step, which :meth:`metrics` describes."""
        self._vectors.clear()
        for objective in self.objectives_by_name().values():
            objective.start_step()

    def forward(
        self, batch: Batch, share: Callable[[Any, Tensor], Share] | None = None, *, represent: bool = False
    ) -> dict[str, Tensor]:
        """Return the sum of every named loss, a scalar with gradient; each view is encoded once.

        Args:
            batch: the slice.
            share: of objectives that compare items of the whole batch; see :class:`Step`.
            represent: return the vectors of those objectives' items instead, by name.

        Raises:
            UserError: if an objective does not return a scalar for each loss that it counts or reads a view that it
                does not declare, or no loss has a gradient.
        """
        step = Step(self.encoder, batch, self.requests, share)
        objectives = self.objectives_by_name()
        whole = {name: o for name, o in objectives.items() if isinstance(o, GlobalObjective)}
        if represent:
            return {o.name: o.represent(step) for o in whole.values()}
        if share is not None:  # first, so that both passes encode with the same random numbers
            objectives = {**whole, **objectives}
        sums = {name: s for o in objectives.values() for name, s in _sums(o, step).items()}
        if torch.is_grad_enabled() and not any(s.requires_grad for s in sums.values()):
            raise UserError(f"no loss has a gradient: {', '.join(sums)}", hint="do not detach the hidden states")
        if step.encoded:
            encoded = {name for name, _ in step.encoded}
            if undeclared := sorted(encoded.difference(self._views)):
                hint = "add it to the objective's `reads`"
                raise UserError(f"the view {undeclared[0]!r} is read, but no objective declares it", hint=hint)
            view = next(name for name in self._views if name in encoded)
            highest = max(layer for name, layer in step.encoded if name == view)
            self._vectors.append(step.encoded[view, highest].mean().detach())
        return sums

    def metrics(self) -> dict[str, float]:
        """Return metrics for the log: those of the objectives, and the spread of sentence vectors.

        The spread is that of all slices of the step. The vectors are mean-pooled from the highest layer that is read of
        the first view of the first objective that reads one.
        """
        out = {name: value for o in self.objectives_by_name().values() for name, value in o.metrics().items()}
        if self._vectors:
            out |= {f"sentence_{name}": value for name, value in spread(torch.cat(self._vectors)).items()}
        return out


def _sums(objective: Objective, step: Step) -> Mapping[str, Tensor]:
    """Return the sum of every loss of an objective.

    Raises:
        UserError: if it does not return a scalar for each loss that it counts.
    """
    sums: Mapping[str, Tensor] = objective(step)
    names = set(objective.counts(step.batch))
    scalar = isinstance(sums, Mapping) and all(isinstance(x, Tensor) and x.ndim == 0 for x in sums.values())
    if not scalar or set(sums) != names:
        message = f"forward of {type(objective).__name__} must return a dictionary with one scalar tensor for each loss"
        raise UserError(message, hint=f"its counts returns {', '.join(sorted(names))}")
    return sums


def _requests(encoder: Encoder, objectives: Iterable[Objective]) -> dict[str, list[int]]:
    """Return the layers that objectives read of each view, both in ascending order."""
    layers: dict[str, set[int]] = {}
    for objective in objectives:
        for view, numbers in objective.requests(encoder).items():
            layers.setdefault(view, set()).update(numbers)
    return {view: sorted(layers[view]) for view in sorted(layers)}
