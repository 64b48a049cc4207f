"""A PPA step in transformers and PyTorch alone, with which paralign's loop is compared.

There are two styles. The naive step (``obvious``) pads every row to a fixed length, computes logits at all positions
through ``labels=`` with -100, in fp32, and has the moving average in a Python loop and AdamW with default settings. The
optimized Hugging Face step (``careful``) pads to the longest row of the batch, uses bf16 autocast where the hardware
supports it, foreach operations for the moving average, and fused AdamW. It also computes logits at all positions,
because the model's own loss does.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import get_linear_schedule_with_warmup

from paralign.batches.views import Batch, View
from paralign.encoder import Encoder
from paralign.objectives.moco import MoCoConfig, MomentumContrast
from paralign.training import TrainingConfig

__all__ = ["VIEWS", "HuggingFaceStep", "Style"]

VIEWS = ("joint", "first", "second")


@dataclass(frozen=True)
class Style:
    """The optimizations of a step.

    Attributes:
        pad_to: length of every row. None: that of the longest row of the batch. A longer row widens its batch: nothing
            is truncated, so that all steps do the same work.
        bf16: use autocast.
        fused: use fused AdamW and moving average.
    """

    pad_to: int | None
    bf16: bool
    fused: bool


class HuggingFaceStep:
    """A masked LM with MoCo, trained by a plain optimizer.

    It starts with copies of the weights and of the queue, and reads the same views as paralign, so the losses must be
    the same.

    Args:
        encoder: the masked LM and its tokenizer.
        moco: projection, queue and settings.
        training: rate, schedule and clipping.
        style: its optimizations.
        steps: length of the run, for the schedule.
        device: the device it runs on.
    """

    def __init__(
        self,
        encoder: Encoder,
        moco: MomentumContrast,
        training: TrainingConfig,
        style: Style,
        *,
        steps: int,
        device: torch.device,
    ) -> None:
        self.style, self.clip, self.config = style, training.clip, moco.config
        _check_settings(self.config)
        self.pad_id, self.types, self.device = encoder.template.pad_id, encoder.uses_token_types, device
        self.model = copy.deepcopy(encoder.model).to(device).train()
        for path, layer in list(self.model.named_modules()):
            if isinstance(layer, nn.Dropout):
                self.model.set_submodule(path, nn.Dropout(layer.p))  # torch's own, not the loop's
        width, size = encoder.width, self.config.projection
        self.projection = nn.Sequential(
            nn.Linear(width, width, bias=False), nn.ReLU(), nn.Linear(width, size, bias=False)
        ).to(device)
        with torch.no_grad():
            for own, given in zip(self.projection.parameters(), moco.projection.parameters(), strict=True):
                own.copy_(given)
        self.key_model = copy.deepcopy(self.model.base_model).requires_grad_(False)
        self.key_projection = copy.deepcopy(self.projection).requires_grad_(False)
        self.queue = moco.queue.detach().clone().to(device)
        self.pointer = 0
        trained = [*self.model.parameters(), *self.projection.parameters()]
        self.optimizer = torch.optim.AdamW(
            trained,
            lr=training.learning_rate,
            betas=training.betas,
            eps=training.eps,
            weight_decay=training.weight_decay,
            fused=True if style.fused else None,
        )
        self.schedule = get_linear_schedule_with_warmup(self.optimizer, training.warmup_steps(steps), steps)
        self.trained = trained
        self.seen = {name: [0, 0] for name in VIEWS}
        """By view: real pieces and encoded positions."""

    def _padded(self, batch: Batch, name: str) -> dict[str, Tensor]:
        """Return a view as tensors [B, W]: ids, attention mask, types, labels (-100 where nothing is masked)."""
        view: View = batch.view(name)
        wide = max(int(view.lengths.max()), self.style.pad_to or 0)
        inside = np.arange(wide) < view.lengths[:, None]
        labels = np.full(len(view.ids), -100)
        labels[view.masked] = view.labels
        arrays = {"input_ids": np.full(inside.shape, self.pad_id), "attention_mask": inside.astype(np.int64)}
        arrays["input_ids"][inside] = view.ids
        if self.types:
            arrays["token_type_ids"] = np.zeros(inside.shape, np.int64)
            arrays["token_type_ids"][inside] = view.types
        if name == "joint":
            arrays["labels"] = np.full(inside.shape, -100)
            arrays["labels"][inside] = labels
        self.seen[name][0] += len(view.ids)
        self.seen[name][1] += inside.size
        return {key: torch.from_numpy(value).to(self.device) for key, value in arrays.items()}

    def _vectors(self, model: nn.Module, projection: nn.Module, inputs: dict[str, Tensor]) -> Tensor:
        first = model(**inputs).last_hidden_state[:, 0]
        return F.normalize(projection(F.normalize(first.float(), dim=1)).float(), dim=1)

    def losses(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        """Return the two losses (means over masked pieces and over pairs) and the keys [B, p]."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.style.bf16):
            masked = self.model(**self._padded(batch, "joint")).loss
            queries = self._vectors(self.model.base_model, self.projection, self._padded(batch, "first"))
            with torch.no_grad():
                keys = self._vectors(self.key_model, self.key_projection, self._padded(batch, "second"))
        positive = (queries * keys).sum(1, keepdim=True)
        scores = torch.cat([positive, queries @ self.queue.T], 1) / self.config.temperature
        target = torch.zeros(len(scores), dtype=torch.int64, device=self.device)
        return {"tlm": masked, "moco": F.cross_entropy(scores, target)}, keys

    def step(self, batch: Batch) -> dict[str, float]:
        """Take one optimizer step; return the losses before it."""
        losses, keys = self.losses(batch)
        self.optimizer.zero_grad()
        (losses["tlm"] + losses["moco"]).backward()
        nn.utils.clip_grad_norm_(self.trained, self.clip)
        self.optimizer.step()
        self.schedule.step()
        self._after(keys)
        return {name: value.item() for name, value in losses.items()}

    @torch.no_grad()
    def _after(self, keys: Tensor) -> None:
        """Enqueue the keys and update the momentum encoder."""
        place = (self.pointer + torch.arange(len(keys), device=self.device)) % len(self.queue)
        self.queue[place] = keys
        self.pointer = (self.pointer + len(keys)) % len(self.queue)
        own = [*self.key_model.parameters(), *self.key_projection.parameters()]
        query = [*self.model.base_model.parameters(), *self.projection.parameters()]
        momentum = self.config.momentum
        if self.style.fused:
            torch._foreach_lerp_(own, query, 1 - momentum)
            return
        for k, q in zip(own, query, strict=True):
            k.data = k.data * momentum + q.data * (1 - momentum)


def _check_settings(config: MoCoConfig) -> None:
    """Check that the settings are the defaults of PPA; the steps support no others."""
    if not (config.normalize_projection and config.positive_in_denominator and config.pool == "cls"):
        raise ValueError("only normalized [CLS] vectors with the positive in the denominator are compared")
