"""AdamW and the linear schedule with warm-up."""

from __future__ import annotations

from torch import nn, optim

__all__ = ["learning_rate", "make_optimizer"]


def make_optimizer(module: nn.Module, *, weight_decay: float, betas: tuple[float, float], eps: float) -> optim.AdamW:
    """AdamW (fused where torch has it) over all parameters with gradient; vectors (biases, norms) do not decay."""
    trained = [p for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.dim() >= 2], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.dim() < 2], "weight_decay": 0.0},
    ]
    return optim.AdamW(groups, lr=0.0, betas=betas, eps=eps, fused=True)


def learning_rate(step: int, *, steps: int, warmup: int, peak: float) -> float:
    """Rate of 0-based ``step``: linear from peak/warmup up to ``peak``, then linear down to 0 after the last step."""
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * max(0.0, (steps - step) / max(1, steps - warmup))
