"""Memory: the minimum that training needs, the available memory, and the peak."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from paralign.device import uses_cuda
from paralign.errors import UserError

__all__ = ["ADAM", "GIB", "check_memory", "free_memory", "peak_memory"]

GIB = 2**30
ADAM = 3
"""Values stored for each trained weight: its gradient and two moments."""


def check_memory(learner: torch.nn.Module, device: torch.device, *, parts: int = 1) -> None:
    """Raise if a model cannot be trained on the device, before any work is done.

    Args:
        learner: the module to be trained. Weights that are not on the device yet, frozen copies among them, need memory
            too.
        device: the device of this process.
        parts: number of processes among which it is sharded.

    Raises:
        UserError: if these weights, gradients and Adam's moments alone need more memory than is available.
    """
    weights = list(learner.parameters())
    trained = sum(p.numel() for p in weights if p.requires_grad)
    elsewhere = sum(p.numel() for p in weights if p.device.type != device.type)
    needed, free = 4 * (ADAM * trained + elsewhere) // parts, free_memory(device)
    if free is not None and needed > free:
        what = f"{elsewhere / 1e6:,.0f} M weights with " if elsewhere else ""
        raise UserError(
            f"not enough memory: {what}gradients and Adam's moments of {trained / 1e6:,.0f} M weights need "
            f"{needed / GIB:.1f} GiB{' per process' if parts > 1 else ''}, {free / GIB:.1f} GiB are available",
            hint="train fewer layers (layers.freeze) or a smaller encoder, or shard it over processes (training.shard)",
        )


def free_memory(device: torch.device) -> int | None:
    """Return the available bytes of the accelerator, of this container or of this machine. None: unknown."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    limits = [value for value in (_system(), _container()) if value is not None]
    return min(limits, default=None)


def peak_memory() -> int:
    """Return the peak memory in bytes: of torch on the accelerator, or of this process."""
    if uses_cuda():
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
    fields = dict(line.split(":", 1) for line in lines)
    return int(fields["MemAvailable"].split()[0]) * 1024 if "MemAvailable" in fields else None


def _container() -> int | None:
    """Return the available bytes of the control group (version 2); its file cache counts as available."""
    folder = Path("/sys/fs/cgroup")
    try:
        limit = (folder / "memory.max").read_text(encoding="ascii").strip()
        used = int((folder / "memory.current").read_text(encoding="ascii"))
        rows = (folder / "memory.stat").read_text(encoding="ascii").splitlines()
        cached = int(next(row for row in rows if row.startswith("inactive_file ")).split()[1])
    except (OSError, ValueError, StopIteration):
        return None
    return int(limit) - used + cached if limit.isdecimal() else None
