"""Memory: what training needs at least, what is free, what was used."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from paralign.errors import UserError

__all__ = ["ADAM", "GIB", "check_memory", "free_memory", "peak_memory"]

GIB = 2**30
ADAM = 3
"""Numbers beside each weight: its gradient and two moments."""


def check_memory(learner: torch.nn.Module, device: torch.device, *, parts: int = 1) -> None:
    """Refuse what cannot fit, before any work.

    Args:
        learner: what is trained.
        device: of this process.
        parts: processes that divide it between them.

    Raises:
        UserError: if gradients and Adam's moments alone are more than is free.
    """
    count = sum(p.numel() for p in learner.parameters() if p.requires_grad)
    needed, free = 4 * ADAM * count // parts, free_memory(device)
    if free is not None and needed > free:
        raise UserError(
            f"too little memory: gradients and Adam's moments of {count / 1e6:,.0f} M weights take "
            f"{needed / GIB:.1f} GiB{' a process' if parts > 1 else ''}, {free / GIB:.1f} GiB are free",
            hint="train fewer layers (layers.freeze), a smaller encoder, on a larger machine, or on several "
            "(training.shard)",
        )


def free_memory(device: torch.device) -> int | None:
    """Bytes that can still be had: on an accelerator, in this container, on this machine; ``None`` if unknown."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    found = [value for value in (_system(), _container()) if value is not None]
    return min(found, default=None)


def peak_memory() -> int:
    """Bytes: most that torch held on the accelerator, or that this process held."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    try:
        import resource
    except ImportError:  # Windows
        return 0
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * (1 if sys.platform == "darwin" else 1024)


def _system() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    known = dict(line.split(":", 1) for line in lines)
    return int(known["MemAvailable"].split()[0]) * 1024 if "MemAvailable" in known else None


def _container() -> int | None:
    """What a control group (version 2) leaves; files it caches can be had back."""
    folder = Path("/sys/fs/cgroup")
    try:
        limit = (folder / "memory.max").read_text(encoding="ascii").strip()
        used = int((folder / "memory.current").read_text(encoding="ascii"))
        rows = (folder / "memory.stat").read_text(encoding="ascii").splitlines()
        cached = int(next(row for row in rows if row.startswith("inactive_file ")).split()[1])
    except (OSError, ValueError, StopIteration):
        return None
    return int(limit) - used + cached if limit.isdecimal() else None
