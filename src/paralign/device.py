"""What this machine computes on, and in which precision."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy.typing as npt
import torch

__all__ = [
    "best_device",
    "has_bf16",
    "keep_memory",
    "on_device",
    "one_thread",
    "only_cpu",
    "processes",
    "return_memory",
]


def only_cpu() -> bool:
    """Whether training runs on the CPU; accelerate must be told, or processes of torchrun do not meet."""
    asked = os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes")
    return asked or not torch.accelerator.is_available()


def processes() -> int:
    """How many processes train together (torchrun says so)."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def best_device() -> torch.device:
    """Where this machine computes fastest, unless it was told to stay on the CPU."""
    found = None if only_cpu() else torch.accelerator.current_accelerator()
    return found or torch.device("cpu")


def on_device(array: npt.NDArray[Any], device: torch.device) -> torch.Tensor:
    """Copy an array to a device as a tensor of the same type, without waiting for the device.

    ``.to(device)`` alone waits until the copy, and all work queued before it, is done, which leaves an accelerator idle
    about twenty times per step. The array may be changed afterwards: CUDA has read pageable memory when the call
    returns.
    """
    return torch.from_numpy(array).to(device, non_blocking=True)


def keep_memory() -> bool:
    """Let this process keep the memory it frees, so that the pages of large tensors are not fetched anew at every step.

    Glibc only; worth 20 to 30 per cent of a training step on a CPU.

    Returns:
        whether the C library agreed.
    """
    trim_threshold, mmap_max, arena_max = -1, -4, -8  # malloc.h
    return _mallopt((trim_threshold, -1), (mmap_max, 0), (arena_max, 1))


def return_memory() -> bool:
    """Give back to the system what this process has freed, and from now on large tensors whenever they are freed: for
    work on few, large and long-lived ones.

    Returns:
        whether the C library (glibc) agreed.
    """
    mmap_threshold = -3
    if not _mallopt((mmap_threshold, 4 << 20)):
        return False
    ctypes.CDLL(None).malloc_trim(0)
    return True


def _mallopt(*settings: tuple[int, int]) -> bool:
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return all(mallopt(name, value) == 1 for name, value in settings)


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread: where work is on many small arrays more of them only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def has_bf16() -> bool:
    """Whether this machine multiplies bf16 faster than fp32."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") or capabilities.get("bf16"))
