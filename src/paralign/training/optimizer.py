"""AdamW and the linear schedule with warm-up."""

from __future__ import annotations

from torch import nn, optim

__all__ = ["learning_rate", "make_optimizer"]


def make_optimizer(module: nn.Module, *, weight_decay: float, betas: tuple[float, float], eps: float) -> optim.AdamW:
    """Return a fused AdamW over all parameters that are trained; vectors (biases, norms) have no weight decay."""
    trained = [p for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.dim() >= 2], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.dim() < 2], "weight_decay": 0.0},
    ]
    return optim.AdamW(groups, lr=0.0, betas=betas, eps=eps, fused=True)


def learning_rate(step: int, *, steps: int, warmup: int, peak: float) -> float:
    """Return the rate of 0-based ``step``: linear warm-up from peak/warmup to ``peak``, then linear decay to 0."""
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * max(0.0, (steps - step) / max(1, steps - warmup))
